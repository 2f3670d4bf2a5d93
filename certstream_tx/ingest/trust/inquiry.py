"""Looking into doubts about one log: whether it was a slip, and if not, what is wrong."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.http.errors import FetchError
from certstream_tx.ingest.state.evidence import Evidence, head_document, range_document
from certstream_tx.ingest.trust.doubts import Doubt
from certstream_tx.ingest.trust.kept_hashes import split
from certstream_tx.ingest.trust.proving import AGAIN
from certstream_tx.ingest.trust.second_reading import Reading, SecondReading, wrong_entries
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.trust.inquiry")

MAX_DOUBTS: Final = 4
"""Doubts that wait to be looked into; what is doubtful stays unverified in any case."""
MAX_WRONG: Final = 8
"""Wrong entries that are looked for in one range."""


class Inquiry:
    """Takes the doubts about one log one by one.

    ``head_at(size)`` gives the head that was verified there, if it is known; ``signed(head)``
    whether one (None: one that proved a tree) can be held against the log; ``hand_on(entries)``
    publishes entries that had come otherwise before; ``settled(doubt, tree)``
    is told the tree that is right after all; ``forked(head, proven)`` of a head whose tree does not
    extend the one that was verified; ``caught(doubt)`` that there is no way out.
    """

    def __init__(
        self,
        about: Log,
        client: LogClient,
        heads: HeadWatch,
        outcomes: Outcomes,
        clock: IReactorTime,
        stats: LogStats,
        evidence: Evidence,
        *,
        head_at: Callable[[int], SignedHead | None],
        signed: Callable[[SignedHead | None], bool],
        hand_on: Callable[[list[Entry]], Awaitable[None]],
        settled: Callable[[Doubt, CompactRange], None],
        forked: Callable[[SignedHead, CompactRange], None],
        caught: Callable[[Doubt], None],
    ) -> None:
        self._about = about
        self._client = client
        self._heads = heads
        self._outcomes = outcomes
        self._clock = clock
        self._stats = stats
        self._evidence = evidence
        self._head_at = head_at
        self._signed = signed
        self._hand_on = hand_on
        self._settled = settled
        self._forked = forked
        self._caught = caught
        self._second = SecondReading(client, heads, outcomes, clock, head_at)
        self._readings: list[Reading] = []  # the first one is being looked into
        self._doubted = Wakeup(clock)
        self._decided = Wakeup(clock)
        self._upheld = False

    def doubts(self, doubt: Doubt) -> None:
        """Look into this too."""
        self._stats.root_mismatches += 1
        room = len(self._readings) < MAX_DOUBTS
        log.warn(
            "{log}: its entries {start} to {last} do not lead to the tree that it signed; they"
            " {follows}",
            log=self._about.name,
            start=doubt.start,
            last=doubt.end - 1,
            follows="are read again, by another route" if room else "stay unverified",
        )
        if room:
            self._readings.append(Reading(doubt))
            self._doubted.fire()

    async def decided(self) -> None:
        """Wait until nothing is in doubt, and longer when it was with reason: a proof right after
        a mismatch would only confirm the tree that does not match."""
        while self._readings:
            await self._decided.wait()
        if self._upheld:
            self._upheld = False
            await deferLater(self._clock, AGAIN[0])

    async def run(self) -> None:
        """Look into doubts, for ever."""
        in_vain, interval = 0, AGAIN[0]
        while True:
            while not self._readings:
                await self._doubted.wait()
            reading = self._readings[0]
            known = True
            try:
                known = await self._second.read(reading)
                if known:
                    await self._decide(reading)
                    in_vain, interval = 0, AGAIN[0]
            finally:
                del self._readings[0]
                if not known:
                    self._readings.append(reading)
                self._decided.fire()
            if not known:
                self._tell_unknown(reading, interval)
                in_vain += 1
                if in_vain >= len(self._readings):
                    await self._doubted.wait(interval)
                    in_vain, interval = 0, min(2 * interval, AGAIN[1])

    async def _decide(self, reading: Reading) -> None:
        if reading.right:
            await self._settle(reading)
        else:
            self._upheld = True
            await self._uphold(reading.doubt, reading)

    def _tell_unknown(self, reading: Reading, interval: float) -> None:
        """Entries that cannot be read again prove nothing, neither for the log nor against it."""
        log.warn(
            "{log}: streamed unverified, for its entries {start} to {last}, which do not lead to"
            " the tree that it signed, cannot be read again ({reason}); this is tried again in"
            " {minutes} minutes",
            log=self._about.name,
            start=reading.base.size,
            last=reading.doubt.end - 1,
            reason=reading.reason,
            minutes=round(interval / 60),
        )

    async def _settle(self, reading: Reading) -> None:
        """The second time all is as the log signed it."""
        doubt, changed = reading.doubt, reading.changed
        log.warn(
            "{log}: {count} of its entries from {start} to {last} first came otherwise than it"
            " signed them, and {follows}",
            log=self._about.name,
            count=len(changed) or "some",
            start=doubt.start,
            last=doubt.end - 1,
            follows="are handed on again" if changed else "it is not known any more which",
        )
        if doubt.base is not None and reading.base != doubt.base:
            log.warn(
                "{log}: what was read before entry {start} by a run before this one was not what"
                " it signed either, and it is not known which entries",
                log=self._about.name,
                start=doubt.start,
            )
        self._stats.corrected_entries += len(changed)
        if changed:
            await self._hand_on(changed)
        self._settled(doubt, reading.tree)

    async def _uphold(self, doubt: Doubt, reading: Reading) -> None:
        """It stays: the log contradicts itself, or does not give what it signed."""
        if not self._signed(doubt.head):
            log.warn(
                "{log}: its entries {start} to {last} do not lead to the root {root} the second"
                " time either, but there is no signature for that: nothing is held against it",
                log=self._about.name,
                start=doubt.start,
                last=doubt.end - 1,
                root=doubt.root.hex(),
            )
            return
        verified = self._head_at(reading.base.size)
        document: dict[str, object] = {
            "explanation": "The entries do not lead to the root that the log signed, or proved.",
            "range": [doubt.start, doubt.end],
            "verified": None if doubt.base is None else range_document(reading.base),
            "verified_head": None if verified is None else head_document(verified),
            "ours": range_document(doubt.ours),
            "ours_second_time": range_document(reading.tree),
            "heads": [] if doubt.head is None else [head_document(doubt.head)],
            "proven": None if doubt.proven is None else range_document(doubt.proven),
        }
        try:
            finding = await self._find_out(doubt, reading, document)
        except CancelledError:
            raise
        except FetchError as error:
            finding = f"the log does not prove which ({error.reason})"
        except Exception:
            self._outcomes.unexpected(Failure())
            finding = "it could not be found out which"
        document["finding"] = finding
        document["entries"] = [
            {
                "index": each.entry.index,
                "leaf_input": b64encode(each.leaf_input).decode(),
                "leaf_hash": each.entry.leaf_hash.hex(),
                "first_leaf_hash": (doubt.first_hash(each.entry.index) or b"").hex() or None,
            }
            for each in reading.shown
        ]
        log.error(
            "{log}: the entries read are not those that the log signed: for its tree of {size}"
            " entries they give root {ours}, the log says {theirs}; verified up to entry"
            " {verified}; {finding}. It counts as inconsistent from now on",
            log=self._about.name,
            size=doubt.end,
            ours=doubt.ours.root().hex(),
            theirs=doubt.root.hex(),
            verified=self._stats.verified_size,
            finding=finding,
        )
        self._evidence.keep(self._about, "mismatch", document)
        self._caught(doubt)

    async def _find_out(self, doubt: Doubt, reading: Reading, document: dict[str, object]) -> str:
        """What is wrong: the entries, or the tree. Raises what the client raises."""
        head = doubt.head
        if head is None:
            head = await self._heads.reaching(doubt.end)
            document["heads"] = [head_document(head)]
        base = reading.base
        if base.size:
            proven = await self._client.range_at(base.size, head)
            if proven != base:
                document["proven"] = range_document(proven)
                self._forked(head, proven)
                return "its tree does not extend the one that was verified"
        if doubt.hashes is None:
            return "it is not known any more what they were"

        async def prove(size: int) -> CompactRange:
            return await self._client.range_at(size, head)

        wrong = await wrong_entries(base, split(doubt.hashes), prove, MAX_WRONG)
        document["wrong_entries"] = wrong
        shown = {each.entry.index for each in reading.shown}
        for index in wrong:
            if index not in shown:
                for each in await self._client.entries_again(index, index + 1, head):
                    reading.show(each)
        said = ", ".join(map(str, wrong))
        return f"wrong are {said}{' and others' if len(wrong) == MAX_WRONG else ''}"
