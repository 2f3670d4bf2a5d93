"""The client's end of a connection in memory, plain or over TLS."""

import ssl
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from tests.serve.certificates import server_options
from tests.serve.memory import Kernel, SocketTransport


class Link(Protocol):
    """What a test does with either kind."""

    kernel: Kernel
    transport: SocketTransport

    def __init__(self, factory: Any, clock: Clock) -> None: ...
    def send(self, data: bytes) -> None: ...
    def turn(self) -> None: ...
    def received(self) -> bytes: ...
    def end(self) -> None: ...
    def hang_up(self) -> None: ...
    @property
    def application(self) -> Any: ...
    @property
    def closed(self) -> Failure | None: ...
    @property
    def held(self) -> int: ...


class PlainLink:
    """Bytes as they are."""

    def __init__(self, factory: IProtocolFactory, clock: Clock) -> None:
        self.kernel = Kernel()
        self.clock = clock
        self.transport = SocketTransport(self.kernel)
        protocol: Any = self.wrapped(factory).buildProtocol(self.transport.getPeer())
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)

    def wrapped(self, factory: IProtocolFactory) -> IProtocolFactory:
        """What stands between the socket and the factory's protocols."""
        return factory

    @property
    def application(self) -> Any:
        """The protocol that has the connection now."""
        return self.transport.protocol

    @property
    def closed(self) -> Failure | None:
        """Why the server's side is closed; None while it is open."""
        return self.transport.closed

    @property
    def held(self) -> int:
        """Bytes in the transport's buffer."""
        return len(self.transport.dataBuffer) + self.transport._tempDataLen

    def send(self, data: bytes) -> None:
        """Bytes to the server, as far as it reads them."""
        self.transport.arrive(data)

    def turn(self) -> None:
        """One turn of the reactor."""
        self.clock.advance(0)
        self.transport.turn()

    def received(self) -> bytes:
        """What has arrived since the last call, when the server has nothing more to write."""
        self.clock.advance(0)
        self.transport.drain()
        data = bytes(self.kernel.received)
        self.kernel.received.clear()
        return data

    def end(self) -> None:
        """The client closes its side."""
        self.transport.end()

    def hang_up(self) -> None:
        """The client is gone."""
        self.transport.break_off()


class TLSLink(PlainLink):
    """TLS, with the standard library's as the client's."""

    def __init__(
        self, factory: IProtocolFactory, clock: Clock, *, shake_hands: bool = True
    ) -> None:
        super().__init__(factory, clock)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self.ciphertext = bytearray()
        """everything that has arrived"""
        if shake_hands:
            self.shake_hands()

    def wrapped(self, factory: IProtocolFactory) -> IProtocolFactory:
        """TLS, as every endpoint speaks it."""
        wrapped: IProtocolFactory = TLSMemoryBIOFactory(
            server_options(), False, factory, clock=self.clock
        )
        return wrapped

    @property
    def application(self) -> Any:
        """The protocol that has the connection now."""
        return self.transport.protocol.wrappedProtocol  # type: ignore[attr-defined]

    def shake_hands(self) -> None:
        """The whole handshake."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._exchange()
            else:
                self._exchange()
                return

    def send(self, data: bytes) -> None:
        """Bytes to the server, as far as it reads them."""
        self._tls.write(data)
        self.transport.arrive(self._out.read())

    def received(self) -> bytes:
        """What has arrived since the last call, when the server has nothing more to write."""
        data = bytearray()
        while self._exchange():
            data += self._read()
        return bytes(data + self._read())

    def _exchange(self) -> int:
        """Whatever waits on both sides; returns how much has arrived."""
        self.transport.arrive(self._out.read())
        arrived = PlainLink.received(self)
        self.ciphertext += arrived
        self._in.write(arrived)
        return len(arrived)

    def _read(self) -> bytes:
        data = bytearray()
        try:
            while piece := self._tls.read(1 << 16):
                data += piece
        except ssl.SSLWantReadError:
            return bytes(data)
        except ssl.SSLZeroReturnError:
            pass
        # The server has said that nothing more comes, and waits for the same from us.
        self._say_goodbye()
        return bytes(data)

    def _say_goodbye(self) -> None:
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._exchange()
