"""Messages: the documents of the three streams, and what they are put together from.

Every field is held by tests/golden; here is what stands between the fields.
"""

import json
from hashlib import sha1, sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.certificate import read_certificate
from certstream_tx.ct.entry import Entry, read_entry
from certstream_tx.ct.structs import PRECERT_ENTRY, X509_ENTRY
from certstream_tx.message import documents as message_module
from certstream_tx.message.documents import Message, Source, build_message, heartbeat
from certstream_tx.x509.cache import BoundedCache
from tests.ct.samples import page_entries
from tests.golden.certificate_writer import (
    common_name,
    dns,
    name,
    signed,
    subject_alt_name,
    tbs_certificate,
)

SOURCE = Source("A log", "https://log.example/2026", "Operator", "aWQ=", "rfc6962")
TILED = Source("Tiles", "https://tiles.example/2026", None, None, "tiled")
NAMED = signed(tbs_certificate(subject=common_name("a.b"), extensions=[subject_alt_name(dns("c"))]))
NAMELESS = signed(tbs_certificate(subject=name()))
PROPERTY = settings(max_examples=150, deadline=None)


def entry(submitted: bytes = NAMED, **fields: Any) -> Entry:
    """An entry, ordinary where nothing else is said."""
    values: dict[str, Any] = {
        "index": 7,
        "timestamp": 1750000000007,
        "entry_type": X509_ENTRY,
        "chain": (),
        "leaf_hash": bytes(32),
    }
    return Entry(submitted=submitted, **(values | fields))


def data(message: Message) -> dict[str, Any]:
    """``data`` of the lite message."""
    document = json.loads(message.lite())
    assert document["message_type"] == "certificate_update"
    fields: dict[str, Any] = document["data"]
    return fields


class SourceTests(SynchronousTestCase):
    """Where an entry can be had."""

    def test_cert_link(self) -> None:
        """A request for one entry, or the full tile that holds it."""
        self.assertEqual(
            SOURCE.cert_link(5), "https://log.example/2026/ct/v1/get-entries?start=5&end=5"
        )
        for index, path in (
            (0, "000"),
            (255, "000"),
            (256, "001"),
            (999 * 256 + 255, "999"),
            (1000 * 256, "x001/000"),
            (1_234_067 * 256 + 9, "x001/x234/067"),
        ):
            self.assertEqual(TILED.cert_link(index), f"https://tiles.example/2026/tile/data/{path}")


class MessageTests(SynchronousTestCase):
    """One entry in three streams."""

    def test_full_is_lite_and_more(self) -> None:
        """Full has everything lite has, as_der and chain; both orders of asking give the same."""
        for record in page_entries():
            read = read_entry(*record)
            message, other = Message(read, SOURCE, 1.5), Message(read, SOURCE, 1.5)
            full, lite = message.full(), message.lite()
            self.assertEqual((other.lite(), other.full()), (lite, full))
            document = json.loads(full)
            self.assertEqual(len(document["data"].pop("chain")), len(read.chain))
            document["data"]["leaf_cert"].pop("as_der")
            self.assertEqual(document, json.loads(lite))

    def test_domains_only(self) -> None:
        """The domains alone; nothing for a certificate without any, or an unreadable one."""
        self.assertEqual(
            Message(entry(), SOURCE, 1.0).domains_only(),
            b'{"message_type":"dns_entries","data":["a.b","c"]}',
        )
        self.assertIsNone(Message(entry(NAMELESS), SOURCE, 1.0).domains_only())
        self.assertIsNone(Message(entry(b"broken"), SOURCE, 1.0).domains_only())

    def test_times(self) -> None:
        """Seconds as floats in milliseconds, also when they are whole, and when they are absurd."""
        for timestamp, text in (
            (1750000000007, b"1750000000.007"),
            (1750000000000, b"1750000000.0"),
            (0, b"0.0"),
        ):
            lite = Message(entry(timestamp=timestamp), SOURCE, 1700000000.12345678).lite()
            self.assertIn(b'"seen":1700000000.123,', lite)
            self.assertIn(b'"submission_timestamp":' + text + b",", lite)
            self.assertIn(b'"timestamp":' + text + b",", lite)
        absurd = data(Message(entry(timestamp=2**64 - 1), SOURCE, 1.0))
        self.assertIsInstance(absurd["submission_timestamp"], float)
        self.assertIn(b'"seen":1.0,', Message(entry(), SOURCE, 1).lite())

    def test_update_type(self) -> None:
        """Precertificates are told from certificates."""
        for entry_type, words in (
            (X509_ENTRY, "X509LogEntry"),
            (PRECERT_ENTRY, "PrecertLogEntry"),
            (0x8000, "X509LogEntry"),
        ):
            fields = data(Message(entry(entry_type=entry_type), SOURCE, 1.0))
            self.assertEqual(fields["update_type"], words)

    def test_source(self) -> None:
        """What is not known of a log is null."""
        fields = data(Message(entry(), TILED, 1.0))["source"]
        self.assertEqual(
            fields,
            {
                "name": "Tiles",
                "url": "https://tiles.example/2026",
                "timestamp": 1750000000.007,
                "type": "tiled",
                "operator": None,
                "log_id": None,
            },
        )

    def test_late(self) -> None:
        """Late is there only when true."""
        self.assertNotIn("late", data(Message(entry(), SOURCE, 1.0)))
        self.assertIs(data(Message(entry(), SOURCE, 1.0, late=True))["late"], True)
        self.assertIs(data(build_message(entry(), SOURCE, lambda: 1.0, late=True))["late"], True)

    def test_proven_part(self) -> None:
        """Where what came with an entry is wrong, what the tree covers is read, and that is said;
        the hashes are of the bytes as they came."""
        wrong = entry(b"leaf", error="another one", proven=NAMED)
        for message in (Message(wrong, SOURCE, 1.0), build_message(wrong, SOURCE, lambda: 1.0)):
            said = data(message)
            self.assertEqual((message.parse_error, said["parse_error"]), ("another one",) * 2)
            leaf = said["leaf_cert"]
            self.assertEqual((leaf["subject"]["CN"], leaf["all_domains"]), ("a.b", ["a.b", "c"]))
            self.assertEqual(leaf["sha256"], sha256(b"leaf").digest().hex(":").upper())
            self.assertEqual(json.loads(message.full())["data"]["leaf_cert"]["as_der"], "bGVhZg==")
            self.assertEqual(json.loads(message.domains_only() or b"")["data"], ["a.b", "c"])
        unreadable = data(Message(entry(b"leaf", error="why", proven=b"broken"), SOURCE, 1.0))
        self.assertEqual(unreadable["parse_error"], "why")
        self.assertIsNone(unreadable["leaf_cert"]["subject"]["CN"])

    def test_parse_error(self) -> None:
        """The reason stands in data, of a broken certificate and of a broken entry."""
        readable = Message(entry(), SOURCE, 1.0)
        self.assertIsNone(readable.parse_error)
        self.assertNotIn("parse_error", data(readable))
        broken = Message(entry(b"broken"), SOURCE, 1.0)
        self.assertEqual(data(broken)["parse_error"], broken.parse_error)
        self.assertEqual(broken.parse_error, read_certificate(b"broken").error)
        unread = Message(entry(error="why"), SOURCE, 1.0)
        self.assertEqual((unread.parse_error, data(unread)["parse_error"]), ("why", "why"))
        self.assertEqual(data(unread)["leaf_cert"]["all_domains"], [])
        for message in (broken, unread):
            self.assertNotIn("error", data(message)["leaf_cert"])
            full = json.loads(message.full())["data"]
            self.assertIn("as_der", full["leaf_cert"])
            self.assertEqual(full["chain"], [])

    def test_chain(self) -> None:
        """Certificates of the chain in order, unreadable ones in their place, without domains."""
        chain = (NAMELESS, b"broken", NAMED)
        full = json.loads(Message(entry(chain=chain), SOURCE, 1.0).full())["data"]
        hashes = [read_certificate(der).sha256 for der in chain]
        self.assertEqual([c["sha256"] for c in full["chain"]], hashes)
        for certificate in full["chain"]:
            self.assertEqual(
                certificate.keys(), full["leaf_cert"].keys() - {"all_domains"}, certificate
            )

    def test_chain_is_remembered_exactly(self) -> None:
        """A certificate that differs in one octet is not taken for one that was seen before."""
        other = NAMED[:-1] + bytes([NAMED[-1] ^ 1])
        for der in (NAMED, other, NAMED, other):
            (read,) = json.loads(Message(entry(chain=(der,)), SOURCE, 1.0).full())["data"]["chain"]
            self.assertEqual(read["sha256"], read_certificate(der).sha256)

    def test_chain_memory_is_bounded(self) -> None:
        """A log that sends a new chain with every entry fills no memory."""
        cache: BoundedCache[bytes] = BoundedCache(max_entries=4, max_bytes=1 << 20)
        self.patch(message_module, "_chain_certificates", cache)
        for i in range(20):
            Message(entry(chain=(NAMED + bytes([i]),)), SOURCE, 1.0).full()
            self.assertIsNotNone(cache.get(NAMED + bytes([i])))
        self.assertLessEqual(len(cache), 4)

    def test_seen_is_after_reading(self) -> None:
        """The clock is asked when the certificate has been read, and once."""
        asked: list[float] = []

        def reading(der: bytes) -> object:
            self.assertEqual(asked, [])
            return read_certificate(der)

        def now() -> float:
            asked.append(1.0)
            return 1.0

        self.patch(message_module, "read_certificate", reading)
        message = build_message(entry(), SOURCE, now)
        self.assertEqual((message.seen, asked), (1.0, [1.0]))

    def test_lite_is_encoded_once(self) -> None:
        """Whoever asks again gets the same object."""
        message = Message(entry(), SOURCE, 1.0)
        self.assertIs(message.lite(), message.lite())

    @given(st.binary(max_size=80), st.lists(st.binary(max_size=80), max_size=3), st.text())
    @PROPERTY
    def test_any_bytes(self, submitted: bytes, chain: list[bytes], text: str) -> None:
        """Any entry of any log gives documents of one line that parse."""
        source = Source(text, text, text, text, "rfc6962")
        for error in (None, text):
            made = entry(submitted, chain=tuple(chain), error=error)
            message = build_message(made, source, lambda: 1.0)
            for document in (message.lite(), message.full()):
                self.assertNotIn(b"\n", document)
                self.assertEqual(json.loads(document)["data"]["source"]["name"], text)


class OtherDocumentTests(SynchronousTestCase):
    """Documents that are no entry of a log."""

    def test_heartbeat(self) -> None:
        """A time in seconds, a float also when whole."""
        self.assertEqual(
            heartbeat(1700000000), b'{"message_type":"heartbeat","timestamp":1700000000.0}'
        )
        self.assertEqual(
            heartbeat(1700000000.12345), b'{"message_type":"heartbeat","timestamp":1700000000.123}'
        )


class KeptTests(SynchronousTestCase):
    """Messages that are kept to be read again."""

    def test_same_documents(self) -> None:
        """What is kept gives the very documents that were sent."""
        messages = [
            build_message(read_entry(*each), SOURCE, lambda: 17.25) for each in page_entries()
        ]
        messages += [
            Message(entry(NAMED), TILED, 1.5, late=True),
            Message(entry(b"no certificate"), SOURCE, 2.0),
            Message(entry(b"leaf", error="broken leaf"), SOURCE, 2.0),
        ]
        for message in messages:
            kept = message.kept()
            self.assertEqual(kept.lite(), message.lite())
            self.assertEqual(kept.full(), message.full())
            self.assertEqual(kept.domains_only(), message.domains_only())

    def test_chains_are_shared(self) -> None:
        """Of certificates with the same chain it is kept once."""
        first, second = (
            Message(entry(chain=(b"issuer %d" % 1, b"root %d" % 2)), SOURCE, 1.0).kept()
            for _ in range(2)
        )
        self.assertEqual(first.entry.chain, second.entry.chain)
        for one, other in zip(first.entry.chain, second.entry.chain, strict=True):
            self.assertIs(one, other)

    def test_hashes_and_size(self) -> None:
        """Of the certificate as it was submitted, readable or not."""
        for der in (NAMED, b"no certificate"):
            message = Message(entry(der, chain=(b"ab", b"c")), SOURCE, 1.0)
            self.assertEqual(message.hashes(), (sha256(der).digest(), sha1(der).digest()))
            self.assertEqual(message.size, len(der) + 3)
