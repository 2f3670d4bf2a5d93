"""Tests of :mod:`certstream_tx.service.log_output`: how events look, and where they go."""

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import Application
from twisted.internet.task import Clock
from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    Logger,
    LogLevel,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.python import log as legacy
from twisted.python import usage
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.events import logger
from certstream_tx.service.log_output import QuietRepeats, choose_observer, json_line, json_lines
from certstream_tx.service.server import Server
from tests.events import collected_events


class Launcher(usage.Options):
    """The options of a launcher, as far as they are asked for."""

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.update(values)


class Terminal(io.StringIO):
    """A standard output that is one."""

    def isatty(self) -> bool:
        return True


class Threads:
    """Runs at once what comes from elsewhere."""

    def callFromThread(self, function: Any, *args: Any) -> None:
        function(*args)


class LineTests(SynchronousTestCase):
    """An event as a line of JSON."""

    def line(self, **event: Any) -> dict[str, Any]:
        written = json_line(
            {
                "log_time": 1779302893.4567,
                "log_level": LogLevel.warn,
                "log_namespace": "certstream_tx.test",
                "log_format": "{log} is {how}",
                **event,
            }
        )
        assert written is not None
        self.assertEqual(written.count("\n"), 1)
        self.assertTrue(written.endswith("\n"))
        found: dict[str, Any] = json.loads(written)
        return found

    def test_what_is_in_it(self) -> None:
        """Time, level, who, what, and the values it was said with."""
        self.assertEqual(
            self.line(log="Argon", how="slow", size=12, share=0.5, ok=True),
            {
                "time": "2026-05-20T18:48:13.456Z",
                "level": "warn",
                "logger": "certstream_tx.test",
                "message": "Argon is slow",
                "fields": {"log": "Argon", "how": "slow", "size": 12, "share": 0.5, "ok": True},
            },
        )

    def test_values_that_json_has_not(self) -> None:
        """Errors are texts, numbers that are none too, and of objects only the message speaks."""
        line = self.line(log=None, how=object, error=OSError("full"), rate=float("nan"))
        self.assertEqual(line["fields"], {"error": "full", "rate": "nan"})

    def test_nothing_breaks_the_line(self) -> None:
        """Whatever a log calls itself."""
        name = 'a"\n\r\u2028\ud800\x00b'
        line = self.line(log=name, how="odd")
        self.assertEqual(line["message"], f"{name} is odd")
        self.assertEqual(line["fields"]["log"], name)

    def test_failure(self) -> None:
        """A traceback is a field."""
        try:
            raise ValueError("bad")
        except ValueError:
            line = self.line(log="A", how="B", log_failure=Failure())
        self.assertIn("ValueError: bad", line["traceback"])
        self.assertEqual(line["message"], "A is B")

    def test_nothing_to_say(self) -> None:
        """No line."""
        self.assertIsNone(json_line({"log_time": 0.0, "log_format": ""}))

    def test_lines_of_real_events(self) -> None:
        """Ours, Twisted's newer and its older ones."""
        out = io.StringIO()
        observer = json_lines(out)
        with collected_events() as events:
            logger("certstream_tx.test").info("ours {n}", n=1)
            Logger(namespace="other").error("newer")
            legacy.msg("older")
        for event in events:
            observer(event)
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual(
            [(line["logger"], line["level"], line["message"]) for line in lines],
            [
                ("certstream_tx.test", "info", "ours 1"),
                ("other", "error", "newer"),
                ("twisted", "info", "older"),
            ],
        )
        self.assertEqual([line.get("fields") for line in lines], [{"n": 1}, None, None])


class ChoiceTests(SynchronousTestCase):
    """What the launchers are told."""

    def choose(self, launcher: usage.Options | None, log_format: str | None) -> Any:
        return choose_observer(launcher, log_format, Threads())  # type: ignore[arg-type]

    def test_standard_output(self) -> None:
        """twistd in the foreground: JSON unless it is a terminal, or as it is said."""
        for out, log_format, is_json in (
            (io.StringIO(), None, True),
            (Terminal(), None, False),
            (Terminal(), "json", True),
            (io.StringIO(), "text", False),
        ):
            for name in ("", "-"):
                self.patch(sys, "stdout", out)
                observer = self.choose(Launcher(nodaemon=1, logfile=name), log_format)
                self.assertEqual(observer is not None, is_json, (out, log_format))
                if observer is not None:
                    observer({"log_time": 0.0, "log_format": "hello"})
                    self.assertIn('"hello"', out.getvalue())

    def test_file(self) -> None:
        """A file that is named, or a daemon's own, in the folder it was started in."""
        self.addCleanup(os.chdir, Path.cwd())
        folder = Path(self.mktemp())
        folder.mkdir()
        os.chdir(folder)
        self.patch(signal, "getsignal", lambda number: signal.SIG_IGN)
        for launcher, name in (
            (Launcher(nodaemon=0, logfile=""), "twistd.log"),
            (Launcher(nodaemon=0, logfile="other.log"), "other.log"),
            (Launcher(nodaemon=1, logfile="third.log"), "third.log"),
        ):
            self.choose(launcher, None)({"log_time": 0.0, "log_format": "hello"})
            self.assertEqual(json.loads(Path(name).read_text())["message"], "hello")
            self.assertIsNone(self.choose(launcher, "text"))

    def test_rotation(self) -> None:
        """SIGUSR1 begins a new file, as with twistd's own."""
        handlers: dict[int, Any] = {}
        self.patch(signal, "getsignal", lambda number: signal.SIG_DFL)
        self.patch(signal, "signal", handlers.__setitem__)
        path = Path(self.mktemp())
        observer = self.choose(Launcher(nodaemon=0, logfile=str(path)), "json")
        observer({"log_time": 0.0, "log_format": "before"})
        handlers[signal.SIGUSR1](signal.SIGUSR1, None)
        observer({"log_time": 0.0, "log_format": "after"})
        self.assertIn("after", path.read_text())
        self.assertIn("before", path.with_name(f"{path.name}.1").read_text())

    def test_other_places(self) -> None:
        """Who asked for syslog or an observer gets that; a daemon without output is twistd's."""
        for options in (
            {"nodaemon": 0, "logfile": "", "syslog": 1},
            {"nodaemon": 1, "logfile": "", "logger": lambda: None},
            {"nodaemon": 0, "logfile": "-"},
        ):
            self.assertIsNone(self.choose(Launcher(**options), "json"))

    def test_twist(self) -> None:
        """What ``log_format`` says, else what twist's options say; JSON is always of one kind."""
        for log_format, own, expected in (
            (None, "text", textFileLogObserver),
            (None, "json", json_lines),
            ("text", "json", textFileLogObserver),
            ("json", "text", json_lines),
        ):
            factory = jsonFileLogObserver if own == "json" else textFileLogObserver
            launcher = Launcher(logFormat=own, fileLogObserverFactory=factory)
            self.assertIsNone(self.choose(launcher, log_format))
            self.assertIs(launcher["fileLogObserverFactory"], expected)

    def test_application_file(self) -> None:
        """Its own affair; who asked for a format is told."""
        with collected_events() as events:
            self.assertIsNone(self.choose(None, None))
            self.assertEqual(events, [])
            self.assertIsNone(self.choose(None, "json"))
            self.assertEqual(len(events), 1)

    def test_application_carries_it(self) -> None:
        """The server brings its observer into the application, unless that has one."""
        ours = FileLogObserver(io.StringIO(), json_line)
        for theirs in (None, textFileLogObserver(io.StringIO())):
            server = Server(Clock(), [], [])
            server.log_observer = ours
            application = Application("test")
            if theirs is not None:
                application.setComponent(ILogObserver, theirs)
            server.setServiceParent(application)
            self.assertIs(application.getComponent(ILogObserver), theirs or ours)


class QuietRepeatsTests(SynchronousTestCase):
    """The limit of repeats."""

    def test_while_it_runs(self) -> None:
        """Repeats are held back between start and stop."""
        log, quiet = logger("certstream_tx.test"), QuietRepeats()
        counts = []
        for step in (quiet.startService, quiet.stopService):
            step()
            with collected_events() as events:
                log.info("again")
                log.info("again")
            counts.append(len(events))
        self.assertEqual(counts, [1, 2])
