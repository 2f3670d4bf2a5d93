"""Where events go: JSON lines or text, to the place that the launcher was told to log to.

Twisted's launchers choose the place, and each has its own way of being told the format: ``twist``
by its options, ``twistd`` by what the application carries. An application of somebody else's
composition keeps the observer that it has.
"""

import json
import signal
import sys
from datetime import UTC, datetime
from typing import Any, TextIO, cast

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    LogEvent,
    formatEvent,
    textFileLogObserver,
)
from twisted.python import usage
from twisted.python.logfile import LogFile

from certstream_tx.events import limit_repeats, logger

log = logger("certstream_tx")

REPEAT_SECONDS = 60.0
"""between two events that say the same"""
LEGACY_FIELDS = frozenset(("failure", "format", "isError", "message", "system", "time", "why"))
"""what Twisted adds to an event that observers of its older kind have seen"""


class QuietRepeats(Service):
    """While it runs, what happens again and again is not told each time."""

    def startService(self) -> None:
        """From here on."""
        super().startService()
        limit_repeats(REPEAT_SECONDS)

    def stopService(self) -> None:
        """The end of it."""
        super().stopService()
        limit_repeats(0)


def json_lines(out: TextIO | LogFile) -> FileLogObserver:
    """Writes each event as one line of JSON."""
    return FileLogObserver(cast(TextIO, out), json_line)


def json_line(event: LogEvent) -> str | None:
    """The event as a line; None when it says nothing.

    ``time`` (RFC 3339), ``level``, ``logger`` and ``message`` are always there, ``fields`` when the
    event has values of its own, ``traceback`` when it is about an error of this program.
    """
    message = formatEvent(event)
    failure = event.get("log_failure")
    if not message and failure is None:
        return None
    moment = datetime.fromtimestamp(event["log_time"], UTC)
    level = event.get("log_level")
    # Twisted's older parts say no more than a text.
    legacy = event.get("log_namespace") in (None, "log_legacy")
    line: dict[str, Any] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": "info" if level is None else level.name,
        "logger": "twisted" if legacy else event["log_namespace"],
        "message": message,
    }
    if not legacy and (fields := _fields(event)):
        line["fields"] = fields
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    return json.dumps(line) + "\n"


def _fields(event: LogEvent) -> dict[str, object]:
    """The values that the event was made with, as far as JSON has them."""
    found: dict[str, object] = {}
    added = LEGACY_FIELDS if "log_legacy" in event else ()
    for name, value in event.items():
        if name.startswith("log_") or name in added or value is None:
            continue
        if isinstance(value, bool | int | str):
            found[name] = value
        elif isinstance(value, float):
            # JSON has neither infinity nor NaN.
            found[name] = value if value - value == 0 else str(value)
        elif isinstance(value, Exception):
            found[name] = str(value)
    return found


def choose_observer(
    launcher: usage.Options | None, log_format: str | None, reactor: IReactorFromThreads
) -> ILogObserver | None:
    """What ``log_format`` (None: text on a terminal, else JSON) means under this launcher.

    :param launcher: the options of ``twist`` or ``twistd``; None for an application file
    :return: the observer for the application to carry; None when it shall carry none
    """
    if launcher is None:
        if log_format is not None:
            log.warn("log_format has no effect in an application file, which has its own observer")
        return None
    if "fileLogObserverFactory" in launcher:
        _tell_twist(launcher, log_format)
        return None
    if launcher.get("logger") or launcher.get("syslog"):
        return None
    name: str = launcher.get("logfile") or ""
    to_stdout = name == "-" or (not name and bool(launcher.get("nodaemon")))
    if log_format is None:
        log_format = "text" if to_stdout and sys.stdout.isatty() else "json"
    if log_format == "text" or (name == "-" and not launcher.get("nodaemon")):
        return None  # twistd's own; and it says itself that a daemon has no standard output
    return json_lines(sys.stdout if to_stdout else _log_file(name or "twistd.log", reactor))


def _tell_twist(launcher: usage.Options, log_format: str | None) -> None:
    chosen = log_format or launcher["logFormat"]
    launcher["fileLogObserverFactory"] = json_lines if chosen == "json" else textFileLogObserver


def _log_file(name: str, reactor: IReactorFromThreads) -> LogFile:
    """As twistd's own: SIGUSR1 begins a new file."""
    file: LogFile = LogFile.fromFullPath(name)
    if not signal.getsignal(signal.SIGUSR1):

        def rotate(number: int, frame: object) -> None:
            reactor.callFromThread(file.rotate)

        signal.signal(signal.SIGUSR1, rotate)
    return file
