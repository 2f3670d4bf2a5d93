"""WebSocket clients: the handshake, what is sent, what is answered, how it ends."""

import weakref
from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.framing import OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT
from certstream_tx.hub import Stream
from certstream_tx.serve.wires.bounded_input import MAX_FRAMES, MAX_INPUT_BYTES
from certstream_tx.serve.wires.websocket import _HANDSHAKE_LEFTOVERS, MAX_MESSAGE_BYTES
from tests.hub.messages import Numbered
from tests.serve.visitor import ACCEPT, House, Visitor, masked


class HouseTestCase(SynchronousTestCase):
    """With a site in memory."""

    def setUp(self) -> None:
        self.house = House()
        self.addCleanup(self.house.close)

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            self.house.hub.publish(Numbered(number))
        self.house.hub.flush()

    def close_code(self, visitor: Visitor) -> int:
        """The code of the close frame that arrived; it is the last frame."""
        opcode, payload = visitor.frames()[-1]
        self.assertEqual(opcode, OPCODE_CLOSE)
        return int.from_bytes(payload[:2], "big")


class HandshakeTests(HouseTestCase):
    """Who is let in, where, and how."""

    def test_answer(self) -> None:
        """The answer proves that the key was read (RFC 6455 section 1.3) and promises nothing."""
        visitor = self.house.visitor()
        visitor.upgrade(b"/")
        answer = visitor.answer()
        self.assertEqual(answer.status, 101)
        self.assertEqual(answer.headers[b"sec-websocket-accept"], ACCEPT)
        self.assertNotIn(b"sec-websocket-extensions", answer.headers)
        self.assertNotIn(b"sec-websocket-protocol", answer.headers)

    def test_greeting(self) -> None:
        """A heartbeat message and a ping come at once."""
        visitor = self.house.visitor()
        visitor.upgrade(b"/")
        visitor.answer()
        heartbeat = b'{"message_type":"heartbeat","timestamp":1700000000}'
        self.assertEqual(visitor.frames(), [(OPCODE_TEXT, heartbeat), (OPCODE_PING, b"")])

    def test_paths(self) -> None:
        """Each stream is at its path, with and without a slash, whatever the query asks."""
        streams = {b"/": b"lite", b"/full-stream": b"full", b"/domains-only": b"domains"}
        for path, stream in streams.items():
            for variant in (path, path.rstrip(b"/") + b"/", path + b"?buffer=1&x=%00&x"):
                visitor = self.house.open(variant)
                self.publish(1)
                self.assertEqual(visitor.texts(), [stream + b" 1 "], variant)
                visitor.hang_up()

    def test_any_origin(self) -> None:
        """Pages from anywhere may connect, and files, and browsers that hide the origin."""
        for origin in (b"https://elsewhere.example", b"null", b"file://", b"chrome-extension://ab"):
            self.house.open(b"/", b"Origin: " + origin)

    def test_offers_are_declined(self) -> None:
        """Extensions and subprotocols may be offered; none is needed."""
        visitor = self.house.visitor()
        visitor.upgrade(
            b"/",
            b"Sec-WebSocket-Extensions: permessage-bzip2, x-webkit-deflate-frame",
            b"Sec-WebSocket-Protocol: chat, superchat",
        )
        answer = visitor.answer()
        self.assertEqual(answer.status, 101)
        self.assertNotIn(b"sec-websocket-extensions", answer.headers)
        self.assertNotIn(b"sec-websocket-protocol", answer.headers)

    def test_bad_handshakes(self) -> None:
        """A handshake that is not one is refused with an error in JSON, and the connection ends."""
        cases: list[tuple[bytes | None, str, int]] = [
            (None, "Sec_WebSocket_Key", 400),
            (b"short", "Sec_WebSocket_Key", 400),
            (None, "Connection", 400),
            (b"close", "Connection", 400),
            (None, "Sec_WebSocket_Version", 400),
            (b"99", "Sec_WebSocket_Version", 400),
            (b"x\x0bHTTP/1.1 200", "Origin", 400),
        ]
        for value, name, status in cases:
            visitor = self.house.visitor()
            visitor.upgrade(b"/", **{name: value})
            answer = visitor.answer()
            self.assertEqual(answer.status, status, (name, value))
            self.assertEqual(answer.headers[b"content-type"], b"application/json")
            self.assertIn(b'{"error":"', answer.body)
            self.assertIsNotNone(visitor.closed, (name, value))
        self.assertEqual(len(self.house.clients), 0)

    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "Sec_WebSocket_Extensions",
                    "Sec_WebSocket_Protocol",
                    "Sec_WebSocket_Version",
                    "Sec_WebSocket_Key",
                    "Origin",
                    "Connection",
                    "X_Forwarded_For",
                ]
            ),
            st.one_of(
                st.binary(max_size=30).filter(lambda v: not set(v) & set(b"\r\n\0")),
                st.sampled_from(
                    [
                        b"permessage-deflate; client_max_window_bits=99",
                        b"permessage-deflate; client_max_window_bits=8; client_max_window_bits",
                        b'permessage-deflate; x="; permessage-bzip2; =;;,',
                        b"http://[::1",
                        b"http://x:99999",
                        b"a, a",
                        b"Upgrade, upgrade",
                    ]
                ),
            ),
            min_size=1,
            max_size=4,
        ),
        st.sampled_from([b"/", b"/?%", b"/#x", b"//[", b"/;p?a=b&a", b"http://[/"]),
    )
    @settings(deadline=None, max_examples=200)
    def test_any_headers(self, headers: dict[str, bytes], path: bytes) -> None:
        """Whatever a handshake's headers say, it is answered, and nothing is raised."""
        house = House()
        visitor = house.visitor()
        visitor.upgrade(path, **headers)
        self.assertIn(visitor.answer().status, (101, 400, 404))
        house.close()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_unsupported_version_names_the_supported(self) -> None:
        """Who speaks another version is told which there are (RFC 6455 section 4.4)."""
        visitor = self.house.visitor()
        visitor.upgrade(b"/", Sec_WebSocket_Version=b"99")
        self.assertIn(b"13", visitor.answer().headers[b"sec-websocket-version"])

    def test_old_http_and_bodies_are_refused(self) -> None:
        """HTTP/1.0 cannot upgrade, and a handshake has no body that could pass for frames."""
        old = self.house.visitor()
        old.send(b"GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        self.assertEqual(old.answer().status, 400)
        visitor = self.house.visitor()
        visitor.upgrade(b"/", b"Content-Length: 6")
        visitor.send(masked(9))
        self.assertEqual(visitor.answer().status, 400)

    def test_disabled_stream(self) -> None:
        """The path of a stream that is not served is not found."""
        house = House(streams=[Stream.FULL])
        self.addCleanup(house.close)
        for path, status in ((b"/", 404), (b"/domains-only", 404), (b"/full-stream", 101)):
            visitor = house.visitor()
            visitor.upgrade(path)
            self.assertEqual(visitor.answer().status, status, path)

    def test_nothing_is_left_of_the_handshake(self) -> None:
        """When it is open, the request, its channel and what was read of it are gone, at once."""
        visitor = self.house.visitor()
        channel = weakref.ref(visitor.transport.protocol)
        visitor.upgrade(b"/")
        protocol = visitor.transport.protocol
        self.assertIsNone(channel())
        self.assertEqual(set(vars(protocol)) & set(_HANDSHAKE_LEFTOVERS), set())

    def test_gone_client_is_freed(self) -> None:
        """A client that left is not kept until the next garbage collection."""
        visitor = self.house.open()
        protocol = weakref.ref(visitor.transport.protocol)
        visitor.hang_up()
        visitor.transport.protocol = None
        self.assertIsNone(protocol())


class StreamTests(HouseTestCase):
    """What clients get."""

    def test_messages(self) -> None:
        """Each message is one text frame, in order."""
        visitor = self.house.open()
        self.publish(1, 2)
        self.publish(3)
        expected = [(OPCODE_TEXT, b"lite %d " % n) for n in (1, 2, 3)]
        self.assertEqual(visitor.frames(), expected)

    def test_begins_with_the_connection(self) -> None:
        """A new client gets what is published from then on."""
        self.house.open()
        self.publish(1)
        visitor = self.house.open()
        self.publish(2)
        self.assertEqual(visitor.texts(), [b"lite 2 "])

    def test_leaving_ends_the_subscription(self) -> None:
        """Without clients the stream is not in use."""
        visitor = self.house.open()
        self.assertTrue(self.house.hub.in_use(Stream.LITE))
        visitor.hang_up()
        self.assertFalse(self.house.hub.in_use(Stream.LITE))
        self.assertEqual(len(self.house.clients), 0)


class InputTests(HouseTestCase):
    """What clients send."""

    def test_data_is_ignored(self) -> None:
        """Text, binary and fragmented messages up to 64 KiB change nothing."""
        visitor = self.house.open()
        visitor.send_frame(OPCODE_TEXT, b"ping")
        visitor.send_frame(2, bytes(range(256)))
        visitor.send_frame(OPCODE_TEXT, b"\xc3", fin=False)
        visitor.send_frame(0, b"\xa9")
        visitor.send_frame(2, b"x" * MAX_MESSAGE_BYTES)
        self.publish(1)
        self.assertEqual(visitor.frames(), [(OPCODE_TEXT, b"lite 1 ")])

    def test_data_is_not_kept(self) -> None:
        """Half a message is not held in memory."""
        visitor = self.house.open()
        visitor.send_frame(OPCODE_TEXT, b"y" * 60000, fin=False)
        protocol = visitor.transport.protocol
        kept = [v for v in vars(protocol).values() if isinstance(v, list | bytes) and len(v) > 9]
        self.assertEqual(kept, [])

    def test_ping_is_answered(self) -> None:
        """A ping, also between the fragments of a message, is answered with its payload."""
        visitor = self.house.open()
        visitor.send_frame(OPCODE_PING, b"first")
        visitor.send_frame(OPCODE_TEXT, b"a", fin=False)
        visitor.send_frame(OPCODE_PING, b"")
        visitor.send_frame(0, b"b")
        self.assertEqual(visitor.frames(), [(OPCODE_PONG, b"first"), (OPCODE_PONG, b"")])

    def test_pong_is_noted(self) -> None:
        """A pong nobody asked for is fine."""
        visitor = self.house.open()
        visitor.send_frame(OPCODE_PONG, b"?")
        self.assertEqual(visitor.frames(), [])

    def test_bytes_one_by_one(self) -> None:
        """Frames may arrive in any pieces."""
        visitor = self.house.open()
        for byte in masked(OPCODE_PING, b"slow"):
            visitor.send(bytes([byte]))
        self.assertEqual(visitor.frames(), [(OPCODE_PONG, b"slow")])

    def test_violations(self) -> None:
        """What RFC 6455 forbids is answered with the close code it has for it, whoever sends it."""
        text = OPCODE_TEXT
        cases = {
            "an unmasked frame": (b"\x81\x01x", 1002),
            "reserved bits": (masked(text, b"x", bits=4), 1002),
            "a reserved data opcode": (masked(3), 1002),
            "a reserved control opcode": (masked(11), 1002),
            "a fragmented control frame": (masked(9, fin=False), 1002),
            "a control frame of 126 bytes": (masked(9, b"x" * 126), 1002),
            "a continuation of nothing": (masked(0, b"x"), 1002),
            "a message within a message": (masked(text, b"x", fin=False) + masked(text), 1002),
            "a length that is longer than need be": (
                b"\x81\xfe" + pack("!H", 5) + b"\0\0\0\0hello",
                1002,
            ),
            "a close frame of one byte": (masked(8, b"x"), 1002),
            "a close code that is not one": (masked(8, pack("!H", 1005)), 1002),
            "text that is not UTF-8": (masked(text, b"\xff"), 1007),
            "text that ends within a character": (masked(text, b"\xe2\x82"), 1007),
            "a close reason that is not UTF-8": (masked(8, pack("!H", 1000) + b"\xff"), 1007),
            "a frame above 64 KiB": (
                b"\x82\xff" + pack("!Q", MAX_MESSAGE_BYTES + 1) + b"m" * 4,
                1009,
            ),
            "a frame of 2^62 bytes": (b"\x82\xff" + pack("!Q", 1 << 62) + b"mask", 1009),
            "a message above 64 KiB": (
                masked(2, b"x" * 40000, fin=False) + masked(0, b"x" * 40000),
                1009,
            ),
        }
        for name, (data, code) in cases.items():
            visitor = self.house.open()
            visitor.send(data)
            self.assertEqual(self.close_code(visitor), code, name)
            self.publish(1)
            self.assertEqual(visitor.frames(), [], name)
            self.house.seconds(5)
            self.assertIsNotNone(visitor.closed, name)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nothing_is_heard_after_a_violation(self) -> None:
        """What a client sends after its violation is thrown away, however much it is."""
        visitor = self.house.open()
        visitor.send(masked(9, fin=False))
        for _ in range(50):
            visitor.send(masked(OPCODE_PING, b"x") * 20)
        self.assertEqual([opcode for opcode, _ in visitor.frames()], [OPCODE_CLOSE])

    def test_flood_of_frames(self) -> None:
        """More frames in a second than any client has use for: close 1008; a hundred are fine."""
        patient, flooding = self.house.open(), self.house.open()
        for _ in range(5):
            patient.send(masked(OPCODE_PING) * MAX_FRAMES)
            self.house.seconds(1)
        flooding.send(masked(OPCODE_PING) * (MAX_FRAMES + 1) * 50)
        self.assertEqual(self.close_code(flooding), 1008)
        self.assertEqual({opcode for opcode, _ in patient.frames()}, {OPCODE_PONG})

    def test_flood_of_bytes(self) -> None:
        """Who sends much in one second is not read until the next one."""
        visitor = self.house.open()
        message = masked(2, b"x" * MAX_MESSAGE_BYTES)
        readers = visitor.transport.descriptors.readers
        sent = 0
        while readers:
            visitor.send(message)
            sent += len(message)
        self.assertLess(sent, MAX_INPUT_BYTES + 2 * len(message))
        self.house.seconds(1)
        self.assertEqual(readers, {visitor.transport})
        self.assertIsNone(visitor.closed)

    @given(st.lists(st.binary(max_size=40), max_size=6))
    @settings(deadline=None, max_examples=150)
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """Whatever bytes a client sends, nothing is raised and others are served."""
        house = House()
        other, hostile = house.open(), house.open()
        for piece in pieces:
            hostile.send(piece)
        house.hub.publish(Numbered(1))
        house.hub.flush()
        self.assertEqual(other.texts(), [b"lite 1 "])
        house.close()
        self.assertEqual(self.flushLoggedErrors(), [])


class ClosingTests(HouseTestCase):
    """How connections end."""

    def test_client_closes(self) -> None:
        """A client's close frame is answered, then the connection is closed in peace."""
        visitor = self.house.open()
        visitor.send_frame(OPCODE_CLOSE, pack("!H", 1000) + b"bye")
        self.assertEqual(visitor.frames(), [(OPCODE_CLOSE, pack("!H", 1000))])
        assert visitor.closed is not None
        visitor.closed.trap(ConnectionDone)
        self.assertEqual(len(self.house.clients), 0)

    def test_client_closes_without_code(self) -> None:
        """An empty close frame is one."""
        visitor = self.house.open()
        visitor.send_frame(OPCODE_CLOSE)
        self.assertEqual(self.close_code(visitor), 1000)

    def test_client_that_is_behind_closes(self) -> None:
        """It gets the close frame before its backlog; if it takes nothing it is cut."""
        visitor = self.house.open()
        visitor.kernel.room = 0
        self.house.hub.publish(Numbered(1, padding=300000))
        self.house.hub.flush()
        transport = visitor.transport
        assert transport.protocol is not None
        transport.protocol.dataReceived(masked(OPCODE_CLOSE))
        self.house.clock.pump([1] * 4)
        transport.turn()
        self.assertTrue(transport.aborted)

    def test_server_stops(self) -> None:
        """Stopping says 1001 to everybody and is done when they have answered."""
        visitors = [self.house.open(path) for path in (b"/", b"/full-stream", b"/domains-only")]
        stopped = self.house.clients.stopService()
        for visitor in visitors:
            self.assertNoResult(stopped)
            self.assertEqual(self.close_code(visitor), 1001)
            visitor.send_frame(OPCODE_CLOSE, pack("!H", 1001))
            assert visitor.closed is not None
            visitor.closed.trap(ConnectionDone)
        self.successResultOf(stopped)

    def test_server_stops_in_time(self) -> None:
        """Clients that do not answer, or take nothing, are cut after a second and a half."""
        silent, stalled = self.house.open(), self.house.open()
        stalled.kernel.room = 0
        self.house.hub.publish(Numbered(1, padding=300000))
        self.house.hub.flush()
        stopped = self.house.clients.stopService()
        self.house.clock.advance(1.6)
        for visitor in (silent, stalled):
            visitor.transport.turn()
            self.assertIsNotNone(visitor.closed)
        self.successResultOf(stopped)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_nobody_is_let_in_while_stopping(self) -> None:
        """A handshake that comes too late gets 503."""
        self.house.open()
        self.house.clients.stopService()
        visitor = self.house.visitor()
        visitor.upgrade(b"/")
        self.assertEqual(visitor.answer().status, 503)

    def test_violation_is_answered(self) -> None:
        """After a violation the connection is closed in peace as soon as the client agrees."""
        visitor = self.house.open()
        visitor.send(b"\x81\x01x")
        visitor.send(masked(OPCODE_PING, b"x"))
        self.assertIsNone(visitor.closed)
        visitor.send(masked(OPCODE_CLOSE, pack("!H", 1002)))
        self.assertEqual(self.close_code(visitor), 1002)
        assert visitor.closed is not None
        visitor.closed.trap(ConnectionDone)

    def test_violation_ends_within_a_second(self) -> None:
        """If the client says nothing that is understood, at the next tick."""
        for more in (b"", b"\x88", masked(OPCODE_CLOSE) + b"x"):
            visitor = self.house.open()
            visitor.send(b"\x81\x01x")
            visitor.send(more)
            self.assertIsNone(visitor.closed)
            self.house.seconds(1)
            self.assertEqual(self.close_code(visitor), 1002)
            assert visitor.closed is not None
            visitor.closed.trap(ConnectionDone)

    def test_violation_of_a_client_that_takes_nothing(self) -> None:
        """It has two seconds to take the close frame, then it is cut."""
        visitor = self.house.open()
        visitor.kernel.room = 0
        self.house.hub.publish(Numbered(1, padding=300000))
        self.house.hub.flush()
        transport = visitor.transport
        assert transport.protocol is not None
        transport.protocol.dataReceived(b"\x81\x01x")
        self.house.clock.pump([1])
        transport.turn()
        self.assertFalse(transport.aborted)
        self.house.clock.pump([1, 1])
        transport.turn()
        self.assertTrue(transport.aborted)

    def test_no_timers_of_single_clients(self) -> None:
        """However many clients there are, there is one timer."""
        for _ in range(20):
            self.house.open()
        # The channel's own deadline was taken back with the upgrade.
        self.assertEqual(len(self.house.clock.getDelayedCalls()), 1)
