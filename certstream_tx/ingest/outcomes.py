"""What comes of the requests to one log: judged, counted, told to the operator."""

from random import Random
from typing import Final

from twisted.python.failure import Failure

from certstream_tx.events import logger
from certstream_tx.ingest.backoff import backoff_delay
from certstream_tx.ingest.errors import BadSignature, FetchError, Lagging, Throttled
from certstream_tx.ingest.health import Activity, Health
from certstream_tx.ingest.settings import PollSettings
from certstream_tx.stats import LogStats

log = logger("certstream_tx.ingest.outcomes")

THROTTLED_WAIT: Final = 0.1
"""Seconds before a throttled request is sent back to wait for its turn: the pace says when that
is, this only sees to it that a pace without limit is never asked in a tight loop."""
LAGGING_PATIENCE: Final = 10
"""Times in a row that a replica may be behind its head before that counts as a failure."""
BAD_SIGNATURES_TOLD: Final = 3
"""In a row: one may be an answer damaged on its way, three are another key or another log."""


class Outcomes:
    """Says how long to wait after a failure, and once when a log falls ill and when it is well."""

    def __init__(self, stats: LogStats, settings: PollSettings, rng: Random) -> None:
        self._stats = stats
        self._settings = settings
        self._rng = rng
        self._health = Health(
            settings.retry_max_attempts, settings.unhealthy_threshold, settings.healthy_threshold
        )
        self._reported: set[type[BaseException] | None] = set()

    @property
    def healthy(self) -> bool:
        """Whether the log can be read, by the thresholds of the configuration."""
        return self._health.healthy

    def answered(self, activity: Activity) -> None:
        """A request gave what it should."""
        if self._health.answered(activity):
            log.info("{log} can be read again", log=self._stats.name)
        self._stats.consecutive_failures = self._health.consecutive_failures

    def failed(self, activity: Activity, failure: Failure, attempts: int) -> float:
        """A request failed, the ``attempts``-th time in a row (1 is the first).

        Gives the seconds to wait before it is tried again: as long as it takes, never for good.
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
        if self._health.failed(activity):
            log.warn(
                "{log} cannot be read: {reason}. It is asked again until it can",
                log=self._stats.name,
                reason=failure.getErrorMessage(),
            )
        self._stats.consecutive_failures = self._health.consecutive_failures
        return self.backoff(attempts)

    def head_attempts(self) -> int:
        """Failed looks at the head in a row."""
        return self._health.attempts(Activity.HEAD)

    def backoff(self, attempts: int) -> float:
        """Seconds to wait after so many failures in a row."""
        settings = self._settings
        return backoff_delay(
            attempts, settings.retry_initial_delay, settings.retry_max_delay, self._rng
        )

    def unexpected(self, failure: Failure) -> None:
        """An error of this program: told with its traceback, once a kind."""
        if failure.type not in self._reported:
            self._reported.add(failure.type)
            log.failure(
                "{log}: unexpected error (told once a kind); trying on",
                failure,
                log=self._stats.name,
            )
