"""Signature algorithms; each word of the table is in the golden certificates too."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.x509.algorithms import UNKNOWN, signature_algorithm
from tests.ct.samples import PROPERTY
from tests.golden.der_writer import explicit, integer, null, oid, sequence

PSS = oid("1.2.840.113549.1.1.10")


def algorithm(dotted: str, *parameters: bytes) -> bytes:
    return sequence(oid(dotted), *parameters)


class SignatureAlgorithmTests(SynchronousTestCase):
    """AlgorithmIdentifiers, known and not."""

    def test_parameters_do_not_matter(self) -> None:
        """RSA with NULL, without it, or with anything else is RSA."""
        sha256 = "1.2.840.113549.1.1.11"
        for parameters in (null(), b"", integer(5), b"\x05"):
            self.assertEqual(signature_algorithm(algorithm(sha256, parameters)), "sha256, rsa")

    def test_two_identifiers_of_one_algorithm(self) -> None:
        """RSA with SHA-1 has an older identifier, which issuers have used."""
        self.assertEqual(signature_algorithm(algorithm("1.3.14.3.2.29", null())), "sha1, rsa")

    def test_pss(self) -> None:
        """By the hash parameter, wherever it stands; SHA-1 without it."""
        sha384 = explicit(0, algorithm("2.16.840.1.101.3.4.2.2", null()))
        salt = explicit(2, integer(48))
        for parameters, words in (
            (sequence(sha384, salt), "sha384, rsa-pss"),
            (sequence(salt), "sha1, rsa-pss"),
            (sequence(), "sha1, rsa-pss"),
            (sequence(explicit(0, algorithm("1.2.3"))), UNKNOWN),
            (sequence(explicit(0, b"")), UNKNOWN),
            (null(), UNKNOWN),
            (b"", UNKNOWN),
        ):
            self.assertEqual(signature_algorithm(sequence(PSS, parameters)), words)

    def test_unknown(self) -> None:
        """Unnamed, unreadable and giant identifiers."""
        giant = algorithm("1.2.840.113549.1.1.11", bytes(1000))
        for identifier in (algorithm("1.2.3"), b"", b"\x30\x00", PSS, giant):
            self.assertEqual(signature_algorithm(identifier), UNKNOWN)

    @given(st.binary(max_size=30))
    @PROPERTY
    def test_any_bytes(self, identifier: bytes) -> None:
        """Any bytes have words."""
        self.assertIsInstance(signature_algorithm(identifier), str)
        self.assertIsInstance(signature_algorithm(sequence(PSS, identifier)), str)
