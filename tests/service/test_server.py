"""Tests of :mod:`certstream_tx.service.server`: starting, stopping, or saying why not."""

import os
import sys
from io import StringIO
from tempfile import TemporaryFile
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.ports.listening import ListenError
from certstream_tx.service.server import STEP_TIMEOUT, Server
from certstream_tx.start_error import StartError
from tests.events import collected_events


class Part(Service):
    """Writes down what happens to it."""

    def __init__(self, name: str, happened: list[str]) -> None:
        self.what = name
        self.happened = happened

    def startService(self) -> None:
        super().startService()
        self.happened.append(f"{self.what} starts")

    def stopService(self) -> None:
        super().stopService()
        self.happened.append(f"{self.what} stops")


class Unbindable(Service):
    """A port that is taken."""

    def privilegedStartService(self) -> None:
        raise ListenError("cannot listen (Address already in use) on tcp:1")

    startService = privilegedStartService


class ServerTests(SynchronousTestCase):
    """The order of things."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.happened: list[str] = []

    def test_stops_one_after_the_other(self) -> None:
        """A step begins when the one before has ended; what no step stops is stopped last."""
        parts = [Part(name, self.happened) for name in ("port", "poller", "extra")]
        slow: Deferred[None] = Deferred()
        server = Server(
            self.clock, parts, [("port", parts[0].stopService), ("drain", lambda: slow)]
        )
        server.startService()
        self.assertEqual(self.happened, ["port starts", "poller starts", "extra starts"])
        self.happened.clear()
        done = server.stopService()
        self.assertEqual(self.happened, ["port stops"])
        self.assertNoResult(done)
        slow.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.happened, ["port stops", "poller stops", "extra stops"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_step_that_never_ends(self) -> None:
        """It is named and left to itself, even if it would not be cancelled."""
        stubborn: Deferred[Any] = Deferred(lambda _: self.fail("cancelled"))
        part = Part("part", self.happened)
        server = Server(self.clock, [part], [("the stubborn one", lambda: stubborn)])
        server.startService()
        with collected_events() as events:
            done = server.stopService()
            self.clock.advance(STEP_TIMEOUT)
        self.successResultOf(done)
        self.assertEqual([event.get("name") for event in events], ["the stubborn one"])
        self.assertIn("part stops", self.happened)
        stubborn.callback(None)

    def test_a_part_that_never_ends(self) -> None:
        """Nor is it waited for without limit when no step is about it."""
        part = Part("part", self.happened)
        part.stopService = Deferred  # type: ignore[assignment]
        server = Server(self.clock, [part], [])
        server.startService()
        done = server.stopService()
        self.assertNoResult(done)
        self.clock.advance(STEP_TIMEOUT)
        self.successResultOf(done)

    def test_a_step_that_fails(self) -> None:
        """It is logged, and the next steps come all the same."""

        def fails() -> None:
            raise ZeroDivisionError

        part = Part("part", self.happened)
        failing: Deferred[None] = Deferred()
        server = Server(self.clock, [part], [("one", fails), ("two", lambda: failing)])
        server.startService()
        done = server.stopService()
        failing.errback(ZeroDivisionError())
        self.successResultOf(done)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertIn("part stops", self.happened)

    def test_cannot_listen(self) -> None:
        """Whichever launcher binds: an exception that is printed as one line."""
        for start in (Server.privilegedStartService, Server.startService):
            self.patch(sys, "excepthook", sys.__excepthook__)
            server = Server(self.clock, [Unbindable()], [])
            with self.assertRaises(StartError) as refused:
                start(server)
            told = "certstream: cannot listen (Address already in use) on tcp:1\n"
            with TemporaryFile("w+") as own, open(os.devnull, "w") as nowhere:
                # A launcher has put its log there; that of a daemon is all that can be read.
                for stderr, plain, logged in (
                    (own, told, ""),
                    (nowhere, "", told),
                    (None, "", told),
                ):
                    log = StringIO()
                    self.patch(sys, "stderr", log)
                    self.patch(sys, "__stderr__", stderr)
                    sys.excepthook(StartError, refused.exception, None)
                    own.seek(0)
                    self.assertEqual((own.read(), log.getvalue()), (plain, logged))
                    own.seek(0)
                    own.truncate()

    def test_other_errors_keep_their_traceback(self) -> None:
        """The hook is for errors of starting only."""
        shown: list[object] = []
        self.patch(sys, "excepthook", sys.__excepthook__)
        self.patch(sys, "__excepthook__", lambda *error: shown.append(error[0]))
        with self.assertRaises(StartError):
            Server(self.clock, [Unbindable()], []).startService()
        sys.excepthook(CancelledError, CancelledError(), None)
        self.assertEqual(shown, [CancelledError])
