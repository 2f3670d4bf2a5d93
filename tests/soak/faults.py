"""What a log may do wrong over HTTP, each as a function of the path that is asked for.

A fault is made for one log (``made(log)``) and then asked for each request: None lets the log
answer. ``FAULTS`` names all of them.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from certstream_tx.ct.checkpoint import head_signature, write_checkpoint
from certstream_tx.ct.signatures import SignedHead, digitally_signed, head_input
from certstream_tx.ct.structs import read_leaf
from certstream_tx.demo.log import ORIGIN
from tests.ingest.faults import GZIP, Answer, Cut, Fault, Stall, any_fault, damaged_head

OUTAGE: Final = (12.0, 22.0)
"""seconds of a log's age between which one that has outages has one"""
LATER: Final = 14.0
"""seconds of age from which a log contradicts itself, if it does"""
CHANGED: Final = 450
"""index of the entry that is changed"""


Made = Callable[[Any], Callable[[str], Fault]]


def is_head(path: str) -> bool:
    return path in ("ct/v1/get-sth", "checkpoint")


def is_entries(path: str) -> bool:
    return path.startswith(("ct/v1/get-entries", "tile/data/"))


def sometimes(share: float, fault: Callable[[Any, str], Fault], only: Any = None) -> Made:
    """This share of the answers (of those for which ``only`` holds)."""

    def made(log: Any) -> Callable[[str], Fault]:
        def at(path: str) -> Fault:
            if (only is not None and not only(path)) or log.rng.random() >= share:
                return None
            return fault(log, path)

        return at

    return made


def none(log: Any) -> Callable[[str], Fault]:
    """No fault."""
    return lambda path: None


def storm(headers: dict[bytes, bytes]) -> Made:
    """Two seconds of 429 in every eight."""

    def made(log: Any) -> Callable[[str], Fault]:
        return lambda path: Answer(429, b"slow down", headers) if log.age % 8 < 2 else None

    return made


def down(log: Any) -> Callable[[str], Fault]:
    """Nothing but 502 for a while."""
    return lambda path: Answer(502) if OUTAGE[0] <= log.age < OUTAGE[1] else None


def vanishing(log: Any) -> Callable[[str], Fault]:
    """Data tiles that are there, then not for eight seconds, then again: every third."""
    since: dict[str, float] = {}

    def at(path: str) -> Fault:
        if not path.startswith("tile/data/") or int(path[10:13]) % 3:
            return None
        begun = since.setdefault(path[10:13], log.age)
        return Answer(404) if log.age < begun + 8 else None

    return at


def lost(log: Any) -> Callable[[str], Fault]:
    """A tile, or an entry, that never comes."""

    def at(path: str) -> Fault:
        if path.startswith("tile/data/002"):
            return Answer(404)
        if path.startswith("ct/v1/get-entries"):
            query = parse_qs(urlsplit(path).query)
            if int(query["start"][0]) <= CHANGED <= int(query["end"][0]):
                return Answer(400, b"bad entry")
        return None

    return at


def replaced(log: Any) -> Callable[[str], Fault]:
    """Partial tiles are gone as soon as there is the full one."""

    def at(path: str) -> Fault:
        if ".p/" not in path:
            return None
        _, level, n = path.split(".p/")[0].split("/")
        height = 1 if level == "data" else int(level) + 1
        return Answer(404) if (int(n) + 1) * 256**height <= log.log.tree.size else None

    return at


def ages(log: Any) -> Callable[[str], Fault]:
    """Replicas of different ages answer in turn."""
    heads: list[tuple[float, bytes]] = []

    def at(path: str) -> Fault:
        if not is_head(path):
            return None
        heads.append((log.age, log.honest(path)))
        del heads[: max(0, len(heads) - 30)]
        return Answer(200, log.rng.choice(heads)[1])

    return at


def bad_signature(log: Any, path: str) -> Fault:
    """A head whose size is not the one that was signed."""
    return Answer(200, damaged_head(path, log.honest(path)))


def signed(log: Any, size: int, root: bytes) -> bytes:
    """A head that the log's key signs."""
    timestamp = int(log.clock.seconds() * 1000)
    signature = digitally_signed(log.log._private_key, head_input(size, timestamp, root))
    if log.kind == "tiled":
        head = SignedHead(size, timestamp, root, signature)
        line = head_signature(ORIGIN, log.log.log_id, head)
        return write_checkpoint(ORIGIN, size, root, (line,))
    return json.dumps(
        {
            "tree_size": size,
            "timestamp": timestamp,
            "sha256_root_hash": b64encode(root).decode(),
            "tree_head_signature": b64encode(signature).decode(),
        }
    ).encode()


def fork(log: Any) -> Callable[[str], Fault]:
    """For a second it signs trees that it does not have."""

    def at(path: str) -> Fault:
        if is_head(path) and LATER <= log.age < LATER + 1:
            return Answer(200, signed(log, log.log.tree.size, b"x" * 32))
        return None

    return at


def rollback(log: Any) -> Callable[[str], Fault]:
    """For some seconds it signs a tree that is smaller than before."""
    tree = log.log.tree

    def at(path: str) -> Fault:
        if is_head(path) and LATER <= log.age < LATER + 4:
            return Answer(200, signed(log, tree.size - 100, tree.root(tree.size - 100)))
        return None

    return at


def changing(change: Callable[[Any, int, dict[str, Any]], None]) -> Made:
    """One entry of its page is another one."""

    def made(log: Any) -> Callable[[str], Fault]:
        def at(path: str) -> Fault:
            if not path.startswith("ct/v1/get-entries"):
                return None
            page = json.loads(log.honest(path) or b'{"entries":[]}')
            place = CHANGED - int(parse_qs(urlsplit(path).query)["start"][0])
            if not 0 <= place < len(page["entries"]):
                return None
            change(log, CHANGED, page["entries"][place])
            return Answer(200, json.dumps(page).encode())

        return at

    return made


def changed_leaf(log: Any, index: int, entry: dict[str, Any]) -> None:
    """A bit of the certificate."""
    leaf = bytearray(b64decode(entry["leaf_input"]))
    leaf[300] ^= 1
    entry["leaf_input"] = b64encode(leaf).decode()


def changed_chain(log: Any, index: int, entry: dict[str, Any]) -> None:
    """The chain (and the precertificate, if it is one) of another entry, which no tree covers."""
    entries = log.log.entries
    own = read_leaf(entries.leaf_input(index))
    other = next(
        each
        for each in range(index + 1, index + 200)
        if (leaf := read_leaf(entries.leaf_input(each))).entry_type == own.entry_type
        and entries.extra_data(each)[-500:] != entries.extra_data(index)[-500:]
        and leaf.issuer_key_hash != (own.issuer_key_hash or b"")
    )
    entry["extra_data"] = b64encode(entries.extra_data(other)).decode()


def changed_tile(log: Any) -> Callable[[str], Fault]:
    """A bit of a certificate in a tile."""

    def at(path: str) -> Fault:
        body = bytearray(log.honest(path))
        if not path.startswith("tile/data/001") or len(body) < 1000:
            return None
        body[200] ^= 1
        return Answer(200, bytes(body))

    return at


def malformed(place: int, value: int) -> Made:
    """The log has entries whose byte at ``place`` behind the time is another one, every seventh:
    the type at 1, the begin of a final certificate, or the key of a precertificate's issuer, at 5.
    """

    def made(log: Any) -> Callable[[str], Fault]:
        entries = log.log.entries
        for number, pattern in enumerate(entries._patterns):
            if number % 7 == 0:
                first, second, third = pattern.leaf
                spoilt = bytearray(second)
                spoilt[place] = value
                leaf = (first, bytes(spoilt), third)
                entries._patterns[number] = pattern._replace(leaf=leaf)

        def page(start: int, end: int) -> bytes:
            said = [
                {
                    "leaf_input": b64encode(entries.leaf_input(index)).decode(),
                    "extra_data": b64encode(entries.extra_data(index)).decode(),
                }
                for index in range(start, end)
            ]
            return json.dumps({"entries": said}).encode()

        entries.page = page
        return lambda path: None

    return made


def page_of(change: Callable[[list[Any]], object]) -> Callable[[Any, str], Fault]:
    """The page that was asked for, changed."""

    def fault(log: Any, path: str) -> Fault:
        body = log.honest(path)
        if not body or "get-entries" not in path:
            return None
        page = json.loads(body)
        change(page["entries"])
        return Answer(200, json.dumps(page).encode())

    return fault


def spoil_base64(entries: list[Any]) -> None:
    entries[-1]["leaf_input"] = "*" + entries[-1]["leaf_input"][1:]


@cache
def bomb() -> bytes:
    """200 MB of nothing in 200 KB."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()


def everything(log: Any, path: str) -> Fault:
    """Any of the others, at random."""
    if is_head(path) and log.rng.random() < 0.3:
        return bad_signature(log, path)
    return any_fault(log.rng, log.honest(path), b"1")


SHAPES: Final = (b"{}", b"[]", b"null", b'{"entries":null}', b'{"entries":[{}]}', b"\xff", b"[" * 9)
_turn = count()


def a_shape() -> bytes:
    return SHAPES[next(_turn) % len(SHAPES)]


_NO_OPTIONS: dict[str, Any] = {}
FAULTS: dict[str, tuple[Made, dict[str, Any]]] = {
    "none": (none, _NO_OPTIONS),
    "throttled": (storm({}), _NO_OPTIONS),
    "throttled-for": (storm({b"Retry-After": b"1"}), _NO_OPTIONS),
    "server-errors": (sometimes(0.3, lambda log, path: Answer(503)), _NO_OPTIONS),
    "no-answer": (sometimes(0.05, lambda log, path: Stall()), _NO_OPTIONS),
    "stalls": (sometimes(0.05, lambda log, path: Stall(log.honest(path)[:100])), _NO_OPTIONS),
    "cut": (sometimes(0.2, lambda log, path: Cut(log.honest(path)[:200])), _NO_OPTIONS),
    "wrong-length": (sometimes(0.3, lambda log, path: Answer(200, log.honest(path)[:-3])), {}),
    "html": (sometimes(0.3, lambda log, path: Answer(200, b"<html>One moment</html>")), {}),
    "bombs": (sometimes(0.05, lambda log, path: Answer(200, bomb(), GZIP)), _NO_OPTIONS),
    "ages": (ages, _NO_OPTIONS),
    "bad-signature": (sometimes(0.5, bad_signature, is_head), _NO_OPTIONS),
    "down": (down, _NO_OPTIONS),
    "refused": (none, _NO_OPTIONS),
    "fork": (fork, _NO_OPTIONS),
    "rollback": (rollback, _NO_OPTIONS),
    "lost": (lost, _NO_OPTIONS),
    "malformed": (malformed(5, 0x31), _NO_OPTIONS),
    "all": (sometimes(0.25, everything), _NO_OPTIONS),
    # RFC 6962
    "short-pages": (none, {"max_entries": 17, "align": False}),
    "aligned-pages": (none, {"max_entries": 32, "align": True}),
    "bad-json": (sometimes(0.3, lambda log, path: Answer(200, a_shape())), _NO_OPTIONS),
    "bad-base64": (sometimes(0.3, page_of(spoil_base64), is_entries), _NO_OPTIONS),
    "extra-entries": (sometimes(0.3, page_of(lambda page: page.extend(page)), is_entries), {}),
    "zero-entries": (sometimes(0.3, page_of(lambda page: page.clear()), is_entries), {}),
    "changed-entry": (changing(changed_leaf), _NO_OPTIONS),
    "changed-chain": (changing(changed_chain), _NO_OPTIONS),
    "unknown-types": (malformed(1, 9), _NO_OPTIONS),
    # static-ct-api
    "vanishing-tiles": (vanishing, _NO_OPTIONS),
    "replaced-tiles": (replaced, _NO_OPTIONS),
    "changed-tile": (changed_tile, _NO_OPTIONS),
}
"""Name to what it does, and how the log's pages are cut (RFC 6962)."""
RFC6962_ONLY: Final = (
    "short-pages",
    "aligned-pages",
    "bad-json",
    "bad-base64",
    "extra-entries",
    "zero-entries",
    "changed-entry",
    "changed-chain",
    "unknown-types",
)
TILED_ONLY: Final = ("vanishing-tiles", "replaced-tiles", "changed-tile")
