"""The shared clock: heartbeats in time, pings, and who is dropped."""

from certstream_tx.framing import OPCODE_CLOSE, OPCODE_PING, OPCODE_TEXT, WEBSOCKET
from certstream_tx.hub import Stream, View
from certstream_tx.serve.wires.clients import Clients
from tests.hub.messages import Numbered
from tests.serve.visitor import Visitor
from tests.serve.wires.test_websocket import HouseTestCase


class HeartbeatTests(HouseTestCase):
    """A client gets data or a heartbeat at least every ten seconds."""

    def longest_silence(self, visitor: Visitor, publish_at: set[int], seconds: int = 120) -> int:
        """Seconds between two text frames, at most, when messages come at these seconds."""
        longest = silence = 0
        for second in range(seconds):
            if second in publish_at:
                self.publish(second)
            self.house.seconds(1, pong=[visitor])
            silence = 0 if visitor.texts() else silence + 1
            longest = max(longest, silence)
        return longest

    def test_quiet_stream(self) -> None:
        """Without any data a heartbeat comes in time, however the connection lies to the clock."""
        for offset in range(12):
            self.house.seconds(1)
            visitor = self.house.open(b"/domains-only")
            self.assertLess(self.longest_silence(visitor, set(), 40), 10, offset)
            visitor.hang_up()

    def test_rare_data(self) -> None:
        """Data now and then does not make the next heartbeat late."""
        for offset in range(12):
            visitor = self.house.open()
            times = set(range(offset, 120, 11)) | set(range(offset, 120, 17))
            self.assertLess(self.longest_silence(visitor, times), 10, offset)
            visitor.hang_up()

    def test_busy_stream_has_no_heartbeats(self) -> None:
        """While data flows there is nothing but data."""
        visitor = self.house.open()
        for second in range(60):
            self.publish(second)
            self.house.seconds(1, pong=[visitor])
        self.assertEqual(visitor.texts(), [b"lite %d " % n for n in range(60)])

    def test_heartbeat_tells_the_time(self) -> None:
        """Its timestamp is that moment's."""
        visitor = self.house.open()
        self.house.seconds(9)
        self.assertEqual(visitor.texts(), [b'{"message_type":"heartbeat","timestamp":1700000009}'])

    def test_clients_are_visited_in_parts(self) -> None:
        """Clients that came one after the other are not all written to in the same second."""
        visitors = []
        for _ in range(18):
            visitors.append(self.house.open())
            self.house.seconds(1)
        for visitor in visitors:
            visitor.received()
        written = []
        for _ in range(9):
            self.house.seconds(1)
            written.append(sum(1 for v in visitors if v.texts()))
        self.assertEqual(written, [2] * 9)


class PingTests(HouseTestCase):
    """Peers that are gone are found."""

    def test_pings(self) -> None:
        """A client is pinged at least every thirty seconds, and stays if it does nothing but
        answer."""
        visitor = self.house.open()
        silence = longest = 0
        for _ in range(600):
            self.house.seconds(1, pong=[visitor])
            pinged = OPCODE_PING in [opcode for opcode, _ in visitor.frames()]
            silence = 0 if pinged else silence + 1
            longest = max(longest, silence)
        self.assertTrue(20 <= longest <= 30, longest)
        self.assertIsNone(visitor.closed)

    def test_silent_peer_is_dropped(self) -> None:
        """One that answers nothing for a minute is closed with 1008, counted, and gone."""
        visitor, other = self.house.open(), self.house.open(b"/domains-only")
        self.house.seconds(59, pong=[other])
        self.assertNotIn(OPCODE_CLOSE, [opcode for opcode, _ in visitor.frames()])
        self.house.seconds(11, pong=[other])
        self.assertEqual(self.close_code(visitor), 1008)
        self.house.seconds(3, pong=[other])
        self.assertIsNotNone(visitor.closed)
        self.assertIsNone(other.closed)
        self.assertEqual(self.house.clients.silent_dropped, 1)

    def test_silent_peer_that_takes_nothing(self) -> None:
        """One whose connection is dead is cut, since it will not take a close frame either."""
        visitor = self.house.open()
        visitor.kernel.room = 0
        self.house.hub.publish(Numbered(1, padding=300000))
        self.house.hub.flush()
        for _ in range(75):
            self.house.clock.advance(1)
            visitor.transport.turn()
        self.assertTrue(visitor.transport.aborted)
        self.assertFalse(self.house.hub.in_use(Stream.LITE))

    def test_anything_heard_counts(self) -> None:
        """A client that sends text and never pongs is alive."""
        visitor = self.house.open()
        for _ in range(5):
            self.house.seconds(29)
            visitor.send_frame(OPCODE_TEXT, b"ping")
        self.assertIsNone(visitor.closed)

    def test_intervals_can_be_chosen(self) -> None:
        """Pings every second, where asked for."""
        clients = Clients(
            self.house.clock,
            self.house.hub,
            heartbeat=lambda now: b"{}",
            heartbeat_seconds=2,
            ping_seconds=1,
            silent_seconds=3,
        )
        visits: list[bool] = []

        class Counted:
            wire = WEBSOCKET
            stream = Stream.LITE
            view = View.EVERY
            visits = 0

            def visit(self, heartbeat: bytes | None, ping: bool) -> None:
                visits.append(ping)

        clients.add(Counted())  # type: ignore[arg-type]
        for _ in range(5):
            clients.tick()
        self.assertEqual(visits, [True] * 5)

    def test_clock_survives_a_mistake(self) -> None:
        """An error in one tick is told and does not stop the clock."""

        class Broken:
            wire = WEBSOCKET
            stream = Stream.LITE
            view = View.EVERY
            visits = 0

            def visit(self, heartbeat: bytes | None, ping: bool) -> None:
                raise RuntimeError("broken")

            def abort(self) -> None: ...

        broken = Broken()
        self.house.clients.add(broken)  # type: ignore[arg-type]
        visitor = self.house.open()
        self.house.seconds(9)
        self.house.clients.discard(broken)  # type: ignore[arg-type]
        self.house.seconds(9)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(visitor.texts())
