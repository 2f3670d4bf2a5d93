"""Signed tree heads and the keys of logs (RFC 6962 2.1.4, 3.5; RFC 5246 4.7)."""

from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certstream_tx.ct.merkle import HASH_SIZE

# RFC 6962 2.1.4 asks for 2048 bits at least; verifying with far larger keys takes long.
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192

_UINT64_MAX: Final = 2**64 - 1
_HEAD: Final = Struct(">BBQQ32s")
_V1: Final = 0
_TREE_HASH: Final = 1  # SignatureType, RFC 6962 3.2
_SHA256: Final = 4  # HashAlgorithm and SignatureAlgorithm, RFC 5246 7.4.1.4.1
_RSA: Final = 1
_ECDSA: Final = 3


class SignatureError(ValueError):
    """A key that cannot be used, or a signature that does not prove what it should."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head as a log signed it: an STH or a checkpoint.

    size: number of entries
    timestamp: milliseconds since the epoch
    root: the root hash of the tree
    signature: the DigitallySigned structure
    """

    size: int
    timestamp: int
    root: bytes
    signature: bytes


class LogKey:
    """The public key of a log: ECDSA on P-256, or RSA (RFC 6962 2.1.4).

    ``spki_der`` is the DER SubjectPublicKeyInfo. Raises SignatureError when it cannot be used.
    """

    __slots__ = ("_key", "log_id")

    def __init__(self, spki_der: bytes) -> None:
        self.log_id = sha256(spki_der).digest()
        try:
            key = load_der_public_key(spki_der)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SignatureError("the key of a log cannot be loaded") from error
        if isinstance(key, ec.EllipticCurvePublicKey):
            if not isinstance(key.curve, ec.SECP256R1):
                raise SignatureError(f"the key of a log is on the curve {key.curve.name}")
        elif isinstance(key, rsa.RSAPublicKey):
            if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
                raise SignatureError(f"the key of a log is RSA of {key.key_size} bits")
        else:
            raise SignatureError("the key of a log is neither ECDSA nor RSA")
        self._key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = key

    def verify_head(self, head: SignedHead) -> None:
        """Check that this log signed ``head``. Raises SignatureError."""
        self.verify(head_input(head.size, head.timestamp, head.root), head.signature)

    def verify(self, data: bytes, signed: bytes) -> None:
        """Check the DigitallySigned structure ``signed`` over ``data``. Raises SignatureError."""
        algorithm, signature = read_digitally_signed(signed)
        key = self._key
        try:
            if isinstance(key, rsa.RSAPublicKey):
                if algorithm != _RSA:
                    raise SignatureError("the signature is not RSA, but the key is")
                key.verify(signature, data, padding.PKCS1v15(), SHA256())
            else:
                if algorithm != _ECDSA:
                    raise SignatureError("the signature is not ECDSA, but the key is")
                key.verify(signature, data, ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise SignatureError("the signature is not by this key") from None


def head_input(size: int, timestamp: int, root: bytes) -> bytes:
    """The 50 bytes that a log signs for a tree head (RFC 6962 3.5). Raises SignatureError."""
    if not 0 <= size <= _UINT64_MAX or not 0 <= timestamp <= _UINT64_MAX or len(root) != HASH_SIZE:
        raise SignatureError("a tree head has a size, a time or a root that cannot be")
    return _HEAD.pack(_V1, _TREE_HASH, timestamp, size, root)


def read_digitally_signed(data: bytes) -> tuple[int, bytes]:
    """The signature algorithm (1 RSA, 3 ECDSA) and the signature proper.

    Raises SignatureError for any hash but SHA-256 and for bytes that follow.
    """
    if len(data) < 4 or int.from_bytes(data[2:4], "big") != len(data) - 4:
        raise SignatureError("a signature is cut short, or bytes follow it")
    if data[0] != _SHA256 or data[1] not in (_RSA, _ECDSA):
        raise SignatureError(f"a signature has the algorithms {data[0]} and {data[1]}")
    return data[1], data[4:]


def digitally_signed(
    private_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, data: bytes
) -> bytes:
    """A DigitallySigned structure over ``data`` (SHA-256)."""
    if isinstance(private_key, rsa.RSAPrivateKey):
        algorithm = _RSA
        signature = private_key.sign(data, padding.PKCS1v15(), SHA256())
    else:
        algorithm = _ECDSA
        signature = private_key.sign(data, ec.ECDSA(SHA256()))
    return bytes((_SHA256, algorithm)) + len(signature).to_bytes(2, "big") + signature
