"""The files of evidence: what is in them, how many there are, and what they mean."""

import json
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.log_list import Log
from certstream_tx.ingest.state import evidence as evidence_module
from certstream_tx.ingest.state.evidence import FOR_EVER, Evidence, head_document, range_document
from tests.ingest.fake_log import events, head_of, range_of

LOG = Log("Some 'Log' 2026/h1", "https://log.example", "rfc6962", log_id=b"i" * 32, key=b"key")
OTHER = Log("Other", "https://other.example", "tiled")


class EvidenceTests(SynchronousTestCase):
    """A folder, and logs that were caught."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.folder = Path(self.mktemp()).absolute() / "evidence"
        self.evidence = Evidence(str(self.folder), self.clock, execute)

    def names(self) -> list[str]:
        """The files, oldest first."""
        return sorted(os.listdir(self.folder)) if self.folder.exists() else []

    def test_content(self) -> None:
        """A file says who was caught at what, when, and can be checked without us."""
        document = {
            "heads": [head_document(head_of(5, 7)), head_document(head_of(5, root=b"x" * 32))],
            "proven": range_document(range_of(5)),
        }
        with events("error") as told:
            self.evidence.keep(LOG, FOR_EVER, document)
        (name,) = self.names()
        self.assertTrue(name.startswith("20270115T080000-contradiction-Some-Log-2026-h1-"), name)
        self.assertIn(name, told[0])
        said = json.loads((self.folder / name).read_text())
        self.assertEqual(said["what"], FOR_EVER)
        self.assertEqual(said["time"], "2027-01-15T08:00:00+00:00")
        self.assertEqual(said["log"]["log_id"], LOG.log_id_base64)
        self.assertEqual(said["log"]["key"], b64encode(b"key").decode())
        first, second = said["heads"]
        self.assertEqual((first["tree_size"], first["timestamp"]), (5, 7))
        self.assertEqual(first["sha256_root_hash"], b64encode(range_of(5).root()).decode())
        self.assertEqual(first["tree_head_signature"], None)
        self.assertEqual(said["proven"]["sha256_root_hash"], first["sha256_root_hash"])
        self.assertEqual(second["sha256_root_hash"], b64encode(b"x" * 32).decode())

    def test_known(self) -> None:
        """There is evidence about a log until its files are moved away, whatever it is called."""
        self.assertIsNone(self.evidence.known(LOG))
        self.evidence.keep(OTHER, "mismatch", {})
        self.assertIsNone(self.evidence.known(LOG))
        self.evidence.keep(LOG, "rollback", {})
        self.assertIsNone(self.evidence.known(LOG))
        self.evidence.keep(LOG, "mismatch", {})
        self.clock.advance(5)
        self.evidence.keep(LOG, FOR_EVER, {})
        renamed = Log("New name", "https://new.example", "rfc6962", log_id=b"i" * 32, key=b"key")
        for about in (LOG, renamed):
            path = self.evidence.known(about)
            assert path is not None
            self.assertTrue(os.path.exists(path))
            self.assertIn(FOR_EVER, path)
        for name in self.names():
            if FOR_EVER in name or "mismatch-Some" in name:
                os.unlink(self.folder / name)
        self.assertIsNone(self.evidence.known(LOG))

    def test_same_second(self) -> None:
        """Several files of one second do not replace each other."""
        for number in range(5):
            self.evidence.keep(LOG, "mismatch", {"number": number})
        numbers = [json.loads((self.folder / n).read_text())["number"] for n in self.names()]
        self.assertEqual(sorted(numbers), list(range(5)))

    def test_bounded(self) -> None:
        """The oldest files make room; those that prove a contradiction stay for ever."""
        self.patch(evidence_module, "MAX_BYTES", 5000)
        self.evidence.keep(LOG, FOR_EVER, {"text": "x" * 3000})
        for number in range(20):
            self.clock.advance(1)
            self.evidence.keep(LOG, "mismatch", {"number": number, "text": "x" * 800})
            sizes = [(self.folder / n).stat().st_size for n in self.names() if FOR_EVER not in n]
            self.assertLessEqual(sum(sizes), 5000)
        kept = [json.loads((self.folder / n).read_text()) for n in self.names()]
        self.assertEqual([each["number"] for each in kept[1:]], [16, 17, 18, 19])
        self.assertEqual(kept[0]["what"], FOR_EVER)

    def test_contradictions_are_bounded(self) -> None:
        """A log may contradict itself without end: its first ones are kept, others' as well."""
        self.patch(evidence_module, "MAX_FOR_EVER", 3)
        for number in range(9):
            self.clock.advance(1)
            self.evidence.keep(LOG, FOR_EVER, {"number": number})
        self.evidence.keep(OTHER, FOR_EVER, {"number": 0})
        numbers = [json.loads((self.folder / n).read_text())["number"] for n in self.names()]
        self.assertEqual(numbers, [0, 1, 2, 0])

    def test_too_large(self) -> None:
        """A file out of all proportion is not written, and that is told."""
        self.patch(evidence_module, "MAX_FILE_BYTES", 1000)
        with events("error") as told:
            self.evidence.keep(LOG, "mismatch", {"text": "x" * 1000})
        self.assertEqual(self.names(), [])
        self.assertIn("could not be written", told[0])

    def test_nowhere(self) -> None:
        """Without a folder nothing is kept, and nothing goes wrong."""
        evidence = Evidence(None, self.clock, execute)
        evidence.keep(LOG, FOR_EVER, {})
        self.assertIsNone(evidence.known(LOG))

    def test_disk_is_full(self) -> None:
        """What cannot be written is told, and breaks nothing else."""

        def full(write: Callable[[], None]) -> "Deferred[None]":
            return execute(self.fail_with, OSError(28, "No space left on device"))

        evidence = Evidence(str(self.folder), self.clock, full)
        with events("error") as told:
            evidence.keep(LOG, "mismatch", {})
        self.assertEqual(len(told), 1)
        self.assertIn("No space left", told[0])

    def fail_with(self, error: Exception) -> None:
        """Raise it."""
        raise error
