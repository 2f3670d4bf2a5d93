"""Checkpoints of static-ct-api logs: signed notes that hold a tree head.

A checkpoint is as good as an STH: the line of the log's own key signs the same 50 bytes.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from certstream_tx.ct.merkle import HASH_SIZE
from certstream_tx.ct.signatures import (
    LogKey,
    SignatureError,
    SignedHead,
    read_digitally_signed,
)

# A checkpoint has about 250 bytes; witnesses' cosignatures may add some kilobytes each.
MAX_CHECKPOINT_BYTES: Final = 65536
# The Go implementation of signed notes draws the same line.
MAX_SIGNATURES: Final = 100

_UINT64_MAX: Final = 2**64 - 1
_DASH: Final = "\u2014 "
_TREE_HEAD_KEY: Final = b"\n\x05"  # signature type of RFC 6962 tree heads in signed notes
_KEY_ID_SIZE: Final = 4
_TIMESTAMP_SIZE: Final = 8
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_NAME: Final = re.compile(r"[^\s+]+")


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that the log did not sign."""


class NoteSignature(NamedTuple):
    """One signature line: the key's name, the first 4 bytes of its id, and the signature."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The text of a checkpoint and all its signature lines, none of them verified.

    origin: the log's submission prefix without scheme and trailing slash
    size: number of entries
    root: the root hash of the tree
    """

    origin: str
    size: int
    root: bytes
    signatures: tuple[NoteSignature, ...]


def read_checkpoint(body: bytes) -> Checkpoint:
    """Read a checkpoint: three lines, a blank line, signature lines. Raises CheckpointError.

    Strict, as static-ct-api asks: no extension lines, one way to write a number or a hash.
    """
    if len(body) > MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"a checkpoint has {len(body)} bytes")
    try:
        note = body.decode("utf-8")
    except UnicodeDecodeError:
        raise CheckpointError("a checkpoint is not UTF-8") from None
    if _CONTROL.search(note):
        raise CheckpointError("a checkpoint has control characters")
    text, blank, signed = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) != 3:
        raise CheckpointError("a checkpoint has not three lines, a blank line and signatures")
    origin, size, root = lines
    if not _KEY_NAME.fullmatch(origin):
        raise CheckpointError("a checkpoint has no proper origin")
    if not _DECIMAL.fullmatch(size) or int(size) > _UINT64_MAX:
        raise CheckpointError("the size in a checkpoint is not a number as it should be written")
    root_hash = _base64(root)
    if len(root_hash) != HASH_SIZE:
        raise CheckpointError(f"the root in a checkpoint has {len(root_hash)} bytes")
    *signature_lines, rest = signed.split("\n")
    if rest or not 0 < len(signature_lines) <= MAX_SIGNATURES:
        raise CheckpointError("the signatures of a checkpoint are missing, cut short or too many")
    return Checkpoint(origin, int(size), root_hash, tuple(map(_signature, signature_lines)))


def write_checkpoint(
    origin: str, size: int, root: bytes, signatures: Iterable[tuple[str, bytes, bytes]]
) -> bytes:
    """The bytes of a checkpoint; each signature is (name, 4-byte key id, signature)."""
    text = f"{origin}\n{size}\n{b64encode(root).decode()}\n\n"
    lines = [
        f"{_DASH}{name} {b64encode(key_id + signature).decode()}\n"
        for name, key_id, signature in signatures
    ]
    return (text + "".join(lines)).encode()


def key_id(origin: str, log_id: bytes) -> bytes:
    """The 4 bytes that mark the tree head signature of a log in its checkpoints."""
    return sha256(origin.encode() + _TREE_HEAD_KEY + log_id).digest()[:_KEY_ID_SIZE]


def head_signature(origin: str, log_id: bytes, head: SignedHead) -> NoteSignature:
    """The signature line that carries ``head``, for ``write_checkpoint``."""
    signature = head.timestamp.to_bytes(_TIMESTAMP_SIZE, "big") + head.signature
    return NoteSignature(origin, key_id(origin, log_id), signature)


def signed_head(
    checkpoint: Checkpoint, origin: str | None = None, log_key: LogKey | None = None
) -> SignedHead:
    """The tree head of a checkpoint, verified when the log's key is given.

    The key identifies the log; ``origin``, when given, must be the checkpoint's own. Lines of other
    keys are ignored, whatever their name. Without a key the first line that has the log's name and
    the form of a tree head signature is taken, unverified. Raises CheckpointError.
    """
    if origin is not None and origin != checkpoint.origin:
        raise CheckpointError(f"the checkpoint is of {checkpoint.origin!r}, not of {origin!r}")
    wanted = None if log_key is None else key_id(checkpoint.origin, log_key.log_id)
    for line in checkpoint.signatures:
        if line.name != checkpoint.origin or wanted not in (None, line.key_id):
            continue
        head = SignedHead(
            checkpoint.size,
            int.from_bytes(line.signature[:_TIMESTAMP_SIZE], "big"),
            checkpoint.root,
            line.signature[_TIMESTAMP_SIZE:],
        )
        try:
            if log_key is None:
                read_digitally_signed(head.signature)
            else:
                log_key.verify_head(head)
        except SignatureError as error:
            if log_key is None:
                continue
            raise CheckpointError(f"a checkpoint of {checkpoint.origin!r}: {error}") from error
        return head
    raise CheckpointError(f"a checkpoint of {checkpoint.origin!r} has no signature of the log")


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _KEY_NAME.fullmatch(name):
        raise CheckpointError("a signature line of a checkpoint is malformed")
    blob = _base64(encoded)
    if len(blob) <= _KEY_ID_SIZE:
        raise CheckpointError("a signature of a checkpoint is cut short")
    return NoteSignature(name, blob[:_KEY_ID_SIZE], blob[_KEY_ID_SIZE:])


def _base64(text: str) -> bytes:
    """Standard base64 in its one canonical form. Raises CheckpointError."""
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise CheckpointError("base64 in a checkpoint is malformed") from None
    if b64encode(data).decode() != text:
        raise CheckpointError("base64 in a checkpoint is not canonical")
    return data
