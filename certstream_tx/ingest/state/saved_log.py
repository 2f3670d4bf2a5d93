"""What is kept of one log between two runs, as values and as JSON."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from certstream_tx.ct.merkle import HASH_SIZE, MAX_SIZE, CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.state.gaps import Gap

MAX_HEADS = 8
"""Heads not reached yet that are kept; a log in sight of its head has one."""
MAX_REASON = 300
"""Characters of a gap's reason that are kept."""


MAX_TIME = 253_402_300_799.0
"""Seconds: the end of the year 9999, after which there are no dates. No gap has a later time."""


class StateError(ValueError):
    """The content of a state file that cannot be used; says why."""


class SavedRange(NamedTuple):
    """A compact Merkle range: the roots of the perfect subtrees of ``[start, size)``, in order."""

    start: int
    size: int
    nodes: tuple[bytes, ...]

    @classmethod
    def of(cls, compact: CompactRange) -> "SavedRange":
        """Those of a range now."""
        return cls(compact.start, compact.size, tuple(compact.nodes))

    def range(self) -> CompactRange:
        """A range to go on with."""
        return CompactRange(self.size, self.nodes, self.start)


@dataclass(frozen=True, slots=True)
class SavedGap:
    """Entries that are missing; the fields are those of ``Gap``.

    due: only for who reads the file; a server that starts tries every gap at once
    """

    start: int
    end: int
    since: float
    reason: str
    tries: int
    before: SavedRange
    after: SavedRange | None = None
    due: float = 0.0

    @classmethod
    def of(cls, gap: Gap) -> "SavedGap":
        """A gap now."""
        after = None if gap.after is None else SavedRange.of(gap.after)
        return cls(
            gap.start,
            gap.end,
            gap.since,
            gap.reason[:MAX_REASON],
            gap.tries,
            SavedRange.of(gap.before),
            after,
            gap.due,
        )

    def gap(self) -> Gap:
        """A gap to be filled; what was read before it was fine as far as anybody knew."""
        after = None if self.after is None else self.after.range()
        base = None if self.before.start else self.before.range()
        return Gap(
            self.start,
            self.end,
            self.since,
            self.reason,
            self.tries,
            self.before.range(),
            after,
            base,
        )


@dataclass(frozen=True, slots=True)
class SavedPosition:
    """Where a log is to be read on.

    position: the next index to read; every entry before it was handed on, or stands in ``gaps``
    nodes: the compact Merkle range of all entries before ``position``; None while unverified
    verified_size: largest tree size whose root was recomputed and matched a signed head
    part: while ``nodes`` is not known, the range of the entries read last
    verified_head: the newest head whose root was recomputed
    heads: signed heads that are not reached yet
    """

    name: str
    url: str
    position: int
    nodes: tuple[bytes, ...] | None = None
    verified_size: int = 0
    part: SavedRange | None = None
    verified_head: SignedHead | None = None
    heads: tuple[SignedHead, ...] = ()
    gaps: tuple[SavedGap, ...] = ()

    def range(self) -> CompactRange:
        """The range to read on with; one that begins at the position where nothing is known."""
        if self.nodes is not None:
            return CompactRange(self.position, self.nodes)
        return CompactRange.beginning_at(self.position) if self.part is None else self.part.range()


def write_log(saved: SavedPosition) -> dict[str, object]:
    """The JSON object of one log; what is not known is left out, ``nodes`` excepted."""
    document: dict[str, object] = {
        "name": saved.name,
        "url": saved.url,
        "position": saved.position,
        "verified_size": saved.verified_size,
        "nodes": None if saved.nodes is None else _base64(saved.nodes),
    }
    if saved.part is not None:
        document["part"] = _write_range(saved.part)
    if saved.verified_head is not None:
        document["verified_head"] = _write_head(saved.verified_head)
    if saved.heads:
        document["heads"] = [_write_head(head) for head in saved.heads]
    if saved.gaps:
        document["gaps"] = [_write_gap(gap) for gap in saved.gaps]
    return document


def read_log(key: str, log: Any) -> SavedPosition:
    """Read the object of the log with this state key. What is not known to this version is left
    out. Raises StateError."""
    if not isinstance(log, dict):
        raise StateError(f"log {key}: no object")
    name, url = log.get("name"), log.get("url")
    position = index(log.get("position"))
    verified_size = index(log.get("verified_size", 0))
    if not isinstance(name, str) or not isinstance(url, str):
        raise StateError(f"log {key}: no name or no url")
    if position is None or verified_size is None:
        raise StateError(f"log {key} ({name}): no position, or one that cannot be")
    try:
        nodes = None if log.get("nodes") is None else _hashes(log["nodes"])
        if nodes is not None:
            SavedRange(0, position, nodes).range()
        part = _read_range(log["part"]) if log.get("part") is not None else None
        if part is not None and part.size != position:
            raise StateError("a part that does not end at the position")
        head = log.get("verified_head")
        return SavedPosition(
            name,
            url,
            position,
            nodes,
            verified_size,
            part,
            None if head is None else _read_head(head),
            tuple(_read_head(head) for head in _list(log.get("heads"))[:MAX_HEADS]),
            _read_gaps(log.get("gaps"), position),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise StateError(f"log {key} ({name}): {error}") from None


def index(value: Any) -> int | None:
    """A tree size or index; None for anything else (JSON's true is an int to Python)."""
    return value if type(value) is int and 0 <= value <= MAX_SIZE else None


def _write_range(saved: SavedRange) -> dict[str, object]:
    return {"start": saved.start, "size": saved.size, "nodes": _base64(saved.nodes)}


def _read_range(value: Any) -> SavedRange:
    saved = SavedRange(_index(value["start"]), _index(value["size"]), _hashes(value["nodes"]))
    saved.range()
    return saved


def _write_head(head: SignedHead) -> dict[str, object]:
    """By the names of RFC 6962 4.3."""
    root, signature = _base64((head.root, head.signature))
    return {
        "tree_size": head.size,
        "timestamp": head.timestamp,
        "sha256_root_hash": root,
        "tree_head_signature": signature,
    }


def _read_head(value: Any) -> SignedHead:
    (root,) = _hashes([value["sha256_root_hash"]])
    signature = b64decode(value["tree_head_signature"], validate=True)
    return SignedHead(_index(value["tree_size"]), _index(value["timestamp"]), root, signature)


def _write_gap(gap: SavedGap) -> dict[str, object]:
    return {
        "start": gap.start,
        "end": gap.end,
        "since": gap.since,
        "reason": gap.reason,
        "tries": gap.tries,
        "due": gap.due,
        "before": _write_range(gap.before),
        "after": None if gap.after is None else _write_range(gap.after),
    }


def _read_gaps(value: Any, position: int) -> tuple[SavedGap, ...]:
    """In order, none overlapping, all before the position; a closed one may wait among them."""
    gaps = tuple(_read_gap(gap) for gap in _list(value))
    ends = (0, *(gap.end for gap in gaps))
    starts = (*(gap.start for gap in gaps), position)
    if any(end > start for end, start in zip(ends, starts, strict=True)):
        raise StateError("gaps that overlap, or reach beyond the position")
    return gaps


def _read_gap(value: Any) -> SavedGap:
    start, end = _index(value["start"]), _index(value["end"])
    since, reason, tries = value.get("since", 0), value.get("reason", ""), value.get("tries", 0)
    due = value.get("due", 0.0)
    times = type(since) in (int, float) and type(due) in (int, float)
    if not times or not isinstance(reason, str) or index(tries) is None:
        raise StateError("a gap without a time, a reason or a number of tries")
    before, after = value.get("before"), value.get("after")
    known = SavedRange(start, start, ()) if before is None else _read_range(before)
    proven = None if after is None else _read_range(after)
    if start > end or known.size != start or (proven is not None and proven.size != end):
        raise StateError(f"a gap from {start} to {end} that does not fit what lies around it")
    since, due = _time(since), _time(due)
    return SavedGap(start, end, since, reason[:MAX_REASON], tries, known, proven, due)


def _time(seconds: float) -> float:
    """The time, or 0 for one that cannot be: it is only told, and not worth a position."""
    return seconds if 0 <= seconds <= MAX_TIME else 0.0


def _base64(values: Iterable[bytes]) -> list[str]:
    return [b64encode(value).decode() for value in values]


def _hashes(values: Any) -> tuple[bytes, ...]:
    try:
        hashes = tuple(b64decode(value, validate=True) for value in values)
    except (TypeError, Base64Error, ValueError):
        hashes = (b"",)
    if any(len(value) != HASH_SIZE for value in hashes):
        raise StateError("nodes that are no hashes")
    return hashes


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise StateError("no list where one belongs")
    return value


def _index(value: Any) -> int:
    found = index(value)
    if found is None:
        raise StateError(f"{str(value)[:40]!r} where a number of entries belongs")
    return found
