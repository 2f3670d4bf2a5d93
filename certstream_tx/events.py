"""Log events for operators, behind one gate that knows the configured level.

``log`` already means a Certificate Transparency log here, so what the program itself has to say
are its events.
"""

from dataclasses import dataclass

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import implementer

MAX_REMEMBERED = 1000
"""texts whose repeats are counted: far more than there are logs, and a bound for what logs say"""


@dataclass(slots=True)
class _Told:
    """When a text was last let through, and how often it was held back since."""

    at: float
    held_back: int = 0


@implementer(ILogObserver)
class _Repeats:
    """Holds back what was told a short time ago, word for word.

    How often that was is told when it is told the next time.
    """

    def __init__(self, observer: ILogObserver) -> None:
        self._observer = observer
        self.limit(0)

    def limit(self, seconds: float) -> None:
        """Set the time, and forget what was told."""
        self._seconds = seconds
        self._told: dict[tuple[str, str], _Told] = {}

    def __call__(self, event: LogEvent) -> None:
        """Pass the event on, unless it is a repeat."""
        if not self._seconds:
            self._observer(event)
            return
        now: float = event["log_time"]
        text = (event["log_namespace"], formatEvent(event))
        before = self._told.get(text)
        # A clock that was set back must not silence anything.
        if before is not None and 0 <= now - before.at < self._seconds:
            before.held_back += 1
            return
        self._told.pop(text, None)
        if len(self._told) >= MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        self._told[text] = _Told(now)
        if before is not None and before.held_back:
            told = f"{event['log_format']} ({{repeats}} times more before)"
            event = {**event, "log_format": told, "repeats": before.held_back}
        self._observer(event)


_level = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
_repeats = _Repeats(globalLogPublisher)
_gate = FilteringLogObserver(_repeats, [_level])

LEVELS = ("debug", "info", "warn", "error")


def logger(namespace: str) -> Logger:
    """A logger whose events below the configured level go nowhere."""
    return Logger(namespace=namespace, observer=_gate)


def set_level(name: str) -> None:
    """Let events of this level (one of ``LEVELS``) and above through, from now on."""
    _level.setLogLevelForNamespace("", LogLevel.levelWithName(name))


def limit_repeats(seconds: float) -> None:
    """Tell the same thing at most once in ``seconds``, from now on; 0: as often as it happens."""
    _repeats.limit(seconds)
