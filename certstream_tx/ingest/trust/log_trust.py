"""All that is known, doubted and proven about one log, and what comes of it."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from certstream_tx.ct.entry import Entry
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.events import logger
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.state.evidence import (
    FOR_EVER,
    ROLLBACK,
    Evidence,
    head_document,
    range_document,
)
from certstream_tx.ingest.state.gaps import Gap, Gaps, Unreadable
from certstream_tx.ingest.state.saved_log import MAX_HEADS, SavedGap, SavedPosition, SavedRange
from certstream_tx.ingest.trust.doubts import Doubt
from certstream_tx.ingest.trust.inquiry import Inquiry
from certstream_tx.ingest.trust.older_heads import OlderHeads
from certstream_tx.ingest.trust.proving import Proving
from certstream_tx.ingest.trust.rollback import Rollback
from certstream_tx.ingest.trust.verification import Verification
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.trust.log_trust")

MAX_TOLD: Final = 256
"""Contradictions that are remembered, so that each is told once."""


class Trust:
    """Judges one log: what its heads, its proofs and its entries say of each other.

    ``hand_on(entries)`` publishes entries that had come otherwise before; ``inconsistent()`` is
    called each time that the log was caught at contradicting itself.
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
        hand_on: Callable[[list[Entry]], Awaitable[None]],
        inconsistent: Callable[[], None],
    ) -> None:
        self._about = about
        self._stats = stats
        self._evidence = evidence
        self._inconsistent = inconsistent
        self.verification = Verification(stats, clock, self, lambda: self.gaps.complete_before)
        self.gaps = Gaps(stats, clock, self.verification.precede, self._gap_differs)
        self._inquiry = Inquiry(
            about,
            client,
            heads,
            outcomes,
            clock,
            stats,
            evidence,
            head_at=self.verification.head_at,
            signed=self._signed,
            hand_on=hand_on,
            settled=self._settled,
            forked=self._forked,
            caught=self._caught,
        )
        self._proving = Proving(
            client,
            heads,
            self.verification,
            self.gaps,
            outcomes,
            clock,
            stats,
            self._inquiry.decided,
        )
        self._older = OlderHeads(client, heads, outcomes, clock, self._does_not_extend)
        self._rollback = Rollback(stats, clock, self._rolled_back)
        self._told: set[tuple[SignedHead, SignedHead]] = set()
        self._listed: SignedHead | None = None

    def loops(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What is to run as long as the log is followed."""
        return [self._proving.run, self._inquiry.run, self._older.run]

    def begin(self, position: int, saved: SavedPosition | None) -> None:
        """Begin at a position, with what was known there when it was saved."""
        verification = self.verification
        if self._stats.keyless:
            log.warn(
                "{log}: its key is not known: neither its heads nor its entries can be verified."
                " Give its key in the configuration",
                log=self._about.name,
            )
        if saved is None:
            verification.begin(position)
            return
        self._stats.verified_up_to(saved.verified_size)
        self.gaps.load([gap.gap() for gap in saved.gaps])
        for head in saved.heads:
            verification.expect(head)
        verification.resume(saved.range(), saved.verified_head)

    def saved(self, position: int) -> SavedPosition:
        """What is known at a position, up to which all was read or is missing."""
        read = SavedRange.of(self.verification.range)
        return SavedPosition(
            self._about.name,
            self._about.url,
            position,
            None if read.start else read.nodes,
            self._stats.verified_size,
            read if 0 < read.start < read.size else None,
            self.verification.head,
            tuple(self.verification.ahead[:MAX_HEADS]),
            tuple(SavedGap.of(gap) for gap in self.gaps),
        )

    def skip(self, missing: Unreadable, due: float) -> None:
        """Entries are missing, and are to be tried again when they are due."""
        start, end, reason, tries, since = missing
        base = self.verification.base
        before = self.verification.skip(start, end)
        self.gaps.add(Gap(start, end, since, reason, tries, before, base=base, due=due))

    def came_late(self, entries: Sequence[Entry]) -> None:
        """Entries that were missing were handed on."""
        self.gaps.filled(entries[0].index, [entry.leaf_hash for entry in entries])
        self.verification.complete()

    def listed(self, head: SignedHead) -> None:
        """The list of logs says that this is the last head, of which it gives no signature."""
        self._listed = head
        self.verification.expect(head)

    def seen(self, head: SignedHead) -> None:
        """A head came, whichever."""
        self.verification.expect(head)
        self._rollback.seen(head, self.verification.head)

    def contradicts(self, one: SignedHead, other: SignedHead) -> None:
        """Two heads of one size have different roots."""
        if self._is_new(one, other) and self._both_signed(one, other):
            log.error(
                "{log} signed two different trees of {size} entries, with roots {one} and {other}",
                log=self._about.name,
                size=one.size,
                one=one.root.hex(),
                other=other.root.hex(),
            )
            self._contradiction(
                {
                    "explanation": "Two signed heads of one size have different roots.",
                    "heads": [head_document(one), head_document(other)],
                }
            )

    def doubts(self, doubt: Doubt) -> None:
        """The entries that were read do not lead to a head, or to what the log proved."""
        self._inquiry.doubts(doubt)

    def passed(self, head: SignedHead) -> None:
        """A head came, or was passed by, that could not be compared with what was read."""
        self._older.add(head)

    def _gap_differs(self, gap: Gap) -> None:
        self.doubts(Doubt(gap.base, gap.end, gap.before, None, gap.after))

    def _settled(self, doubt: Doubt, tree: CompactRange) -> None:
        if doubt.head is not None:
            self.verification.confirm(doubt.head)
        self.gaps.proven(tree)
        self.verification.precede(tree)
        self.verification.complete()

    def _forked(self, head: SignedHead, proven: CompactRange) -> None:
        verified = self.verification.head_at(proven.size)
        if verified is not None:
            self._does_not_extend(verified, head, proven)

    def _caught(self, doubt: Doubt) -> None:
        # Should it be the head that is wrong, the next one tells.
        if doubt.head is not None:
            self._older.add(doubt.head)
        self._mark()

    def _does_not_extend(self, older: SignedHead, newer: SignedHead, proven: CompactRange) -> None:
        """The tree of one head is not the beginning of that of a larger one."""
        if self._is_new(older, newer) and self._both_signed(older, newer):
            log.error(
                "{log} signed a tree of {older} entries that is not the beginning of the tree of"
                " {newer} which it signed as well",
                log=self._about.name,
                older=older.size,
                newer=newer.size,
            )
            self._contradiction(
                {
                    "explanation": "The tree of the second head, as the log proves it, has another"
                    " root at the size of the first head.",
                    "heads": [head_document(older), head_document(newer)],
                    "proven": range_document(proven),
                }
            )

    def _rolled_back(self, verified: SignedHead, head: SignedHead) -> None:
        self._evidence.keep(
            self._about,
            ROLLBACK,
            {
                "explanation": "The log signed the second, smaller head after the first one.",
                "heads": [head_document(verified), head_document(head)],
            },
        )

    def _contradiction(self, document: dict[str, object]) -> None:
        self._stats.root_mismatches += 1
        self._stats.contradictions += 1
        self._evidence.keep(self._about, FOR_EVER, document)
        self._mark()

    def _signed(self, head: SignedHead | None) -> bool:
        """Whether a head can be held against the log; None: one that proved something."""
        return not self._stats.keyless and (head is None or head != self._listed)

    def _both_signed(self, one: SignedHead, other: SignedHead) -> bool:
        """Whether two heads that cannot both be true are its own; else this is told alone."""
        if self._signed(one) and self._signed(other):
            return True
        self._stats.root_mismatches += 1
        log.warn(
            "{log}: its tree of {size} entries with root {root} does not fit another one of"
            " {other}, but there is no signature of its own for both: nothing is held against it",
            log=self._about.name,
            size=one.size,
            root=one.root.hex(),
            other=other.size,
        )
        return False

    def _is_new(self, one: SignedHead, other: SignedHead) -> bool:
        new = (one, other) not in self._told
        if new and len(self._told) < MAX_TOLD:
            self._told.add((one, other))
        return new

    def _mark(self) -> None:
        self._stats.inconsistent = True
        self._inconsistent()
