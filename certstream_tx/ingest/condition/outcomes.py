"""What comes of the requests to one log: judged, counted, told to the operator."""

from random import Random
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.events import logger
from certstream_tx.ingest.condition.health import Activity, Health
from certstream_tx.ingest.http.errors import (
    BadSignature,
    FetchError,
    Lagging,
    Throttled,
    Unavailable,
)
from certstream_tx.ingest.pacing.backoff import backoff_delay
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.wakeup import Wakeup
from certstream_tx.stats import LogStats, LogStatus

log = logger("certstream_tx.ingest.condition.outcomes")

THROTTLED_WAIT: Final = 0.1
"""Seconds before a throttled request is sent back to wait for its turn: the pace says when that
is, this only sees to it that a pace without limit is never asked in a tight loop."""
LEAST_WAIT: Final = 0.1
"""Share of a wait that is waited after a request that took longer."""
LAGGING_PATIENCE: Final = 10
"""Times in a row that a replica may be behind its head before that counts as a failure."""
BAD_SIGNATURES_TOLD: Final = 3
"""In a row: one may be an answer damaged on its way, three are another key or another log."""
ALONE_SECONDS: Final = 5.0
ALONE_SECONDS_ANSWERED: Final = 120.0
"""For so long after entries came it is not the log that cannot be read when others do not: a page
that stays garbage, tiles that were lost. The longer one is for a log that does answer: time to look
for entries that it does have."""
PROBE_JITTER: Final = 0.2
"""Share by which the time between two probes of an unhealthy log may be shorter than configured:
logs that fell ill together must not be probed together."""


class Outcomes:
    """Says how long to wait after a failure, and once when a log falls ill and when it is well."""

    def __init__(
        self, stats: LogStats, settings: PollSettings, rng: Random, clock: IReactorTime
    ) -> None:
        self._stats = stats
        self._settings = settings
        self._rng = rng
        self._clock = clock
        self._entries_at = clock.seconds()
        self._probe_at = 0.0  # while it rests
        self._begins_to_rest = Wakeup(clock)
        self._health = Health(
            settings.retry_max_attempts, settings.unhealthy_threshold, settings.healthy_threshold
        )
        self._unheard = settings.asked_for_by_name
        self._told_unheard = False
        self._reported: set[type[BaseException] | None] = set()

    @property
    def healthy(self) -> bool:
        """Whether the log can be read, by the thresholds of the configuration."""
        return self._health.status is not LogStatus.UNHEALTHY

    @property
    def recovering(self) -> bool:
        """Whether its heads come again, but not yet enough of them to ask for anything else."""
        return self._health.recovering

    @property
    def asks_entries(self) -> bool:
        """Whether entries may be asked for."""
        return not (self._health.resting or self._health.recovering)

    async def rested(self) -> None:
        """Wait until the head may be asked for: no time, unless the log is unhealthy."""
        while self._health.resting:
            now = self._clock.seconds()
            # When the clock was set back it is not as far off as it seems.
            self._probe_at = min(self._probe_at, now + self._settings.health_check_interval)
            if self._probe_at <= now:
                # From its begin to the next: one that hangs must not make the next one late.
                self._rest()
                return
            await deferLater(self._clock, self._probe_at - now)

    async def falls_ill(self, seconds: float) -> bool:
        """Wait so long, or until the log is unhealthy and is to be probed; whether it is."""
        return await self._begins_to_rest.wait(seconds)

    def _rest(self) -> None:
        interval = self._settings.health_check_interval * self._rng.uniform(1 - PROBE_JITTER, 1)
        self._probe_at = self._clock.seconds() + interval

    def answered(self, activity: Activity) -> None:
        """A request gave what it should."""
        if self._health.answered(activity):
            log.info("{log} can be read again", log=self._stats.name)
        elif self._told_unheard:
            log.info("{log} answers", log=self._stats.name)
        self._unheard = self._told_unheard = False
        self._stats.last_success_at = now = self._clock.seconds()
        if activity is Activity.ENTRIES:
            self._entries_at = now
        self._note()

    def failed(self, activity: Activity, failure: Failure, attempts: int, sent_at: float) -> float:
        """A request failed, the ``attempts``-th time in a row (1 is the first).

        Gives the seconds to wait before it is tried again: as long as it takes, never for good.
        They count from when it was sent: one that hung has had its wait.
        """
        error = failure.value
        if isinstance(error, Throttled):
            return THROTTLED_WAIT
        if isinstance(error, Lagging) and attempts <= LAGGING_PATIENCE:
            return self.backoff(attempts)
        if not isinstance(error, FetchError):
            self.unexpected(failure)
        if isinstance(error, BadSignature) and attempts == BAD_SIGNATURES_TOLD:
            log.error(
                "{log}: its heads are not signed with its key and are not used: {reason}",
                log=self._stats.name,
                reason=error.reason,
            )
        if activity is Activity.HEAD:
            self._stats.head_errors += 1
            self._stats.health_checks_failed += not self.healthy
        elif not self.asks_entries:
            # It was asked for before the log was unhealthy, and says nothing of what is now.
            return 0.0
        if self._unheard:
            self._unheard, self._told_unheard = False, True
            log.warn(
                "{log} does not answer as a log, and is tried on: {reason}",
                log=self._stats.name,
                reason=failure.getErrorMessage(),
            )
        rested = self._health.resting
        alone = activity is Activity.ENTRIES and self._is_alone(error)
        if self._health.failed(activity, alone=alone):
            log.warn(
                "{log} cannot be read: {reason}. Its head is asked for every {seconds} s until it"
                " can",
                log=self._stats.name,
                reason=failure.getErrorMessage(),
                seconds=round(self._settings.health_check_interval),
            )
        self._note()
        if self._health.resting:
            if not rested:
                self._rest()
                self._begins_to_rest.fire()
            return 0.0
        delay = self.backoff(attempts)
        took = max(0.0, self._clock.seconds() - sent_at)
        return max(delay - took, delay * LEAST_WAIT)

    def _is_alone(self, error: BaseException | None) -> bool:
        """Whether a request for entries failed while others were answered."""
        answered = isinstance(error, FetchError) and not isinstance(error, Unavailable)
        since = self._clock.seconds() - self._entries_at
        return 0 <= since <= (ALONE_SECONDS_ANSWERED if answered else ALONE_SECONDS)

    def _note(self) -> None:
        self._stats.health = self._health.status
        self._stats.consecutive_failures = self._health.consecutive_failures

    def head_attempts(self) -> int:
        """Failed looks at the head in a row."""
        return self._health.attempts(Activity.HEAD)

    def backoff(self, attempts: int) -> float:
        """Seconds to wait after so many failures in a row; an unhealthy log is not asked more
        often than one that is not yet."""
        settings = self._settings
        longest = min(settings.retry_max_delay, settings.health_check_interval)
        return backoff_delay(attempts, settings.retry_initial_delay, longest, self._rng)

    def unexpected(self, failure: Failure) -> None:
        """An error of this program: told with its traceback, once a kind."""
        if failure.type not in self._reported:
            self._reported.add(failure.type)
            log.failure(
                "{log}: unexpected error (told once a kind); trying on",
                failure,
                log=self._stats.name,
            )
