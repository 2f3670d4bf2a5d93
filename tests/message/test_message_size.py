"""No document is larger than clients take, and no entry hides behind its size."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx import certificate
from certstream_tx.certificate import read_certificate
from certstream_tx.message.documents import MAX_DOCUMENT_BYTES, Message
from tests.golden.certificate_writer import dns, name, signed, subject_alt_name, tbs_certificate
from tests.message.test_documents import NAMED, SOURCE, entry


def named(count: int) -> bytes:
    """A certificate of that many names of 50 octets."""
    names = [dns(f"{i:040d}.a.example") for i in range(count)]
    return signed(tbs_certificate(subject=name(), extensions=[subject_alt_name(*names)]))


class SizeTests(SynchronousTestCase):
    """Full, lite and domains-only of what is too large."""

    def setUp(self) -> None:
        # The bound on what is read comes first for plain names; here it is out of the way, since
        # names that JSON has to escape grow beyond the document's bound from below it.
        self.patch(certificate, "MAX_CERTIFICATE_BYTES", 1 << 20)

    def documents(self, message: Message) -> tuple[dict[str, Any], dict[str, Any]]:
        """``data`` of full and of lite, both within the bound, their keys as always."""
        documents = []
        ordinary = Message(entry(), SOURCE, 1.0)
        for document, usual in (
            (message.full(), ordinary.full()),
            (message.lite(), ordinary.lite()),
        ):
            self.assertLessEqual(len(document), MAX_DOCUMENT_BYTES)
            data = json.loads(document)["data"]
            self.assertEqual(data.keys() - {"parse_error"}, json.loads(usual)["data"].keys())
            usual_leaf = json.loads(usual)["data"]["leaf_cert"]
            self.assertEqual(data["leaf_cert"].keys(), usual_leaf.keys())
            documents.append(data)
        return documents[0], documents[1]

    def test_large_but_not_too_large(self) -> None:
        """A certificate of two thousand names is sent whole, with its chain."""
        message = Message(entry(named(2000), chain=(NAMED, NAMED)), SOURCE, 1.0)
        full, lite = self.documents(message)
        self.assertNotIn("parse_error", full)
        self.assertEqual(len(full["leaf_cert"]["all_domains"]), 2000)
        self.assertEqual(len(full["chain"]), 2)
        self.assertGreater(len(full["leaf_cert"]["as_der"]), 100_000)
        self.assertEqual(len(lite["leaf_cert"]["all_domains"]), 2000)

    def test_large_chain(self) -> None:
        """A chain that is too large is left out; the certificate is not."""
        for chain in ((bytes(1 << 20),), (named(4000), named(4001), named(4002))):
            full, lite = self.documents(Message(entry(chain=chain), SOURCE, 1.0))
            self.assertEqual(full["chain"], [])
            self.assertIn("chain left out", full["parse_error"])
            self.assertTrue(full["leaf_cert"]["as_der"])
            self.assertEqual(full["leaf_cert"]["all_domains"], ["a.b", "c"])
            self.assertNotIn("parse_error", lite)

    def test_large_certificate(self) -> None:
        """Names come first: they are there when the certificate itself is left out."""
        der = named(7000)
        full, lite = self.documents(Message(entry(der, chain=(NAMED,)), SOURCE, 1.0))
        self.assertEqual((full["leaf_cert"]["as_der"], full["chain"]), ("", []))
        self.assertIn("as_der and chain left out", full["parse_error"])
        self.assertEqual(len(full["leaf_cert"]["all_domains"]), 7000)
        self.assertNotIn("parse_error", lite)
        self.assertEqual(lite["leaf_cert"]["sha256"], read_certificate(der).sha256)

    def test_too_many_names(self) -> None:
        """Of what does not fit in lite the hashes are left; the names may still fit alone."""
        der = named(12_000)
        message = Message(entry(der), SOURCE, 1.0)
        for data in self.documents(message):
            self.assertIn("all but the hashes left out", data["parse_error"])
            self.assertEqual(data["leaf_cert"]["all_domains"], [])
            self.assertEqual(data["leaf_cert"]["sha256"], read_certificate(der).sha256)
        domains = message.domains_only()
        assert domains is not None
        self.assertEqual(len(json.loads(domains)["data"]), 12_000)

    def test_domains_alone_too_large(self) -> None:
        """Names that do not fit in a message of their own are not sent at all."""
        der = named(19_900)
        self.assertIsNone(read_certificate(der).error)
        self.assertIsNone(Message(entry(der), SOURCE, 1.0).domains_only())

    def test_as_large_as_an_entry_can_be(self) -> None:
        """Sixteen megabytes of what cannot be read: the hashes, and both reasons."""
        huge = bytes((1 << 24) - 1)
        full, lite = self.documents(Message(entry(huge, chain=(huge,)), SOURCE, 1.0))
        self.assertIn("larger than 1048576 bytes; as_der and chain left out", full["parse_error"])
        self.assertEqual(full["leaf_cert"]["as_der"], "")
        self.assertEqual(lite["parse_error"], read_certificate(huge).error)

    def test_at_the_bound(self) -> None:
        """Every size around the bound gives whole documents."""
        der = named(8)
        full = len(Message(entry(der), SOURCE, 1.0).full())
        room = MAX_DOCUMENT_BYTES - full
        for more in range(room // 4 * 3 - 600, room // 4 * 3 + 40, 16):
            message = Message(entry(der + bytes(more)), SOURCE, 1.0)
            self.documents(message)
