"""Whether a log can be read, judged by what came of the last requests in a row."""

from enum import Enum


class Activity(Enum):
    """What is asked of a log; each can fail alone: heads may come while entries do not."""

    HEAD = "head"
    ENTRIES = "entries"


class Health:
    """Counts in a row.

    ``attempts_per_failure`` failed requests make one failure, ``unhealthy_threshold`` failures in
    a row an unhealthy log, ``healthy_threshold`` answers in a row, with nothing failing, a healthy
    one again.
    """

    def __init__(
        self, attempts_per_failure: int, unhealthy_threshold: int, healthy_threshold: int
    ) -> None:
        self.healthy = True
        self._attempts_per_failure = attempts_per_failure
        self._unhealthy_threshold = unhealthy_threshold
        self._healthy_threshold = healthy_threshold
        self._attempts = dict.fromkeys(Activity, 0)
        self._answers = 0

    @property
    def consecutive_failures(self) -> int:
        """Failures in a row of that activity which fares worst."""
        return max(self._attempts.values()) // self._attempts_per_failure

    def attempts(self, activity: Activity) -> int:
        """Failed requests in a row of this activity."""
        return self._attempts[activity]

    def failed(self, activity: Activity) -> bool:
        """Note a failed request; whether it made a healthy log unhealthy."""
        self._attempts[activity] += 1
        self._answers = 0
        if self.healthy and self.consecutive_failures >= self._unhealthy_threshold:
            self.healthy = False
            return True
        return False

    def answered(self, activity: Activity) -> bool:
        """Note an answer that could be used; whether it made an unhealthy log healthy."""
        self._attempts[activity] = 0
        if self.healthy:
            return False
        self._answers += 1
        if self._answers >= self._healthy_threshold and not any(self._attempts.values()):
            self.healthy = True
            return True
        return False
