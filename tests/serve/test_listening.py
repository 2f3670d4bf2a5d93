"""Tests of :mod:`certstream_tx.serve.listening`."""

import socket
import tempfile

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import TestCase

from certstream_tx.serve.listening import ListenError, Listening


class ListeningTests(TestCase):
    """A port that exists, or an error that names it."""

    def listening(self, description: str) -> Listening:
        service = Listening(description, Factory(), reactor)
        self.addCleanup(service.stopService)
        return service

    def test_free_port_is_told(self) -> None:
        """Asked for any port, it knows which one it got."""
        service = self.listening("tcp:0:interface=127.0.0.1")
        service.startService()
        self.assertRegex(service.address, r"^http://127\.0\.0\.1:[1-9]\d*/$")

    def test_binds_once(self) -> None:
        """What was bound with privileges is not bound again."""
        service = self.listening("tcp:0:interface=127.0.0.1")
        service.privilegedStartService()
        before = service.address
        service.startService()
        self.assertEqual(service.address, before)

    def test_taken_port(self) -> None:
        """The endpoint and the cause are named, and nothing runs."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            description = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            service = self.listening(description)
            with self.assertRaises(ListenError) as refused:
                service.startService()
        self.assertEqual(
            str(refused.exception), f"cannot listen on {description}: Address already in use"
        )

    def test_unknown_endpoint(self) -> None:
        """An endpoint string that means nothing is refused before anything starts."""
        for description in ("nosuch:1", "tcp:many", "unix", "tcp:1:2:3:4:5"):
            with self.assertRaises(ListenError) as refused:
                Listening(description, Factory(), MemoryReactorClock())
            self.assertIn(description, str(refused.exception))

    def test_unix_socket(self) -> None:
        """A path is told as a path."""
        path = tempfile.mktemp(prefix="listening")
        service = self.listening(f"unix:{path}")
        service.startService()
        self.assertEqual(service.address, path)

    def test_stops_listening(self) -> None:
        """After the stop nobody is let in any more."""
        service = Listening("tcp:0:interface=127.0.0.1", Factory(), reactor)
        service.startService()
        port = int(service.address.rstrip("/").rpartition(":")[2])
        done = service.stopService()
        assert done is not None

        def refused(_: object) -> None:
            with socket.socket() as client:
                self.assertNotEqual(client.connect_ex(("127.0.0.1", port)), 0)

        checked: Deferred[None] = done.addCallback(refused)
        return checked
