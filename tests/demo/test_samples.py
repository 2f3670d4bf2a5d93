"""The packaged entries."""

import json
from base64 import b64decode
from hashlib import sha256
from importlib.resources import files

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.entry import read_entry
from certstream_tx.ct.structs import read_leaf
from certstream_tx.demo.samples import SERIAL_TAIL, Sample, samples, serial_tail
from tests.checkout import FIXTURES
from tests.demo.certificates import tbs_without_poison

MAX_PACKAGED = 200_000


class SamplesTests(SynchronousTestCase):
    """They are real, small and complete."""

    def test_real(self) -> None:
        """Every sample is an entry that a public log served, with its chain and its leaf."""
        served = set()
        for record in json.loads((FIXTURES / "live_entries.json").read_text()):
            leaf_input = b64decode(record["leaf_input"])
            entry = read_entry(record["cert_index"], leaf_input, b64decode(record["extra_data"]))
            leaf = read_leaf(leaf_input)
            served.add(Sample(entry.submitted, entry.chain, leaf.issuer_key_hash, leaf.certificate))
        self.assertEqual(set(samples()) - served, set())

    def test_mix(self) -> None:
        """There are enough of both kinds, none twice, and no long run of one kind."""
        kinds = [sample.is_precertificate for sample in samples()]
        self.assertEqual(len(set(samples())), len(kinds))
        self.assertGreaterEqual(min(kinds.count(True), kinds.count(False)), 10)
        text = "".join("p" if kind else "c" for kind in kinds)
        self.assertNotIn("pppp", text)
        self.assertNotIn("cccc", text)

    def test_small(self) -> None:
        """They do not make the package large."""
        packaged = (files("certstream_tx") / "data" / "demo_entries.json").read_bytes()
        self.assertLess(len(packaged), MAX_PACKAGED)

    def test_issuer_key_hash(self) -> None:
        """A precertificate's issuer is the first of its chain, by key and by name."""
        for sample in samples():
            certificate = x509.load_der_x509_certificate(sample.submitted)
            issuer = x509.load_der_x509_certificate(sample.chain[0])
            self.assertEqual(certificate.issuer, issuer.subject)
            if sample.is_precertificate:
                key = issuer.public_key().public_bytes(
                    Encoding.DER, PublicFormat.SubjectPublicKeyInfo
                )
                self.assertEqual(sha256(key).digest(), sample.issuer_key_hash)

    def test_logged(self) -> None:
        """What the leaf holds is the certificate, or the precertificate without its poison."""
        for sample in samples():
            if sample.is_precertificate:
                self.assertEqual(sample.logged, tbs_without_poison(sample.submitted))
            else:
                self.assertEqual(sample.logged, sample.submitted)

    def test_serial_tail(self) -> None:
        """The place found is the end of the serial number that an X.509 library reads."""
        for sample in samples():
            serial = x509.load_der_x509_certificate(sample.submitted).serial_number
            tail = serial.to_bytes(32, "big")[-SERIAL_TAIL:]
            at = serial_tail(sample.submitted)
            self.assertEqual(sample.submitted[at : at + SERIAL_TAIL], tail)
            if sample.is_precertificate:
                at = serial_tail(sample.logged, tbs=True)
                self.assertEqual(sample.logged[at : at + SERIAL_TAIL], tail)

    def test_short_or_negative_serial(self) -> None:
        """A serial number whose end cannot be replaced is refused."""
        for serial in (
            "0201",
            "020701020304050607",
            "02080080808080808080",
            "0208ff01020304050607",
        ):
            tbs = bytes.fromhex(serial)
            tbs = bytes((0x30, len(tbs))) + tbs
            self.assertRaises(ValueError, serial_tail, tbs + bytes(9), tbs=True)
        fine = bytes.fromhex("3012a00302010202090081828384858687880500")
        self.assertEqual(serial_tail(fine, tbs=True), 11)
