"""Real data and generators that the tests of ``ct`` share."""

import json
from base64 import b64decode
from hashlib import sha256
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st

from certstream_tx.ct.structs import PRECERT_ENTRY, X509_ENTRY, TimestampedEntry
from tests.checkout import FIXTURES

# Short enough that each property stays well below two seconds.
PROPERTY = settings(max_examples=150, deadline=None)
FEW = settings(max_examples=40, deadline=None)


class PageEntry(NamedTuple):
    """One record of a get-entries page and its place in the log."""

    position: int
    leaf_input: bytes
    extra_data: bytes


def fixture(path: str) -> bytes:
    """The bytes of a fixture."""
    return (FIXTURES / path).read_bytes()


def fixture_json(path: str) -> Any:
    """A fixture that is JSON."""
    return json.loads(fixture(path))


def decoded(vector: dict[str, Any], key: str) -> bytes:
    """One hash of a vector; null stands for none."""
    return b64decode(vector[key] or "")


def decoded_path(vector: dict[str, Any]) -> list[bytes]:
    """The proof of a vector; null stands for an empty one."""
    return [b64decode(node or "") for node in vector["proof"] or []]


def page_entries() -> list[PageEntry]:
    """The 40 real entries: 26 certificates, 14 precertificates."""
    return [
        PageEntry(
            record["cert_index"], b64decode(record["leaf_input"]), b64decode(record["extra_data"])
        )
        for record in fixture_json("live_entries.json")
    ]


def page_entry(index: int) -> PageEntry:
    """The real entry with this index in its log."""
    (found,) = [entry for entry in page_entries() if entry.position == index]
    return found


def naive_root(leaves: list[bytes]) -> bytes:
    """The root over leaf hashes by the recursive definition of RFC 6962 2.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The inclusion path by the recursive definition of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*naive_path(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_path(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_consistency(first: int, leaves: list[bytes], complete: bool = True) -> list[bytes]:
    """The consistency path by the recursive definition of RFC 6962 2.1.2."""
    if first == len(leaves):
        return [] if complete else [naive_root(leaves)]
    split = split_of(len(leaves))
    if first <= split:
        path = naive_consistency(first, leaves[:split], complete)
        return [*path, naive_root(leaves[split:])]
    path = naive_consistency(first - split, leaves[split:], False)
    return [*path, naive_root(leaves[:split])]


def split_of(count: int) -> int:
    """The largest power of two below ``count``."""
    return int(1 << ((count - 1).bit_length() - 1))


def leaves_of(count: int) -> list[bytes]:
    """Leaf hashes of which no two are equal."""
    return [sha256(number.to_bytes(4, "big")).digest() for number in range(count)]


def hashes() -> st.SearchStrategy[bytes]:
    """Any 32 bytes."""
    return st.binary(min_size=32, max_size=32)


def timestamps() -> st.SearchStrategy[int]:
    """Any uint64."""
    return st.integers(0, 2**64 - 1)


def certificates() -> st.SearchStrategy[bytes]:
    """Bytes where a certificate stands: its DER is nobody's business here."""
    return st.binary(min_size=1, max_size=40)


def timestamped_entries(
    extensions: st.SearchStrategy[bytes] | None = None,
) -> st.SearchStrategy[TimestampedEntry]:
    """Entries of both types."""
    extension_bytes = st.binary(max_size=12) if extensions is None else extensions
    return st.one_of(
        st.builds(
            TimestampedEntry,
            timestamps(),
            st.just(X509_ENTRY),
            st.none(),
            certificates(),
            extension_bytes,
        ),
        st.builds(
            TimestampedEntry,
            timestamps(),
            st.just(PRECERT_ENTRY),
            hashes(),
            certificates(),
            extension_bytes,
        ),
    )


@st.composite
def damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """``original`` with a few bytes changed, taken out or put in."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        where = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(("change", "remove", "insert", "cut")))
        if how == "change" and data:
            data[where] = draw(st.integers(0, 255))
        elif how == "remove":
            del data[where : where + draw(st.integers(1, 8))]
        elif how == "insert":
            data[where:where] = draw(st.binary(min_size=1, max_size=8))
        elif how == "cut":
            del data[where:]
    return bytes(data)
