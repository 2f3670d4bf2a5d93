"""The JSON answers of an RFC 6962 log, decoded straight into bytes."""

from typing import Annotated, Final, TypeVar

import msgspec

from certstream_tx.ct.merkle import HASH_SIZE
from certstream_tx.ingest.http.errors import BadBody

MAX_PATH: Final = 64
"""Hashes of an inclusion path: one for each bit of a tree size."""

_Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Hash = Annotated[bytes, msgspec.Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
_Path = Annotated[list[_Hash], msgspec.Meta(max_length=MAX_PATH)]


class Head(msgspec.Struct):
    """get-sth, RFC 6962 4.3."""

    tree_size: _Size
    timestamp: _Size
    sha256_root_hash: _Hash
    tree_head_signature: bytes


class Leaf(msgspec.Struct, gc=False):
    """One entry of a page."""

    leaf_input: bytes
    extra_data: bytes = b""


class Page(msgspec.Struct, gc=False):
    """get-entries, RFC 6962 4.6."""

    entries: list[Leaf]


class EntryAndProof(msgspec.Struct):
    """get-entry-and-proof, RFC 6962 4.8."""

    leaf_input: bytes
    audit_path: _Path | None


class Proof(msgspec.Struct):
    """get-proof-by-hash, RFC 6962 4.5."""

    leaf_index: _Size
    audit_path: _Path | None


HEAD: Final = msgspec.json.Decoder(Head)
PAGE: Final = msgspec.json.Decoder(Page)
ENTRY_AND_PROOF: Final = msgspec.json.Decoder(EntryAndProof)
PROOF: Final = msgspec.json.Decoder(Proof)

T = TypeVar("T")


def read_answer(decoder: "msgspec.json.Decoder[T]", body: bytes, call: str) -> T:
    """Decode a JSON answer; BadBody when it is not what it should be."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if body[:64].lstrip()[:1] == b"<":
            raise BadBody(f"{call} gave a page for people") from None
        raise BadBody(f"{call}: {error}") from None
