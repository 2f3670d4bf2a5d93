"""Tests of :mod:`certstream_tx.serve.ports.invitation`."""

from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.ports.invitation import Invitation
from certstream_tx.serve.ports.listening import LINES, Listening
from tests.events import collected_events
from tests.serve.certificates import server_options


class InvitationTests(SynchronousTestCase):
    """What stands in the log after the start."""

    def said(self, *descriptions: str) -> list[str]:
        reactor = MemoryReactorClock()
        ports = [Listening(each, Factory(), reactor) for each in descriptions]
        for port in ports:
            port.startService()
        with collected_events() as events:
            Invitation(ports).startService()
        return [formatEvent(event) for event in events]

    def test_address_of_all(self) -> None:
        """A client cannot connect to 0.0.0.0: it is told the loopback address."""
        (line,) = self.said("tcp:8080:interface=0.0.0.0")
        self.assertIn("http://127.0.0.1:8080/ in a browser", line)
        self.assertIn("ws://127.0.0.1:8080/full-stream", line)

    def test_encrypted(self) -> None:
        """Behind TLS the scheme of WebSocket is wss."""
        where, memory = "tcp:8443:interface=127.0.0.1", MemoryReactorClock()
        port = Listening(where, Factory(), memory, server_options())
        port.startService()
        with collected_events() as events:
            Invitation([port]).startService()
        self.assertIn("wss://127.0.0.1:8443/", formatEvent(events[0]))

    def test_events(self) -> None:
        """Where events are served, a command shows them."""
        port = Listening("tcp:8080:interface=0.0.0.0", Factory(), MemoryReactorClock())
        port.startService()
        with collected_events() as events:
            Invitation([port], sse=True).startService()
        self.assertIn("curl -N 'http://127.0.0.1:8080/sse?stream=lite'", formatEvent(events[-1]))

    def test_lines(self) -> None:
        """The raw TCP stream's port is no web page: a command shows it, by its kind."""
        memory = MemoryReactorClock()
        for where, tls, command in (
            ("tcp:8081:interface=0.0.0.0", None, "nc 127.0.0.1 8081 "),
            ("tcp:8081:interface=\\:\\:", None, "nc ::1 8081 "),
            (
                "tcp:8081:interface=\\:\\:",
                server_options(),
                "openssl s_client -quiet -connect [::1]:8081 ",
            ),
        ):
            port = Listening(where, Factory(), memory, tls, LINES)
            port.startService()
            with collected_events() as events:
                Invitation([port], sse=True).startService()
            (line,) = map(formatEvent, events)
            self.assertIn(command, line)

    def test_no_url(self) -> None:
        """Where there is only a path nothing is promised."""
        self.assertEqual(self.said(), [])
