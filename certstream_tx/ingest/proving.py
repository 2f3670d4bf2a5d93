"""Having a log prove what lies before an entry at which it is read, for as long as it takes."""

from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.events import logger
from certstream_tx.ingest.errors import FetchError, MerkleMismatch, Refused
from certstream_tx.ingest.gaps import Gaps
from certstream_tx.ingest.head_watch import HeadWatch
from certstream_tx.ingest.log_client import LogClient
from certstream_tx.ingest.outcomes import Outcomes
from certstream_tx.ingest.verification import Verification
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.proving")

EFFORT: Final = 20
"""Attempts, about a minute of them, before the operator is told that a log is not verified."""
REFUSAL_COUNTS: Final = 5
"""As many attempts a refusal counts: a log that gives no proofs will hardly change its mind."""
AGAIN: Final = (60.0, 3600.0)
"""Seconds between the attempts after that: first, and longest."""


class Proving:
    """Asks one log for the proofs that its ``Verification`` needs, and its gaps do."""

    def __init__(
        self,
        client: LogClient,
        heads: HeadWatch,
        verification: Verification,
        gaps: Gaps,
        outcomes: Outcomes,
        clock: IReactorTime,
        stats: LogStats,
    ) -> None:
        self._client = client
        self._heads = heads
        self._verification = verification
        self._gaps = gaps
        self._outcomes = outcomes
        self._clock = clock
        self._stats = stats

    async def run(self) -> None:
        """Prove, for ever; what is read meanwhile is not held up by it."""
        while True:
            await self._wanted()
            if self._verification.mismatched:
                # A proof right after a mismatch would only confirm the tree that does not match.
                await deferLater(self._clock, AGAIN[0])
            await self._prove()

    async def _wanted(self) -> int:
        """The size of the range that is to be proven, as soon as there is one."""
        while (size := self._verification.anchor or self._gaps.unproven_start) is None:
            await self._verification.unproven.wait()
        return size

    async def _prove(self) -> None:
        effort, attempts, interval = 0, 0, AGAIN[0]
        while True:
            attempts += 1
            failure = await self._attempt()
            if failure is None:
                break
            reason, counts = failure
            effort += counts
            if effort < EFFORT:
                await deferLater(self._clock, self._outcomes.backoff(attempts))
                continue
            log.warn(
                "{log}: streamed unverified, for the log does not prove what lies before entry"
                " {anchor} ({reason}); it is asked again in {minutes} minutes",
                log=self._stats.name,
                anchor=self._verification.anchor or self._gaps.unproven_start,
                reason=reason,
                minutes=round(interval / 60),
            )
            await deferLater(self._clock, interval)
            interval = min(interval * 2, AGAIN[1])
        if effort >= EFFORT or self._verification.mismatched:
            log.info(
                "{log}: verified again, from entry {position} on",
                log=self._stats.name,
                position=self._stats.position,
            )

    async def _attempt(self) -> tuple[str, int] | None:
        """One attempt: None, or why it failed and for how many it counts."""
        anchor = await self._wanted()
        head = await self._heads.reaching(anchor)
        try:
            before = await self._client.range_at(anchor, head)
        except CancelledError:
            raise
        except (Refused, MerkleMismatch) as error:
            return error.reason, REFUSAL_COUNTS
        except FetchError as error:
            return error.reason, 1
        except Exception as error:
            self._outcomes.unexpected(Failure())
            return repr(error), 1
        if anchor != (self._verification.anchor or self._gaps.unproven_start):
            return f"entry {anchor} is too far behind by now", 1
        self._gaps.proven(before)
        self._verification.precede(before)
        self._verification.complete()
        return None
