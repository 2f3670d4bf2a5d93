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
    """One entry of a page. No extra_data may be written as null (nil, in Go)."""

    leaf_input: bytes
    extra_data: bytes | None = None


class Page(msgspec.Struct, gc=False):
    """get-entries, RFC 6962 4.6."""

    entries: list[Leaf]


class _AnyPage(msgspec.Struct, gc=False):
    entries: list[msgspec.Raw]


class _LeafAlone(msgspec.Struct, gc=False):
    """What the tree covers of an entry."""

    leaf_input: bytes


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
_ANY_PAGE: Final = msgspec.json.Decoder(_AnyPage)
_LEAF: Final = msgspec.json.Decoder(Leaf)
_LEAF_ALONE: Final = msgspec.json.Decoder(_LeafAlone)

COMMAS_OF_AN_ENTRY: Final = 8
"""There are two: of a page with many more the entries are not read one by one, lest each of its
bytes becomes one."""

_NOT_DECODED: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""what msgspec raises of an answer that is not what it should be"""

T = TypeVar("T")


def read_answer(decoder: "msgspec.json.Decoder[T]", body: bytes, call: str) -> T:
    """Decode a JSON answer; BadBody when it is not what it should be."""
    try:
        return decoder.decode(body)
    except _NOT_DECODED as error:
        if body[:64].lstrip()[:1] == b"<":
            raise BadBody(f"{call} gave a page for people") from None
        raise BadBody(f"{call}: {error}") from None


def read_page(body: bytes, most: int) -> tuple[list[Leaf], int]:
    """Decode a get-entries page on which up to ``most`` entries belong.

    Gives its leaves up to the first that is none, at least one, and how many entries it has. Of an
    entry whose extra_data alone cannot be decoded the leaf counts. Raises BadBody.
    """
    try:
        leaves = PAGE.decode(body).entries
    except _NOT_DECODED:
        return _read_one_by_one(body, most)
    return leaves, len(leaves)


def _read_one_by_one(body: bytes, most: int) -> tuple[list[Leaf], int]:
    """A page that cannot be decoded in one go: twice the time, but no other entry suffers."""
    if body.count(b",") > COMMAS_OF_AN_ENTRY * most:
        read_answer(PAGE, body, "get-entries")
    raws = read_answer(_ANY_PAGE, body, "get-entries").entries
    leaves: list[Leaf] = []
    for raw in raws[:most]:
        try:
            leaves.append(_LEAF.decode(raw))
        except _NOT_DECODED:
            try:
                leaves.append(Leaf(_LEAF_ALONE.decode(raw).leaf_input))
            except _NOT_DECODED:
                break
    if not leaves:
        read_answer(PAGE, body, "get-entries")
    return leaves, len(raws)
