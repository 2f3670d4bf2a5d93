"""Keys of logs and signed tree heads."""

from base64 import b64decode
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.signatures import (
    LogKey,
    SignatureError,
    SignedHead,
    digitally_signed,
    head_input,
    read_digitally_signed,
)
from tests.ct.samples import PROPERTY, damaged, fixture_json

REAL_KEY = b64decode(fixture_json("static/log.v3.json")["key"])
ROOT = sha256(b"root").digest()


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """A key as small as RFC 6962 allows."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def spki(
    key: (
        ec.EllipticCurvePrivateKey
        | rsa.RSAPrivateKey
        | dsa.DSAPrivateKey
        | ed25519.Ed25519PrivateKey
    ),
) -> bytes:
    """The DER SubjectPublicKeyInfo of a private key."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def head(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, size: int = 7, timestamp: int = 1000
) -> SignedHead:
    """A head signed with this key."""
    signed = digitally_signed(key, head_input(size, timestamp, ROOT))
    return SignedHead(size, timestamp, ROOT, signed)


class HeadTests(SynchronousTestCase):
    """Heads signed by either kind of key."""

    def test_input(self) -> None:
        """Version, signature type, time, size and root: 50 bytes."""
        self.assertEqual(
            head_input(0x12C, 0x19B71B44C00, ROOT),
            bytes.fromhex("0001" + "0000019b71b44c00" + "000000000000012c") + ROOT,
        )
        self.assertEqual(head_input(2**64 - 1, 2**64 - 1, ROOT)[2:18], b"\xff" * 16)
        self.assertEqual(head_input(0, 0, ROOT)[2:18], bytes(16))

    def test_input_out_of_range(self) -> None:
        """A size, time or root that is not on the wire."""
        for size, timestamp, root in (
            (-1, 0, ROOT),
            (2**64, 0, ROOT),
            (0, -1, ROOT),
            (0, 2**64, ROOT),
            (0, 0, ROOT[:-1]),
            (0, 0, ROOT + b"\x00"),
        ):
            self.assertRaises(SignatureError, head_input, size, timestamp, root)

    def test_accepts_its_own(self) -> None:
        """A head signed with the log's key passes, ECDSA and RSA."""
        for key in (ec_key(), rsa_key()):
            LogKey(spki(key)).verify_head(head(key))

    def test_refuses_any_change(self) -> None:
        """Another size, time, root or signature fails, ECDSA and RSA."""
        for key in (ec_key(), rsa_key()):
            log_key = LogKey(spki(key))
            good = head(key)
            last = good.signature[-1]
            for wrong in (
                SignedHead(8, good.timestamp, good.root, good.signature),
                SignedHead(good.size, 1001, good.root, good.signature),
                SignedHead(good.size, good.timestamp, bytes(32), good.signature),
                SignedHead(
                    good.size, good.timestamp, good.root, good.signature[:-1] + bytes([last ^ 1])
                ),
                SignedHead(good.size, good.timestamp, good.root[:5], good.signature),
                SignedHead(2**64, good.timestamp, good.root, good.signature),
            ):
                self.assertRaises(SignatureError, log_key.verify_head, wrong)

    def test_refuses_another_key(self) -> None:
        """A head of another log fails, also when that log's key is of the other kind."""
        other = ec.generate_private_key(ec.SECP256R1())
        for log_key, signer in (
            (spki(ec_key()), other),
            (spki(ec_key()), rsa_key()),
            (spki(rsa_key()), ec_key()),
        ):
            self.assertRaises(SignatureError, LogKey(log_key).verify_head, head(signer))

    def test_refuses_other_algorithms(self) -> None:
        """SHA-1, or an algorithm that is not the key's, fails though the signature is good."""
        data = head_input(7, 1000, ROOT)
        signatures = (
            (4, 1, ec_key().sign(data, ec.ECDSA(SHA256())), ec_key()),
            (2, 3, ec_key().sign(data, ec.ECDSA(SHA1())), ec_key()),
            (4, 3, rsa_key().sign(data, padding.PKCS1v15(), SHA256()), rsa_key()),
            (2, 1, rsa_key().sign(data, padding.PKCS1v15(), SHA1()), rsa_key()),
        )
        for hash_id, algorithm, signature, key in signatures:
            signed = bytes((hash_id, algorithm)) + len(signature).to_bytes(2, "big") + signature
            wrong = SignedHead(7, 1000, ROOT, signed)
            self.assertRaises(SignatureError, LogKey(spki(key)).verify_head, wrong)

    def test_every_truncation_is_refused(self) -> None:
        """A signature that ends early, or is followed by anything, is none."""
        good = head(ec_key()).signature
        for end in range(len(good)):
            self.assertRaises(SignatureError, read_digitally_signed, good[:end])
        self.assertRaises(SignatureError, read_digitally_signed, good + b"\x00")
        self.assertEqual(read_digitally_signed(good), (3, good[4:]))
        self.assertEqual(read_digitally_signed(b"\x04\x01\x00\x00"), (1, b""))

    def test_algorithms(self) -> None:
        """Of all hashes and signature algorithms only SHA-256 with RSA or ECDSA is read."""
        read = set()
        for algorithms in ((h, s) for h in range(8) for s in range(8)):
            try:
                read_digitally_signed(bytes(algorithms) + b"\x00\x01x")
            except SignatureError as error:
                self.assertIn(" and ".join(map(str, algorithms)), str(error))
            else:
                read.add(algorithms)
        self.assertEqual(read, {(4, 1), (4, 3)})

    @PROPERTY
    @given(st.integers(-1, 2**64), st.integers(-1, 2**64), st.binary(max_size=80), st.booleans())
    def test_any_head(self, size: int, timestamp: int, noise: bytes, framed: bool) -> None:
        """A head made up by somebody else always raises SignatureError."""
        signed = b"\x04\x03" + len(noise).to_bytes(2, "big") + noise if framed else noise
        wrong = SignedHead(size, timestamp, ROOT, signed)
        self.assertRaises(SignatureError, LogKey(REAL_KEY).verify_head, wrong)


class KeyTests(SynchronousTestCase):
    """Which keys a log may have."""

    def test_log_id(self) -> None:
        """The log id of a real log is the hash of its key."""
        self.assertEqual(
            LogKey(REAL_KEY).log_id, b64decode(fixture_json("static/log.v3.json")["log_id"])
        )

    def test_refuses_other_keys(self) -> None:
        """Other curves, other algorithms, and RSA that is too small."""
        for key in (
            spki(ec.generate_private_key(ec.SECP384R1())),
            spki(ed25519.Ed25519PrivateKey.generate()),
            spki(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        ):
            self.assertRaises(SignatureError, LogKey, key)

    def test_rsa_sizes(self) -> None:
        """From 2048 to 8192 bits; larger ones, which take long to verify with, are refused."""
        for bits, good in ((2047, False), (2048, True), (8192, True), (8193, False)):
            numbers = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) | 1)
            key = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            if good:
                self.assertEqual(LogKey(key).log_id, sha256(key).digest())
            else:
                failure = self.assertRaises(SignatureError, LogKey, key)
                self.assertIn(str(bits), str(failure))

    def test_every_truncation_is_refused(self) -> None:
        """A key that ends early, or is followed by anything, is none."""
        for end in range(len(REAL_KEY)):
            self.assertRaises(SignatureError, LogKey, REAL_KEY[:end])
        self.assertRaises(SignatureError, LogKey, REAL_KEY + b"\x00")

    @PROPERTY
    @given(st.one_of(st.binary(max_size=100), damaged(REAL_KEY)))
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes of any kind are a key or raise SignatureError."""
        try:
            key = LogKey(data)
        except SignatureError:
            return
        self.assertEqual(key.log_id, sha256(data).digest())
        self.assertRaises(SignatureError, key.verify_head, head(ec_key()))
