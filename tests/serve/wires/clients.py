"""One client of each wire, which look the same to a test."""

import re
from collections.abc import Iterable
from struct import pack
from typing import Any, ClassVar, NamedTuple

from twisted.internet.interfaces import IProtocolFactory

from certstream_tx.framing import (
    OPCODE_CLOSE,
    OPCODE_PING,
    OPCODE_TEXT,
    SSE,
    SSE_RETRY,
    TCP,
    WEBSOCKET,
    Wire,
)
from certstream_tx.hub import Channel, Stream
from certstream_tx.serve.site import PATHS, Surface
from certstream_tx.serve.wires.tcp import LineFactory
from tests.hub.messages import Numbered
from tests.serve.links import Link
from tests.serve.memory import ENDLESS, split_frames
from tests.serve.visitor import KEY, House, masked


class Unit(NamedTuple):
    """The least that may be cut from a stream."""

    kind: str
    """message, heartbeat, or what only this wire has"""
    payload: bytes = b""
    sequence: int | None = None
    """where the wire tells"""


class WireClient:
    """A client on one wire, over one kind of link; what it received is kept."""

    wire: ClassVar[Wire]
    preamble: ClassVar[bytes] = b"\r\n\r\n"
    """what the units begin behind"""
    chatter: ClassVar[bytes]
    """something a client may send at any time"""

    def __init__(self, house: House, link: type[Link]) -> None:
        self.house = house
        self.link = link(self.factory(house), house.clock)
        self.data = bytearray()

    @classmethod
    def factory(cls, house: House) -> IProtocolFactory:
        """Where it connects to."""
        site: Any = house.site
        return site

    @classmethod
    def request(cls, stream: Stream) -> bytes:
        """What asks for a stream."""
        raise NotImplementedError

    @classmethod
    def split(cls, data: bytes) -> tuple[list[Unit], bytes]:
        """Whole units, and what is left of one that is cut."""
        raise NotImplementedError

    def answer_the_end(self) -> None:
        """What a client says when it was told that the server leaves."""

    def subscribe(self, stream: Stream = Stream.LITE) -> None:
        """Ask for ``stream``."""
        self.link.send(self.request(stream))
        self.collect()

    def collect(self) -> None:
        """Take what has arrived, as far as there is room."""
        self.data += self.link.received()

    def settle(self) -> None:
        """Take everything there is."""
        self.link.kernel.room = ENDLESS
        self.collect()

    @classmethod
    def read(cls, data: bytes, *, cut: bool = False) -> list[Unit]:
        """All units of a connection's bytes; AssertionError unless they are whole, but for a
        ``cut`` last one."""
        head, found, rest = data.partition(cls.preamble) if cls.preamble else (b"", b"x", data)
        if not found:
            assert cut or not head, head
            return []
        units, rest = cls.split(rest)
        assert cut or not rest, rest
        return units

    def units(self, *, cut: bool = False) -> list[Unit]:
        """All units so far."""
        self.collect()
        return self.read(bytes(self.data), cut=cut)

    def messages(self, *, cut: bool = False) -> list[bytes]:
        """The documents."""
        return [unit.payload for unit in self.units(cut=cut) if unit.kind == "message"]

    def heartbeats(self) -> int:
        """How many so far."""
        return [unit.kind for unit in self.units()].count("heartbeat")


class WebSocketClient(WireClient):
    """RFC 6455, by hand."""

    wire = WEBSOCKET
    chatter = masked(OPCODE_PING, b"?")

    @classmethod
    def request(cls, stream: Stream) -> bytes:
        return (
            b"GET /%s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (PATHS[stream], KEY)
        )

    @classmethod
    def split(cls, data: bytes) -> tuple[list[Unit], bytes]:
        frames, rest = split_frames(data)
        units = []
        for opcode, payload in frames:
            if opcode != OPCODE_TEXT:
                units.append(Unit(f"opcode {opcode}", payload))
            elif b'"heartbeat"' in payload:
                units.append(Unit("heartbeat", payload))
            else:
                units.append(Unit("message", payload))
        return units, rest

    def answer_the_end(self) -> None:
        assert self.units()[-1] == (f"opcode {OPCODE_CLOSE}", b"\x03\xe9server is stopping", None)
        self.link.send(masked(OPCODE_CLOSE, pack("!H", 1001)))


class SSEClient(WireClient):
    """An event source, by hand."""

    wire = SSE
    preamble = b"\r\n\r\n" + SSE_RETRY
    chatter = b"GET / HTTP/1.1\r\n\r\n"

    @classmethod
    def request(cls, stream: Stream) -> bytes:
        return b"GET /sse?stream=%s HTTP/1.1\r\nHost: a\r\n\r\n" % stream.value.encode()

    @classmethod
    def split(cls, data: bytes) -> tuple[list[Unit], bytes]:
        *events, rest = data.split(b"\n\n")
        units = []
        for event in events:
            if event == b": heartbeat":
                units.append(Unit("heartbeat"))
                continue
            found = re.fullmatch(rb"id: e-(\d+)\ndata: (.+)", event)
            assert found is not None, event
            units.append(Unit("message", found[2], int(found[1])))
        return units, rest


class TCPClient(WireClient):
    """``nc``."""

    wire = TCP
    preamble = b""
    chatter = b"more\n"

    @classmethod
    def factory(cls, house: House) -> IProtocolFactory:
        return LineFactory(house.clock, house.clients, house.gate)

    @classmethod
    def request(cls, stream: Stream) -> bytes:
        return {Stream.FULL: b"f", Stream.LITE: b"l", Stream.DOMAINS_ONLY: b"D"}[stream]

    @classmethod
    def split(cls, data: bytes) -> tuple[list[Unit], bytes]:
        *lines, rest = data.split(b"\n")
        return [Unit("message", line) for line in lines], rest


CLIENTS: tuple[type[WireClient], ...] = (WebSocketClient, SSEClient, TCPClient)


def make_house(
    streams: Iterable[Stream] = tuple(Stream), *, ring_messages: int = 1000, sse: bool = True
) -> House:
    """A house in which every wire is served."""
    return House(streams=streams, surface=Surface(sse=sse), ring_messages=ring_messages)


def publish(house: House, count: int = 1, padding: int = 0) -> None:
    """Messages in one flush, numbered from 0 on as the hub does."""
    for _ in range(count):
        house.hub.publish(Numbered(house.hub.counts.published, padding))
    house.hub.flush()


def channel_of(house: House, client: type[WireClient], stream: Stream = Stream.LITE) -> Channel:
    """The hub's channel for that stream and wire."""
    (channel,) = (
        each for each in house.hub.channels() if each.stream is stream and each.wire is client.wire
    )
    return channel
