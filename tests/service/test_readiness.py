"""Tests of :mod:`certstream_tx.service.readiness`, before a real socket of datagrams."""

import os
import socket
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.service.readiness import Readiness
from tests.events import collected_events

MAIN = f"READY=1\nMAINPID={os.getpid()}"


class ReadinessTests(SynchronousTestCase):
    """What a service manager hears."""

    def setUp(self) -> None:
        self.clock = Clock()
        # Not trial's folder, whose path may be too long for the address of a socket.
        folder = tempfile.TemporaryDirectory(prefix="readiness")
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "notify")
        self.manager = self.listen(self.path)

    def listen(self, address: str) -> socket.socket:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(manager.close)
        manager.bind(address)
        return manager

    def heard(self, manager: socket.socket | None = None) -> list[str]:
        """The datagrams that have come since."""
        found = []
        while True:
            try:
                found.append((manager or self.manager).recv(4096).decode())
            except BlockingIOError:
                return found

    def readiness(self, **environment: str) -> Readiness:
        return Readiness({"NOTIFY_SOCKET": self.path, **environment}, self.clock)

    def test_ready_when_the_reactor_turns(self) -> None:
        """Not when it is started, but when it runs; and once."""
        readiness = self.readiness()
        readiness.startService()
        self.assertEqual(self.heard(), [])
        self.clock.advance(0)
        self.assertEqual(self.heard(), [MAIN])
        self.clock.advance(3600)
        self.assertEqual(self.heard(), [])

    def test_signs_of_life(self) -> None:
        """Two in each period that the manager gives, for as long as it runs."""
        readiness = self.readiness(WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid()))
        readiness.startService()
        self.clock.advance(0)
        self.assertEqual(self.heard(), [MAIN, "WATCHDOG=1"])
        self.clock.advance(9.9)
        self.assertEqual(self.heard(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.heard(), ["WATCHDOG=1"])
        self.clock.pump([10, 10])
        self.assertEqual(self.heard(), ["WATCHDOG=1"] * 2)
        readiness.stopService()
        self.assertEqual(self.heard(), ["STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopping_before_it_was_ready(self) -> None:
        """A stop that comes first is told alone."""
        readiness = self.readiness()
        readiness.startService()
        readiness.stopService()
        self.clock.advance(1)
        self.assertEqual(self.heard(), ["STOPPING=1"])

    def test_stopping_twice(self) -> None:
        """It is told once."""
        readiness = self.readiness()
        readiness.startService()
        self.clock.advance(0)
        readiness.stopService()
        readiness.stopService()
        self.assertEqual(self.heard(), [MAIN, "STOPPING=1"])

    def test_watchdog_of_another_process(self) -> None:
        """A period that is meant for another process is not kept."""
        self.readiness(WATCHDOG_USEC="20000000", WATCHDOG_PID="1").startService()
        self.clock.pump([0, 60])
        self.assertEqual(self.heard(), [MAIN])

    def test_watchdog_that_means_nothing(self) -> None:
        """Nor is one that is no period."""
        for period in ("", "0", "-5", "soon"):
            readiness = self.readiness(WATCHDOG_USEC=period)
            readiness.startService()
            self.clock.pump([0, 60])
            self.assertEqual(self.heard(), [MAIN], period)

    def test_watchdog_that_is_too_short(self) -> None:
        """One of a microsecond does not keep the process busy."""
        self.readiness(WATCHDOG_USEC="1").startService()
        self.clock.pump([0] + [0.001] * 100)
        self.assertLessEqual(len(self.heard()), 15)

    def test_abstract_socket(self) -> None:
        """An address that is no file is understood."""
        name = f"certstream-test-{os.getpid()}"
        manager = self.listen(f"\0{name}")
        Readiness({"NOTIFY_SOCKET": f"@{name}"}, self.clock).startService()
        self.clock.advance(0)
        self.assertEqual(self.heard(manager), [MAIN])

    def test_nobody_asks(self) -> None:
        """Without a socket nothing is done, and no timer runs."""
        for environment in ({}, {"NOTIFY_SOCKET": ""}):
            readiness = Readiness({**environment, "WATCHDOG_USEC": "1000000"}, self.clock)
            readiness.startService()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            readiness.stopService()
        self.assertEqual(self.heard(), [])

    def test_manager_that_cannot_be_reached(self) -> None:
        """It is told once, and the server goes on; when it is back, it hears again."""
        self.manager.close()
        readiness = self.readiness(WATCHDOG_USEC="2000000")
        readiness.startService()
        with collected_events() as events:
            self.clock.pump([0, 1, 1])
        self.assertEqual([event["path"] for event in events], [self.path])
        os.unlink(self.path)
        manager = self.listen(self.path)
        self.clock.advance(1)
        self.assertEqual(self.heard(manager), ["WATCHDOG=1"])
