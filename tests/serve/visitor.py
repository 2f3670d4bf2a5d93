"""A visitor of a site in memory: speaks HTTP and WebSocket by hand."""

from collections.abc import Iterable
from struct import pack
from typing import NamedTuple

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from certstream_tx.config.serving import Dedup
from certstream_tx.framing import OPCODE_PING, OPCODE_TEXT
from certstream_tx.hub import Hub, Newest, Stream, filters
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.access.policy import Policy
from certstream_tx.serve.bounded import CertstreamSite
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.pages.reports import Reports
from certstream_tx.serve.site import Surface, make_site
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.stats import LogStats
from tests.serve.memory import Kernel, MemoryTransport, frames_of

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""the answer to that key (RFC 6455 section 1.3)"""

EXAMPLES = {stream.value: b'{"example":"%s"}' % stream.value.encode() for stream in Stream}


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class House:
    """A site with its hub and clients, on a clock of its own."""

    def __init__(
        self,
        *,
        streams: Iterable[Stream] = tuple(Stream),
        surface: Surface | None = None,
        ring_messages: int = 1000,
        policy: Policy | None = None,
        newest: Newest | None = None,
        dedup: Dedup | None = None,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.hub = Hub(
            self.clock,
            streams=streams,
            ring_messages=ring_messages,
            newest=newest,
            epoch="e",
            filters=filters(dedup or Dedup(enabled=False)),
        )
        self.clients = Clients(
            self.clock,
            self.hub,
            heartbeat=lambda now: b'{"message_type":"heartbeat","timestamp":%d}' % now,
        )
        self.clients.startService()
        self.gate = Gate(policy, now=self.clock.seconds)
        self.ready = False
        self.metrics = lambda: b"# metrics\n"
        self.logs: list[LogStats] = []
        self.sources = Sources(
            self.hub, self.clients, lambda: self.logs, self.clock.seconds, self.gate
        )
        self.site: CertstreamSite = make_site(
            self.clock,
            self.hub,
            self.clients,
            examples=EXAMPLES,
            metrics=lambda: self.metrics(),
            ready=lambda: self.ready,
            reports=Reports(self.sources),
            gate=self.gate,
            surface=surface,
        )
        self.visitors: list[Visitor] = []

    def visitor(self) -> "Visitor":
        """A new connection."""
        visitor = Visitor(self)
        self.visitors.append(visitor)
        return visitor

    def get(self, path: bytes, method: bytes = b"GET", *headers: bytes) -> Answer:
        """One request on a connection of its own, that is closed then."""
        visitor = self.visitor()
        visitor.request(path, method, *headers)
        answer = visitor.answer(method)
        visitor.hang_up()
        return answer

    def open(self, path: bytes = b"/", *headers: bytes) -> "Visitor":
        """A WebSocket client whose greeting has been read."""
        visitor = self.visitor()
        visitor.upgrade(path, *headers)
        answer = visitor.answer()
        assert answer.status == 101, answer
        greeting = [opcode for opcode, _ in visitor.frames()]
        assert greeting == [OPCODE_TEXT, OPCODE_PING], greeting
        return visitor

    def seconds(self, count: int, *, pong: Iterable["Visitor"] = ()) -> None:
        """Time passes second by second; those of ``pong`` answer what they are asked."""
        for _ in range(count):
            self.clock.advance(1)
            for visitor in self.visitors:
                visitor.transport.drain()
            for visitor in pong:
                visitor.send_frame(0xA)

    def close(self) -> None:
        """Everybody leaves."""
        for visitor in self.visitors:
            visitor.hang_up()
        if self.clients.running:
            self.clients.stopService()


class Visitor:
    """One connection to the site."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.kernel = Kernel()
        self.transport = MemoryTransport(self.kernel)
        protocol = house.site.buildProtocol(self.transport.getPeer())
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)

    @property
    def closed(self) -> Failure | None:
        """Why the server's side is closed; None while it is open."""
        return self.transport.closed

    def send(self, data: bytes) -> None:
        """Bytes to the server, as far as it reads them, then a turn."""
        assert self.transport.protocol is not None
        if self.transport in self.transport.descriptors.readers:
            self.transport.protocol.dataReceived(data)
        self.transport.drain()

    def hang_up(self) -> None:
        """The client closes its side."""
        if self.transport.closed is None:
            self.transport.abortConnection()
            self.transport.turn()

    def received(self) -> bytes:
        """What has arrived since the last call."""
        self.transport.drain()
        data = bytes(self.kernel.received)
        self.kernel.received.clear()
        return data

    # HTTP

    def request(self, path: bytes, method: bytes = b"GET", *headers: bytes) -> None:
        """A request without a body, and ``headers`` as whole lines."""
        lines = [method + b" " + path + b" HTTP/1.1", b"Host: server.example", *headers]
        self.send(b"\r\n".join(lines) + b"\r\n\r\n")

    def answer(self, method: bytes = b"GET") -> Answer:
        """The next answer; what follows it stays to be received."""
        data = self.received()
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(b": ") for line in lines)}
        length = int(headers.get(b"content-length", b"0"))
        if method == b"HEAD":
            length = 0
        self.kernel.received[:0] = rest[length:]
        return Answer(int(status.split(b" ")[1]), headers, rest[:length])

    # WebSocket

    def upgrade(self, path: bytes = b"/", *headers: bytes, **replaced: bytes | None) -> None:
        """Ask for a WebSocket; ``replaced`` headers have another value, or none."""
        standard = {
            "Upgrade": b"websocket",
            "Connection": b"Upgrade",
            "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Version": b"13",
        }
        values = standard | {n.replace("_", "-"): v for n, v in replaced.items()}
        lines = [b"%s: %s" % (n.encode(), v) for n, v in values.items() if v is not None]
        self.request(path, b"GET", *lines, *headers)

    def frames(self) -> list[tuple[int, bytes]]:
        """Frames that have arrived."""
        return frames_of(self.received())

    def texts(self) -> list[bytes]:
        """Text messages that have arrived."""
        return [payload for opcode, payload in self.frames() if opcode == OPCODE_TEXT]

    def send_frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        """A masked frame."""
        self.send(masked(opcode, payload, fin=fin))


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, bits: int = 0) -> bytes:
    """A client's frame; ``bits`` are the reserved ones."""
    mask = b"\x11\x22\x33\x44"
    first = (0x80 if fin else 0) | bits << 4 | opcode
    if len(payload) < 126:
        header = pack("!BB", first, 0x80 | len(payload))
    elif len(payload) < 1 << 16:
        header = pack("!BBH", first, 0x80 | 126, len(payload))
    else:
        header = pack("!BBQ", first, 0x80 | 127, len(payload))
    return header + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
