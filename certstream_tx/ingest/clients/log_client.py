"""What the poller asks of a log, whichever of the two protocols the log speaks."""

from typing import NamedTuple, Protocol

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead


class Served(NamedTuple):
    """An entry, and the MerkleTreeLeaf as it was served (of a tile: as it stands for it)."""

    entry: Entry
    leaf_input: bytes


class LogClient(Protocol):
    """One log, read by requests that the pace of its operator spreads in time.

    Every coroutine makes one attempt and raises a subclass of
    ``ingest.http.errors.FetchError`` (or ``CancelledError`` when it is cancelled, which
    closes the connection at once); trying again, and when, is up to the caller:

    - ``Throttled``: the pace has been slowed already and holds all requests of the operator back
      for as long as the log asked. Ask again at once; the call waits its turn. Not a failure.
    - ``Lagging``: a replica is behind the head. Ask again after a short wait. Not a failure.
    - ``Unavailable``, ``Refused``, ``BadBody``: failures; back off. The client has adapted what it
      can (page size, boundary, ``depth``), so take a fresh ``span`` instead of the old range.
    - ``BadSignature``: from ``head`` only. ``MerkleMismatch``: from ``range_at`` only.

    The client counts ``requests``, ``throttled``, ``errors``, ``bad_signatures``,
    ``tiles_fetched`` and ``issuers_missing`` in the log's ``LogStats``; everything else there is
    the caller's. Calls may overlap: nothing here depends on the order in which answers come.
    """

    @property
    def depth(self) -> int:
        """How many calls of ``entries`` are worth having in flight now: 1 or more, learned.

        It changes as answers come: read it before each new request, not once.
        """
        ...

    @property
    def divisible(self) -> bool:
        """Whether single entries can be had, or only with the rest of their tile."""
        ...

    async def head(self) -> SignedHead:
        """The newest tree head the log shows, before all waiting entry requests of the operator.

        Its signature is verified when the log's key is known. It may be smaller than one seen
        before (replicas): judging that is up to the caller.
        """
        ...

    def span(self, position: int, head_size: int) -> int | None:
        """Where a request for entries that starts at ``position`` had best end (exclusive).

        ``position < end <= head_size``: up to the page boundary or the end of the tile. None:
        nothing worth asking for yet (``position`` is at the head, or in a partial tile that is
        neither full nor old): ask again after the next head or a second or so. Cheap, without
        side effects, so a caller that reads ahead asks again with the end as the new position.
        """
        ...

    async def entries(self, start: int, end: int, head: SignedHead) -> list[Entry]:
        """1 to ``end - start`` entries from index ``start`` on, in order.

        ``start < end <= head.size`` (ValueError otherwise). Fewer than asked is normal: the rest
        is to be asked for again. Entries that cannot be read are among them, with their ``error``.
        """
        ...

    async def entries_again(self, start: int, end: int, head: SignedHead) -> list[Served]:
        """As ``entries``, but by another route: with other bounds, past all caches."""
        ...

    async def range_at(self, start: int, head: SignedHead) -> CompactRange:
        """The compact range of the entries before ``start``, proven against ``head.root``.

        ``0 <= start <= head.size`` (ValueError otherwise); costs 0 to about 6 requests.
        """
        ...
