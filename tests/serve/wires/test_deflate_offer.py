"""Offers of compression: which are accepted, and what clients that compress may send."""

import zlib
from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.deflate import FLUSH_TAIL
from certstream_tx.framing import OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT
from certstream_tx.hub import Stream
from certstream_tx.serve.wires.deflate_offer import UNREAD, accept
from certstream_tx.serve.wires.websocket import MAX_MESSAGE_BYTES
from tests.hub.messages import Numbered
from tests.serve.deflate import deflated_frames
from tests.serve.visitor import House, Visitor, masked

BROWSER = b"permessage-deflate; client_max_window_bits"
PLAIN = b"permessage-deflate"
NO_OFFER = None

ANSWERS: dict[bytes, bytes | None] = {
    # Browsers, websockets, ws, undici; autobahn; libraries that ask for little of themselves.
    BROWSER: PLAIN,
    b"permessage-deflate": PLAIN,
    b"permessage-deflate; client_no_context_takeover; client_max_window_bits": PLAIN,
    b"permessage-deflate; client_max_window_bits=15": PLAIN,
    b"permessage-deflate; client_max_window_bits=8": PLAIN,
    b'permessage-deflate; client_max_window_bits="10"': PLAIN,
    b"Permessage-Deflate; Client_Max_Window_Bits": PLAIN,
    b"permessage-deflate; server_max_window_bits=15": PLAIN + b"; server_max_window_bits=15",
    b"permessage-deflate;server_max_window_bits=15;client_max_window_bits": (
        PLAIN + b"; server_max_window_bits=15"
    ),
    # The first one that can be shared.
    b"permessage-deflate; server_no_context_takeover, permessage-deflate": PLAIN,
    b"permessage-bzip2, x-webkit-deflate-frame, permessage-deflate": PLAIN,
    b"permessage-deflate; nonsense, permessage-deflate; server_max_window_bits=15": (
        PLAIN + b"; server_max_window_bits=15"
    ),
    # What cannot be shared.
    b"permessage-deflate; server_no_context_takeover": None,
    b"permessage-deflate; server_no_context_takeover; client_no_context_takeover": None,
    b"permessage-deflate; server_max_window_bits=14": None,
    b"permessage-deflate; server_max_window_bits=8; client_max_window_bits": None,
    # What is not as it should be (RFC 7692 section 7.1).
    b"permessage-deflate; server_max_window_bits": None,
    b"permessage-deflate; server_max_window_bits=015": None,
    b"permessage-deflate; server_max_window_bits=16": None,
    b"permessage-deflate; client_max_window_bits=7": None,
    b"permessage-deflate; client_max_window_bits=16": None,
    b"permessage-deflate; client_max_window_bits=015": None,
    b"permessage-deflate; client_max_window_bits=x": None,
    b"permessage-deflate; client_max_window_bits=": None,
    b"permessage-deflate; client_no_context_takeover=1": None,
    b"permessage-deflate; client_max_window_bits; client_max_window_bits": None,
    b"permessage-deflate; nonsense": None,
    b"permessage-deflate; ": None,
    b"permessage-bzip2": None,
    b"": None,
}


class OfferTests(SynchronousTestCase):
    """In the handshake."""

    def setUp(self) -> None:
        self.house = House()
        self.addCleanup(self.house.close)

    def open(self, offer: bytes | None = BROWSER, path: bytes = b"/") -> Visitor:
        """A client that has sent its handshake with this offer."""
        visitor = self.house.visitor()
        visitor.upgrade(path, *([b"Sec-WebSocket-Extensions: " + offer] if offer else []))
        answer = visitor.answer()
        self.assertEqual(answer.status, 101, offer)
        self.extension = answer.headers.get(b"sec-websocket-extensions")
        return visitor

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            self.house.hub.publish(Numbered(number, padding=200))
        self.house.hub.flush()

    def close_code(self, visitor: Visitor) -> int:
        opcode, payload = deflated_frames(visitor.received())[0][-1]
        self.assertEqual(opcode, OPCODE_CLOSE)
        return int.from_bytes(payload[:2], "big")

    def test_answers(self) -> None:
        """Each offer's answer, and frames to match: compressed only where that was said."""
        for offer, answer in ANSWERS.items():
            visitor = self.open(offer)
            self.assertEqual(self.extension, answer, offer)
            visitor.received()
            self.publish(1, 2)
            data = visitor.received()
            self.assertEqual(data[0], 0x81 if answer is None else 0xC1, offer)
            numbers = [payload[:7] for _, payload in deflated_frames(data)[0]]
            self.assertEqual(numbers, [b"lite 1 ", b"lite 2 "], offer)
            visitor.hang_up()

    def test_subprotocol_beside_it(self) -> None:
        """A subprotocol can be chosen as well."""
        visitor = self.house.visitor()
        visitor.upgrade(
            b"/",
            b"Sec-WebSocket-Extensions: " + BROWSER,
            b"Sec-WebSocket-Protocol: certstream",
        )
        headers = visitor.answer().headers
        self.assertEqual(headers[b"sec-websocket-extensions"], PLAIN)
        self.assertEqual(headers[b"sec-websocket-protocol"], b"certstream")

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["permessage-deflate", "x"]),
                st.dictionaries(
                    st.sampled_from(
                        [
                            "client_max_window_bits",
                            "server_max_window_bits",
                            "client_no_context_takeover",
                            "server_no_context_takeover",
                            "x",
                        ]
                    ),
                    st.lists(st.sampled_from([True, "15", "8", "16", "x"]), min_size=1, max_size=2),
                ),
            ),
            max_size=3,
        )
    )
    @settings(deadline=None, max_examples=100)
    def test_never_promises_what_it_does_not_keep(
        self, offers: list[tuple[str, dict[str, list[str | bool]]]]
    ) -> None:
        """An answer names nothing but the window, which is as wide as can be, and only if asked."""
        answer = accept(offers)
        if answer is not None:
            sharable = [
                parameters
                for name, parameters in offers
                if name == "permessage-deflate" and "server_no_context_takeover" not in parameters
            ]
            self.assertTrue(sharable)
            name, _, rest = answer.partition("; ")
            self.assertEqual(name, "permessage-deflate")
            self.assertIn(rest, ("", "server_max_window_bits=15"))
            asked = any("15" in p.get("server_max_window_bits", ()) for p in sharable)
            self.assertLessEqual(bool(rest), asked)

    def test_greeting_is_plain(self) -> None:
        """What is a client's own is not compressed, and changes nothing about the window."""
        visitor = self.open()
        data = visitor.received()
        self.assertEqual(data[0], 0x81)
        self.publish(1)
        self.house.seconds(15, pong=[visitor])
        self.publish(2)
        data += visitor.received()
        frames, rest = deflated_frames(data)
        kinds = [payload[:6] if opcode == OPCODE_TEXT else opcode for opcode, payload in frames]
        self.assertEqual(rest, b"")
        self.assertEqual(kinds, [b'{"mess', OPCODE_PING, b"lite 1", b'{"mess', b"lite 2"])

    def test_streams_and_wires_are_apart(self) -> None:
        """Each stream has a window of its own; plain clients are not touched."""
        visitors = {
            path: (self.open(path=path), self.open(NO_OFFER, path))
            for path in (b"/", b"/full-stream", b"/domains-only")
        }
        self.publish(*range(30))
        self.publish(*range(30, 60))
        for compressed, plain in visitors.values():
            frames, _ = deflated_frames(compressed.received())
            self.assertEqual(frames[2:], plain.frames()[2:])
            self.assertEqual(len(frames), 62)
        self.assertEqual(
            {(c.stream, c.wire.name) for c in self.house.hub.channels()},
            {(s, w) for s in Stream for w in ("websocket", "websocket+deflate")},
        )

    def test_who_comes_later(self) -> None:
        """It gets the newest messages at once, behind its greeting, and reads on from there."""
        first = self.open()
        self.publish(*range(300))
        second = self.open()
        self.publish(300)
        numbers = [
            int(payload.split(b" ")[1])
            for opcode, payload in deflated_frames(second.received())[0][2:]
            if opcode == OPCODE_TEXT
        ]
        self.assertEqual(numbers, list(range(numbers[0], 301)))
        self.assertGreater(len(numbers), 100)
        self.assertEqual(len(deflated_frames(first.received())[0]), 2 + 301)

    # What such clients send

    def compressed(self, text: bytes, *, bits: int = 4, opcode: int = OPCODE_TEXT) -> bytes:
        compressor = zlib.compressobj(wbits=-15)
        deflated = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return masked(opcode, deflated.removesuffix(FLUSH_TAIL), bits=bits)

    def test_compressed_messages_are_ignored(self) -> None:
        """Text, also with a window that goes on, binary, fragmented and broken: nothing is read."""
        visitor = self.open()
        visitor.received()
        going_on = zlib.compressobj(wbits=-15)
        for _ in range(3):
            deflated = going_on.compress(b"ping") + going_on.flush(zlib.Z_SYNC_FLUSH)
            visitor.send(masked(OPCODE_TEXT, deflated.removesuffix(FLUSH_TAIL), bits=4))
        visitor.send(self.compressed(b"\xff\xfe" * 100, opcode=2))
        visitor.send(masked(OPCODE_TEXT, b"\x00\xff\x80 not deflated", bits=4))
        visitor.send(masked(OPCODE_TEXT, b"\xf2\x48", bits=4, fin=False))
        visitor.send(masked(OPCODE_PING, b"between"))
        visitor.send(masked(0, b"\xcd\xc9"))
        visitor.send_frame(OPCODE_TEXT, b"plain")
        self.publish(1)
        frames, _ = deflated_frames(visitor.received())
        self.assertEqual([opcode for opcode, _ in frames], [OPCODE_PONG, OPCODE_TEXT])

    def test_nothing_is_inflated(self) -> None:
        """A bomb is 64 KB like any other message."""
        visitor = self.open()
        visitor.received()
        bomb = self.compressed(bytes(50 << 20))
        self.assertLess(len(bomb), MAX_MESSAGE_BYTES)
        self.patch(zlib, "decompressobj", None)
        visitor.send(bomb)
        self.assertEqual(visitor.received(), b"")
        self.assertIsNone(visitor.closed)
        self.assertIs(vars(visitor.transport.protocol)["_perMessageCompress"], UNREAD)

    def test_violations(self) -> None:
        """What the extension does not allow is answered as before."""
        cases = {
            "a compressed control frame": (masked(OPCODE_PING, b"", bits=4), 1002),
            "another reserved bit": (masked(OPCODE_TEXT, b"x", bits=2), 1002),
            "a continuation with the bit": (
                masked(OPCODE_TEXT, b"x", bits=4, fin=False) + masked(0, b"x", bits=4),
                1002,
            ),
            "plain text that is not UTF-8": (masked(OPCODE_TEXT, b"\xff"), 1007),
            "a compressed frame above 64 KiB": (
                b"\xc1\xff" + pack("!Q", MAX_MESSAGE_BYTES + 1) + b"mask",
                1009,
            ),
        }
        for name, (data, code) in cases.items():
            visitor = self.open()
            visitor.received()
            visitor.send(data)
            self.assertEqual(self.close_code(visitor), code, name)
        plain = self.open(NO_OFFER)
        plain.received()
        plain.send(self.compressed(b"ping"))
        self.assertEqual(self.close_code(plain), 1002)
        self.assertEqual(self.flushLoggedErrors(), [])
