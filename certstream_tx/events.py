"""Log events for operators, behind one gate that knows the configured level.

``log`` already means a Certificate Transparency log here, so what the program itself has to say
are its events.
"""

from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogPublisher,
)

_level = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
_gate = FilteringLogObserver(globalLogPublisher, [_level])

LEVELS = ("debug", "info", "warn", "error")


def logger(namespace: str) -> Logger:
    """A logger whose events below the configured level go nowhere."""
    return Logger(namespace=namespace, observer=_gate)


def set_level(name: str) -> None:
    """Let events of this level (one of ``LEVELS``) and above through, from now on."""
    _level.setLogLevelForNamespace("", LogLevel.levelWithName(name))
