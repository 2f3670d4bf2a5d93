"""Reading a log of RFC 6962: get-sth, get-entries and the proofs for a start in mid-tree."""

from base64 import b64encode
from typing import Final

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.entry import Entry, read_entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import (
    CompactRange,
    MerkleError,
    leaf_hash,
    range_before,
    root_from_inclusion,
)
from certstream_tx.ct.signatures import LogKey, SignatureError, SignedHead
from certstream_tx.ingest.clients.log_client import Served
from certstream_tx.ingest.clients.log_requests import MAX_HEAD, LogRequests
from certstream_tx.ingest.clients.page_size import PageSize
from certstream_tx.ingest.clients.rfc6962_answers import (
    ENTRY_AND_PROOF,
    HEAD,
    PROOF,
    Leaf,
    read_answer,
    read_page,
)
from certstream_tx.ingest.http.errors import (
    BadBody,
    BadSignature,
    FetchError,
    Lagging,
    MerkleMismatch,
    Refused,
    Unavailable,
)
from certstream_tx.ingest.http.fetch import Fetcher
from certstream_tx.ingest.pacing.pace import Pace
from certstream_tx.stats import LogStats

MAX_PAGE: Final = 16 * 1024 * 1024
"""Bytes of one get-entries page, which is taken apart in one turn of the reactor: 25 to 45 ms at
this size, whatever is in it. 1,024 real entries take 7 MB; larger pages are asked for less."""

MAX_PROOF: Final = 16 * 1024 * 1024
"""Bytes of one proof with its entry; a certificate may be that large by its own length field."""

NEAR_HEAD: Final = 4096
"""Entries before the head that a lagging replica may not have yet."""

_BEHIND: Final = ("need tree size", "current tree size")
"""What replicas say of a range that they do not have yet (CTFE, Sunglasses)."""

_TOO_LARGE: Final = ("larger than max", "resourceexhausted")
"""What a front end says when its back end's answer is too large for it (gRPC)."""


class RFC6962Client:
    """A ``LogClient`` for a log that answers get-sth and get-entries.

    Raises SignatureError when the log's key cannot be used.
    """

    divisible: Final = True
    """See ``LogClient``."""

    def __init__(
        self,
        log: Log,
        fetcher: Fetcher,
        pace: Pace,
        clock: IReactorTime,
        stats: LogStats,
        batch_size: int,
        depth: int,
    ) -> None:
        """``batch_size``: entries asked for at once, at most; ``depth``: requests at first."""
        self._prefix = f"{log.url}/ct/v1/"
        self._key = None if log.key is None else LogKey(log.key)
        self._requests = LogRequests(fetcher, pace, clock, stats, depth)
        self._page = PageSize(batch_size)

    @property
    def depth(self) -> int:
        """See ``LogClient``."""
        return self._requests.depth

    @property
    def block(self) -> int:
        """Entries that are asked for at once now, at most."""
        return self._page.block

    async def head(self) -> SignedHead:
        """See ``LogClient``."""
        with self._requests.counting():
            body = await self._requests.get(
                self._prefix + "get-sth", max_bytes=MAX_HEAD, first=True
            )
            sth = read_answer(HEAD, body, "get-sth")
            head = SignedHead(
                sth.tree_size, sth.timestamp, sth.sha256_root_hash, sth.tree_head_signature
            )
            if self._key is not None:
                try:
                    self._key.verify_head(head)
                except SignatureError as error:
                    raise BadSignature(f"the head at {head.size}: {error}") from None
            return head

    def span(self, position: int, head_size: int) -> int | None:
        """See ``LogClient``."""
        return self._page.end(position, head_size) if position < head_size else None

    async def entries(self, start: int, end: int, head: SignedHead) -> list[Entry]:
        """See ``LogClient``."""
        if not 0 <= start < end <= head.size:
            raise ValueError(f"no entries {start} to {end} in a tree of {head.size}")
        with self._requests.counting():
            try:
                page, count = await self._get_entries(start, end, head.size)
            except FetchError as error:
                if (too_large := _page_too_large(error)) is not None:
                    self._page.failed(start, end, too_large=too_large)
                raise
            self._page.answered(start, end, count, at_head=end == head.size)
            return [
                read_entry(index, leaf.leaf_input, leaf.extra_data or b"")
                for index, leaf in enumerate(page, start)
            ]

    async def entries_again(self, start: int, end: int, head: SignedHead) -> list[Served]:
        """See ``LogClient``. An odd count: its bounds are those of no page asked for before."""
        if not 0 <= start < end <= head.size:
            raise ValueError(f"no entries {start} to {end} in a tree of {head.size}")
        end = min(end, start + max(1, self._page.block * 3 // 4 - 1))
        with self._requests.counting():
            page, _ = await self._get_entries(start, end, head.size, fresh=True)
            return [
                Served(read_entry(index, leaf.leaf_input, leaf.extra_data or b""), leaf.leaf_input)
                for index, leaf in enumerate(page, start)
            ]

    async def range_at(self, start: int, head: SignedHead) -> CompactRange:
        """See ``LogClient``.

        The left siblings on the inclusion path of an entry are the compact range before it; one
        path in the tree of ``head`` proves it. At the head itself the last entry is added to it.
        """
        if not 0 <= start <= head.size:
            raise ValueError(f"no start at {start} in a tree of {head.size}")
        if start == 0:
            return CompactRange()
        with self._requests.counting():
            index = min(start, head.size - 1)
            try:
                leaf, path = await self._entry_and_proof(index, head.size)
            except (Refused, BadBody, Unavailable) as error:
                if error.kind in ("connect", "timeout"):
                    raise
                leaf, path = await self._proof_by_hash(index, head.size, error)
            try:
                root = root_from_inclusion(index, head.size, leaf, path)
                before = range_before(index, head.size, path)
            except MerkleError as error:
                raise BadBody(f"the proof for entry {index}: {error}") from None
            if root != head.root:
                raise MerkleMismatch(f"entry {index} is not proven by the head at {head.size}")
            if start > index:
                before.add(leaf)
            return before

    async def _get_entries(
        self, start: int, end: int, head_size: int, *, fresh: bool = False
    ) -> tuple[list[Leaf], int]:
        """The leaves up to the first that is none, and how many entries the page has."""
        try:
            body = await self._requests.get(
                self._prefix + "get-entries",
                params={"start": start, "end": end - 1},
                max_bytes=MAX_PAGE,
                teaches_depth=not fresh,
                fresh=fresh,
            )
        except Refused as error:
            raise _behind(error, end, head_size) or error from None
        page, count = await self._requests.decode(body, lambda: read_page(body, end - start))
        if not 0 < count <= end - start:
            raise BadBody(f"get-entries gave {count} entries where {end - start} were asked")
        return page, count

    async def _entry_and_proof(self, index: int, size: int) -> tuple[bytes, list[bytes]]:
        """The leaf hash of an entry and its inclusion path, in one request."""
        body = await self._requests.get(
            self._prefix + "get-entry-and-proof",
            params={"leaf_index": index, "tree_size": size},
            max_bytes=MAX_PROOF,
        )
        answer = await self._requests.decode(
            body, lambda: read_answer(ENTRY_AND_PROOF, body, "get-entry-and-proof")
        )
        return leaf_hash(answer.leaf_input), answer.audit_path or []

    async def _proof_by_hash(
        self, index: int, size: int, refusal: FetchError
    ) -> tuple[bytes, list[bytes]]:
        """The same in two requests, for logs that do not give the one."""
        (entry,), _ = await self._get_entries(index, index + 1, size)
        leaf = leaf_hash(entry.leaf_input)
        try:
            body = await self._requests.get(
                self._prefix + "get-proof-by-hash",
                params={"hash": b64encode(leaf).decode("ascii"), "tree_size": size},
                max_bytes=MAX_PROOF,
            )
        except Refused as error:
            raise _behind(error, index + 1, size) or refusal from None
        answer = await self._requests.decode(
            body, lambda: read_answer(PROOF, body, "get-proof-by-hash")
        )
        if answer.leaf_index != index:
            # The same leaf twice in the log: the proof of the other one proves another range.
            raise BadBody(f"get-proof-by-hash gave entry {answer.leaf_index} instead of {index}")
        return leaf, answer.audit_path or []


def _behind(error: Refused, end: int, head_size: int) -> Lagging | None:
    """Lagging, when a refusal says, or may mean, that a replica does not have the range yet."""
    if error.status != 400:
        return None
    said = error.body.casefold()
    if end > head_size - NEAR_HEAD or any(words in said for words in _BEHIND):
        return Lagging(f"a replica has not got to {end} yet ({error.reason})")
    return None


def _page_too_large(error: FetchError) -> bool | None:
    """True: the page was too large. False: it may have been. None: that was not the reason."""
    if error.kind == "too_large":
        return True
    if isinstance(error, Refused):
        if error.status == 413 or any(words in error.body.casefold() for words in _TOO_LARGE):
            return True
        return False if error.status == 403 else None
    if isinstance(error, Unavailable):
        if any(words in error.reason.casefold() for words in _TOO_LARGE):
            return True
        return False if error.kind in ("timeout", "stalled") or error.status in (500, 504) else None
    return None
