"""Tests of :mod:`certstream_tx.serve.ports.listening`."""

import socket
import tempfile
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from certstream_tx.serve.ports.listening import BACKLOG, LINES, ListenError, Listening
from tests.serve.certificates import self_signed, server_options


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

    def test_tls_is_told(self) -> None:
        """The URL says how it is spoken to."""
        service = Listening("tcp:0:interface=127.0.0.1", Factory(), reactor, server_options())
        self.addCleanup(service.stopService)
        service.startService()
        self.assertRegex(service.address, r"^https://127\.0\.0\.1:")

    def test_kind_is_told(self) -> None:
        """What is no HTTP port is not told as one."""
        for tls, scheme in ((None, "tcp"), (server_options(), "tls")):
            service = Listening("tcp:0:interface=127.0.0.1", Factory(), reactor, tls, LINES)
            self.addCleanup(service.stopService)
            service.startService()
            self.assertRegex(service.address, rf"^{scheme}://127\.0\.0\.1:[1-9]\d*/$")

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
            str(refused.exception), f"cannot listen (Address already in use) on {description}"
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


class EndpointTests(SynchronousTestCase):
    """What the endpoint string becomes."""

    def bound(self, description: str, **options: Any) -> MemoryReactorClock:
        memory = MemoryReactorClock()
        Listening(description, Factory(), memory, **options).startService()
        return memory

    def test_backlog(self) -> None:
        """Long, unless the string says another."""
        for description, backlog in (
            ("tcp:80", BACKLOG),
            ("tcp6:80", BACKLOG),
            ("haproxy:tcp:80:interface=127.0.0.1", BACKLOG),
            ("tcp:80:backlog=7", 7),
            ("tcp:80:127.0.0.1:7", 7),
            ("haproxy:tcp:80:backlog=7", 7),
        ):
            self.assertEqual(self.bound(description).tcpServers[0][2], backlog, description)
        self.assertEqual(self.bound("unix:/run/a").unixServers[0][2], BACKLOG)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        pem = f"{folder.name}/a.pem"
        with open(pem, "wb") as file:
            file.write(self_signed())
        self.assertEqual(self.bound(f"ssl:80:privateKey={pem}").sslServers[0][3], BACKLOG)
        self.assertEqual(self.bound(f"tls:{folder.name}:port=80").tcpServers[0][2], BACKLOG)

    def test_error_names_what_was_given(self) -> None:
        """Not what was made of it."""
        with self.assertRaises(ListenError) as refused:
            Listening("tcp:80:a:b:c", Factory(), MemoryReactorClock())
        self.assertNotIn("backlog=", str(refused.exception))

    def test_tls(self) -> None:
        """TLS from files is put in front of what listens on a plain port."""
        memory = self.bound("tcp:443", tls=server_options())
        self.assertIsInstance(memory.tcpServers[0][1], TLSMemoryBIOFactory)
        self.assertNotIsInstance(self.bound("tcp:443").tcpServers[0][1], TLSMemoryBIOFactory)

    def test_haproxy(self) -> None:
        """The PROXY protocol is read before anything else."""
        factory = self.bound("haproxy:tcp:80").tcpServers[0][1]
        self.assertIsInstance(factory, HAProxyWrappingFactory)
