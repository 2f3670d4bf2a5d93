"""Tests of certstream_tx.library.logs and .messages."""

import json

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx import Log, Source, find_log, known_logs, message_of, read_entry
from certstream_tx.x509.example import EXAMPLE_PRECERTIFICATE
from tests.ingest.fronted_log import FrontedLog


class FindTests(SynchronousTestCase):
    """Logs by what they are called."""

    logs = (
        Log("North 'A1' log", "https://ct.example/a1", "rfc6962", log_id=b"\x01" * 32),
        Log("North 'A12' log", "https://ct.example/a12", "tiled"),
        Log("South", "https://south.example", "rfc6962"),
    )

    def test_found(self) -> None:
        """By name in any case, part of one, URL in any form, or id."""
        for which, name in (
            ("north 'a1' LOG", "North 'A1' log"),
            ("a12", "North 'A12' log"),
            ("https://ct.example/a1/", "North 'A1' log"),
            ("ct.example/a12", "North 'A12' log"),
            ("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "North 'A1' log"),
        ):
            self.assertEqual(find_log(which, self.logs).name, name)

    def test_not_found(self) -> None:
        """The error names what comes near."""
        error = self.assertRaises(LookupError, find_log, "Suoth", self.logs)
        self.assertIn("South", str(error))
        error = self.assertRaises(LookupError, find_log, "north", self.logs)
        self.assertIn("North 'A1' log, North 'A12' log", str(error))

    def test_one_of_very_many(self) -> None:
        """The error stays a line."""
        error = self.assertRaises(LookupError, find_log, "http", [*self.logs, *self.logs * 9])
        self.assertLess(len(str(error)), 500)

    def test_known(self) -> None:
        """Chrome's list, without a network."""
        logs = known_logs()
        self.assertGreater(len(logs), 20)
        self.assertEqual({log.kind for log in logs}, {"rfc6962", "tiled"})
        self.assertEqual(find_log(logs[0].name), logs[0])


class MessageTests(SynchronousTestCase):
    """An entry as a message."""

    def test_of_a_log_and_of_a_source(self) -> None:
        """Both name the log in the message alike."""
        fake = FrontedLog("rfc6962", 3)
        leaf = fake.log.entries.leaf_input(1), fake.log.entries.extra_data(1)
        entry = read_entry(1, *leaf)
        log = fake.listed
        source = Source(log.name, log.url, log.operator, log.log_id_base64, log.kind)
        of_log = message_of(entry, log, seen=5.0)
        self.assertEqual(of_log.full(), message_of(entry, source, seen=5.0).full())
        data = json.loads(of_log.full())["data"]
        self.assertEqual((data["cert_index"], data["seen"]), (1, 5.0))
        self.assertEqual(data["source"]["name"], log.name)
        self.assertTrue(of_log.certificate.all_domains)

    def test_seen_now(self) -> None:
        """Unless it is said when."""
        entry = read_entry(0, EXAMPLE_PRECERTIFICATE, b"")
        message = message_of(entry, FindTests.logs[0])
        self.assertGreater(message.seen, 1_700_000_000)
        self.assertIsNotNone(message.parse_error)
