"""Endless log entries: the packaged real ones, each time with a serial number never used before.

Nothing of an entry is kept. Its place in the log decides which sample it repeats, its serial number
and its time, so it is written anew whenever it is asked for, always the same. The certificates'
own signatures no longer fit their changed serial numbers; the log's signatures do.
"""

from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple

from certstream_tx.ct.merkle import leaf_hash
from certstream_tx.ct.structs import (
    PRECERT_ENTRY,
    X509_ENTRY,
    TimestampedEntry,
    leaf_index_extension,
    write_extra_data,
    write_leaf,
)
from certstream_tx.ct.tiles import write_tile_leaf
from certstream_tx.demo.samples import SERIAL_TAIL, Sample, samples, serial_tail

SERIALS = 1 << 8 * SERIAL_TAIL
SCATTER = 0x5DEECE66D17B29
"""odd, so that multiplying by it (modulo ``SERIALS``) gives each number another one, scattered"""
TIMESTAMP = slice(2, 10)
"""bytes of a MerkleTreeLeaf that hold the time, the first of its TimestampedEntry (RFC 6962 3.4)"""
HEADER = 12
"""bytes of a MerkleTreeLeaf up to the entry type: a multiple of 3, so base64 can be cut there"""


class Pattern(NamedTuple):
    """One sample, cut where the time, the serial number and the leaf index go."""

    leaf: tuple[bytes, bytes, bytes]
    """MerkleTreeLeaf: [0] time [1] serial [2], then the leaf index in a static log"""
    extra_data: tuple[bytes, bytes]
    """[0] serial [1] of a precertificate; all in [0] of a final certificate"""
    tile: tuple[bytes, bytes]
    """what follows the TimestampedEntry in a data tile, cut as ``extra_data`` is"""
    json: tuple[bytes, ...]
    """the JSON object of get-entries, cut around base64 of the header and of each ``edges``"""
    edges: tuple[bytes, ...]
    """bytes around a serial that share a base64 group with it: before, after, for each of them"""
    precertificate: bool


class Entries:
    """The entries of one log.

    ``indexed``: with the leaf_index extension of static-ct-api. ``branch`` (0 or 1) keeps apart the
    serials of two logs of one ``seed``. ``times(start, end)`` gives timestamps in ms.
    """

    def __init__(
        self,
        seed: bytes,
        branch: int,
        times: Callable[[int, int], Iterator[int]],
        *,
        indexed: bool,
    ) -> None:
        self._times = times
        self._branch = branch
        self._indexed = indexed
        self._first_serial = int.from_bytes(sha256(b"serials" + seed).digest()[:SERIAL_TAIL], "big")
        chosen = samples()
        half = len(chosen) // 2 * branch  # the two logs are not to say the same at the same time
        self._patterns = [_pattern(s, indexed=indexed) for s in chosen[half:] + chosen[:half]]
        self.issuers = {sha256(der).hexdigest(): der for s in chosen for der in s.chain}
        """chain certificates in DER, by the hexadecimal SHA-256 of each"""
        self.roots = tuple(dict.fromkeys(sample.chain[-1] for sample in chosen))
        """the certificates that the chains end in"""

    def leaf_input(self, index: int) -> bytes:
        """The MerkleTreeLeaf of an entry."""
        return next(self._leaves(index, index + 1))

    def extra_data(self, index: int) -> bytes:
        """The chain of an entry, and its precertificate, as RFC 6962 4.6 has them."""
        pattern, tail = next(self._places(index, index + 1))
        head, rest = pattern.extra_data
        return head + tail + rest if pattern.precertificate else head

    def leaf_hashes(self, start: int, end: int) -> list[bytes]:
        """The Merkle tree's leaf hashes of entries [start, end)."""
        return [leaf_hash(leaf) for leaf in self._leaves(start, end)]

    def data_tile(self, start: int, end: int) -> bytes:
        """The TileLeaf structures of entries [start, end), as a data tile of static-ct-api."""
        parts: list[bytes] = []
        leaves = self._leaves(start, end)
        for leaf, (pattern, tail) in zip(leaves, self._places(start, end), strict=True):
            head, rest = pattern.tile
            after = (head, tail, rest) if pattern.precertificate else (head,)
            parts += (leaf[TIMESTAMP.start :], *after)
        return b"".join(parts)

    def page(self, start: int, end: int) -> bytes:
        """The JSON body of get-entries for entries [start, end).

        Some 2 us an entry: base64 of all that stays the same was written when the log was made.
        """
        parts = [b'{"entries":[']
        times = self._times(start, end)
        for (pattern, tail), time in zip(self._places(start, end), times, strict=True):
            json, edges = pattern.json, pattern.edges
            header = pattern.leaf[0] + time.to_bytes(8, "big") + pattern.leaf[1][:2]
            parts += (
                json[0],
                b2a_base64(header, newline=False),
                json[1],
                b2a_base64(edges[0] + tail + edges[1], newline=False),
                json[2],
            )
            if pattern.precertificate:
                parts.append(b2a_base64(edges[2] + tail + edges[3], newline=False))
                parts.append(json[3])
        parts[-1] = parts[-1][:-1]  # no comma after the last one
        parts.append(b"]}")
        return b"".join(parts)

    def _places(self, start: int, end: int) -> Iterator[tuple[Pattern, bytes]]:
        """Each entry's pattern and the end of its serial number."""
        patterns, count = self._patterns, len(self._patterns)
        for index in range(start, end):
            number = ((2 * index + self._branch) * SCATTER + self._first_serial) % SERIALS
            yield patterns[index % count], number.to_bytes(SERIAL_TAIL, "big")

    def _leaves(self, start: int, end: int) -> Iterator[bytes]:
        times = self._times(start, end)
        places = self._places(start, end)
        for index, ((pattern, tail), time) in enumerate(zip(places, times, strict=True), start):
            first, second, third = pattern.leaf
            leaf = first + time.to_bytes(8, "big") + second + tail + third
            yield leaf + index.to_bytes(5, "big") if self._indexed else leaf


def _pattern(sample: Sample, *, indexed: bool) -> Pattern:
    """Cut a sample where its entries differ."""
    precertificate = sample.is_precertificate
    extensions = leaf_index_extension(0) if indexed else b""
    entry = TimestampedEntry(
        0,
        PRECERT_ENTRY if precertificate else X509_ENTRY,
        sample.issuer_key_hash,
        sample.logged,
        extensions,
    )
    leaf = write_leaf(entry)
    submitted = sample.submitted if precertificate else None
    extra_data = write_extra_data(submitted, sample.chain)
    in_logged = serial_tail(sample.logged, tbs=precertificate)
    in_leaf = leaf.index(sample.logged, HEADER) + in_logged
    in_extra = 3 + serial_tail(sample.submitted)  # after the precertificate's length
    fingerprints = [sha256(der).digest() for der in sample.chain]
    after_leaf = write_tile_leaf(entry, submitted, fingerprints)[len(leaf) - TIMESTAMP.start :]
    if precertificate:
        tile = (after_leaf[:in_extra], after_leaf[in_extra + SERIAL_TAIL :])
        extra = (extra_data[:in_extra], extra_data[in_extra + SERIAL_TAIL :])
    else:
        tile, extra = (after_leaf, b""), (extra_data, b"")
    json, edges = _json(leaf, in_leaf, extra_data, in_extra if precertificate else None)
    return Pattern(
        (
            leaf[: TIMESTAMP.start],
            leaf[TIMESTAMP.stop : in_leaf],
            leaf[in_leaf + SERIAL_TAIL : -5 if indexed else None],
        ),
        extra,
        tile,
        json,
        edges,
        precertificate,
    )


def _json(
    leaf: bytes, in_leaf: int, extra_data: bytes, in_extra: int | None
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The JSON object of an entry in pieces, see ``Pattern``."""
    before, after = _around(in_leaf)
    parts = [b'{"leaf_input":"', b64encode(leaf[HEADER:before])]
    edges = [leaf[before:in_leaf], leaf[in_leaf + SERIAL_TAIL : after]]
    middle = b64encode(leaf[after:]) + b'","extra_data":"'
    if in_extra is None:
        parts.append(middle + b64encode(extra_data) + b'"},')
    else:
        before, after = _around(in_extra)
        parts.append(middle + b64encode(extra_data[:before]))
        edges += [extra_data[before:in_extra], extra_data[in_extra + SERIAL_TAIL : after]]
        parts.append(b64encode(extra_data[after:]) + b'"},')
    return tuple(parts), tuple(edges)


def _around(place: int) -> tuple[int, int]:
    """The whole base64 groups (3 bytes each) that a serial's tail at a place touches."""
    end = place + SERIAL_TAIL
    return place - place % 3, end + -end % 3
