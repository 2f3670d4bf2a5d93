"""Whether a log can be read, judged by what came of the last requests in a row."""

from enum import Enum

from certstream_tx.stats import LogStatus


class Activity(Enum):
    """What is asked of a log; each can fail alone: heads may come while entries do not."""

    HEAD = "head"
    ENTRIES = "entries"


class Health:
    """Counts in a row, and the circuit breaker that they trip.

    ``attempts_per_failure`` failed requests make one failure. A failure makes a log degraded,
    ``unhealthy_threshold`` failures in a row make it unhealthy, ``healthy_threshold`` answers in a
    row, with nothing failing, make it healthy again.

    An unhealthy log rests (the breaker is open): nothing but its head is asked for, and that
    rarely. Once that comes, it recovers (half-open): heads are asked for as usual, and when there
    were enough of them entries too, if it was they that failed. One failure, and it rests again.
    """

    def __init__(
        self, attempts_per_failure: int, unhealthy_threshold: int, healthy_threshold: int
    ) -> None:
        self.status = LogStatus.HEALTHY
        self._attempts_per_failure = attempts_per_failure
        self._unhealthy_threshold = unhealthy_threshold
        self._healthy_threshold = healthy_threshold
        self._attempts = dict.fromkeys(Activity, 0)
        self._answers = 0

    @property
    def consecutive_failures(self) -> int:
        """Failures in a row of that activity which fares worst."""
        return max(self._attempts.values()) // self._attempts_per_failure

    @property
    def resting(self) -> bool:
        """Whether only the head may be asked for, and that rarely."""
        return self.status is LogStatus.UNHEALTHY and not self._answers

    @property
    def recovering(self) -> bool:
        """Whether more heads must come before anything else is asked for."""
        return self.status is LogStatus.UNHEALTHY and 0 < self._answers < self._healthy_threshold

    def attempts(self, activity: Activity) -> int:
        """Failed requests in a row of this activity."""
        return self._attempts[activity]

    def failed(self, activity: Activity, *, alone: bool = False) -> bool:
        """Note a failed request; whether it made the log unhealthy.

        ``alone``: others of the kind were answered lately. However many fail, they make one
        failure: what cannot be had then is not the log.
        """
        attempts = self._attempts[activity]
        if not alone or attempts < self._attempts_per_failure:
            self._attempts[activity] = attempts + 1
        self._answers = 0
        if self.status is LogStatus.UNHEALTHY or not self.consecutive_failures:
            return False
        ill = self.consecutive_failures >= self._unhealthy_threshold
        self.status = LogStatus.UNHEALTHY if ill else LogStatus.DEGRADED
        return ill

    def answered(self, activity: Activity) -> bool:
        """Note an answer that could be used; whether it ended that the log was unhealthy."""
        self._attempts[activity] = 0
        if self.status is LogStatus.HEALTHY:
            return False
        self._answers += 1
        if self._answers < self._healthy_threshold or any(self._attempts.values()):
            return False
        was_ill = self.status is LogStatus.UNHEALTHY
        self.status = LogStatus.HEALTHY
        return was_ill
