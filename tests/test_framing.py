"""Frames of each wire, byte for byte."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx import framing
from tests.serve.memory import frames_of


class WebSocketTests(SynchronousTestCase):
    """RFC 6455 section 5."""

    def test_examples_of_the_rfc(self) -> None:
        """Section 5.7: an unmasked text message, an unmasked ping, and one of 64 KiB."""
        self.assertEqual(framing.websocket_text(b"Hello"), bytes.fromhex("810548656c6c6f"))
        ping = framing.websocket_control(framing.OPCODE_PING, b"Hello")
        self.assertEqual(ping, bytes.fromhex("890548656c6c6f"))
        long = framing.websocket_text(b"x" * 65536)
        self.assertEqual(long[:10], bytes.fromhex("817f0000000000010000"))

    def test_shortest_length_field(self) -> None:
        """A length field is as short as its value allows (section 5.2)."""
        for length, header in ((125, 2), (126, 4), (65535, 4), (65536, 10)):
            self.assertEqual(len(framing.websocket_text(b"x" * length)), header + length)

    @given(st.lists(st.binary(max_size=70000), max_size=4))
    @settings(deadline=None, max_examples=30)
    def test_frames_are_read_back(self, payloads: list[bytes]) -> None:
        """A reader finds the payloads that were framed, in order."""
        frames = framing.WEBSOCKET.frames(payloads, 0, "e")
        self.assertEqual(frames_of(b"".join(frames)), [(1, payload) for payload in payloads])

    def test_control_payload_is_bounded(self) -> None:
        """A control frame of more than 125 bytes cannot be made."""
        self.assertEqual(len(framing.websocket_control(framing.OPCODE_PONG, b"x" * 125)), 127)
        with self.assertRaises(ValueError):
            framing.websocket_control(framing.OPCODE_PONG, b"x" * 126)


class EventAndLineTests(SynchronousTestCase):
    """Server-sent events and lines."""

    def test_event(self) -> None:
        """An event has its id before its data and ends with an empty line."""
        self.assertEqual(
            framing.SSE.frames([b"{}", b"[]"], 7, "ab"),
            [b"id: ab-7\ndata: {}\n\n", b"id: ab-8\ndata: []\n\n"],
        )

    def test_line(self) -> None:
        """A line is the document and a line feed."""
        self.assertEqual(framing.TCP.frames([b"{}"], 7, "ab"), [b"{}\n"])
