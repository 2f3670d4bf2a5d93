"""Having a log prove what lies before an entry at which it is read, for as long as it takes."""

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.events import logger
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.http.errors import FetchError, MerkleMismatch, Refused
from certstream_tx.ingest.state.gaps import Gaps
from certstream_tx.ingest.trust.doubts import Spot
from certstream_tx.ingest.trust.verification import Verification
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.trust.proving")

EFFORT: Final = 20
"""Attempts, about a minute of them, before the operator is told that a log is not verified."""
REFUSAL_COUNTS: Final = 5
"""As many attempts a refusal counts: a log that gives no proofs will hardly change its mind."""
SPOT_TRIES: Final = 5
"""Attempts at a proof without which all goes on as before."""
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
        decided: Callable[[], Awaitable[None]],
    ) -> None:
        """``decided()`` ends when nothing about the log is in doubt."""
        self._client = client
        self._heads = heads
        self._verification = verification
        self._gaps = gaps
        self._outcomes = outcomes
        self._clock = clock
        self._stats = stats
        self._decided = decided

    async def run(self) -> None:
        """Prove, for ever; what is read meanwhile is not held up by it."""
        while True:
            spot = self._verification.spot
            if spot is not None:
                await self._look_at(spot)
            elif self._wanted is not None:
                await self._decided()
                await self._prove()
            else:
                await self._verification.unproven.wait()

    @property
    def _wanted(self) -> int | None:
        """The size of the range that is to be proven."""
        return self._verification.anchor or self._gaps.unproven_start

    async def _look_at(self, spot: Spot) -> None:
        """Ask what the log's tree is where no head says it."""
        size = spot.tree.size
        proven = None
        for attempt in range(1, SPOT_TRIES + 1):
            head = await self._heads.reaching(size)
            try:
                proven = await self._client.range_at(size, head)
                break
            except CancelledError:
                raise
            except FetchError:
                await deferLater(self._clock, self._outcomes.backoff(attempt))
            except Exception:
                self._outcomes.unexpected(Failure())
                break
        self._verification.looked_at(spot, proven)

    async def _prove(self) -> None:
        effort, attempts, interval = 0, 0, AGAIN[0]
        while True:
            attempts += 1
            anchor = self._wanted
            if anchor is None:
                return  # what was missing came late, and joined all
            failure = await self._attempt(anchor)
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
                anchor=anchor,
                reason=reason,
                minutes=round(interval / 60),
            )
            await deferLater(self._clock, interval)
            interval = min(interval * 2, AGAIN[1])
        if effort >= EFFORT or self._stats.inconsistent:
            log.info(
                "{log}: verified again, from entry {position} on",
                log=self._stats.name,
                position=self._stats.position,
            )

    async def _attempt(self, anchor: int) -> tuple[str, int] | None:
        """One attempt: None, or why it failed and for how many it counts."""
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
        if anchor != self._wanted:
            return f"entry {anchor} is too far behind by now", 1
        self._gaps.proven(before)
        self._verification.precede(before)
        self._verification.complete()
        return None
