"""Connections in memory: a kernel that takes what it is told to, and real transports on it."""

from collections.abc import Callable
from errno import EAGAIN
from socket import AF_INET
from struct import calcsize, unpack_from
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

ENDLESS = 1 << 60


class Kernel:
    """The other side of ``send``: takes ``room`` bytes, then is full."""

    def __init__(self, room: int = ENDLESS) -> None:
        self.room = room
        self.received = bytearray()
        self.sent: list[object] = []
        """the objects that were given to ``send``"""
        self.error: OSError | None = None

    def send(self, data: bytes | memoryview) -> int:
        """As a non-blocking socket's."""
        if self.error is not None:
            raise self.error
        if len(data) == 0:
            return 0
        if self.room == 0:
            raise BlockingIOError(EAGAIN, "full")
        self.sent.append(data)
        taken = min(self.room, len(data))
        self.room -= taken
        self.received += data[:taken]
        return taken


class Descriptors:
    """As much of a reactor as a descriptor uses."""

    def __init__(self) -> None:
        self.writers: set[FileDescriptor] = set()
        self.readers: set[FileDescriptor] = set()
        self.calls: list[Callable[[], Any]] = []
        """for the next turn"""

    def addWriter(self, descriptor: FileDescriptor) -> None:
        self.writers.add(descriptor)

    def removeWriter(self, descriptor: FileDescriptor) -> None:
        self.writers.discard(descriptor)

    def addReader(self, descriptor: FileDescriptor) -> None:
        self.readers.add(descriptor)

    def removeReader(self, descriptor: FileDescriptor) -> None:
        self.readers.discard(descriptor)

    def callLater(self, seconds: float, call: Callable[..., Any], *arguments: Any) -> None:
        self.calls.append(lambda: call(*arguments))


class MemoryTransport(FileDescriptor):
    """Twisted's own buffering, producers and closing, on a `Kernel`."""

    def __init__(self, kernel: Kernel) -> None:
        self.descriptors = Descriptors()
        super().__init__(reactor=self.descriptors)  # type: ignore[arg-type]
        self.kernel = kernel
        self.protocol: IProtocol | None = None
        self.connected = 1
        self.closed: Failure | None = None
        self.aborted = False
        self.startReading()

    def writeSomeData(self, data: bytes) -> int | BaseException:
        try:
            return self.kernel.send(data)
        except BlockingIOError:
            return 0

    def abortConnection(self) -> None:
        self.aborted = True
        self.stopReading()
        self.stopWriting()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        if self.protocol is not None:
            self.protocol.connectionLost(reason)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 54321)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.2", 8080)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed here."""

    def turn(self) -> None:
        """What the reactor does in one turn for this descriptor."""
        if self.aborted and self.closed is None:
            self.closed = Failure(ConnectionAborted())
            self.connectionLost(self.closed)
        elif self in self.descriptors.writers and self.kernel.room > 0:
            why = self.doWrite()
            if why is not None and self.closed is None:
                self.closed = Failure(ConnectionDone())
                self.connectionLost(self.closed)

    def drain(self, turns: int = 1000) -> None:
        """Turns until nothing is to be written any more."""
        for _ in range(turns):
            writable = self in self.descriptors.writers and self.kernel.room > 0
            if not writable and not self.aborted:
                return
            self.turn()
            if self.closed is not None:
                return
        raise AssertionError("it never gets done")


class KernelSocket:
    """As much of a connected socket as Twisted's connections use."""

    family = AF_INET

    def __init__(self, kernel: Kernel) -> None:
        self.send = kernel.send
        self.incoming = bytearray()
        self.ended = False
        """the peer has closed its side"""
        self.options: dict[tuple[int, int], Any] = {}

    def recv(self, size: int) -> bytes:
        if not self.incoming and not self.ended:
            raise BlockingIOError(EAGAIN, "empty")
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self.options[level, option] = value

    def fileno(self) -> int:
        return 1 << 20

    def setblocking(self, flag: bool) -> None: ...
    def shutdown(self, how: int) -> None: ...
    def close(self) -> None: ...


class SocketTransport(Connection):
    """The very transport of plain connections, on a `Kernel`."""

    peer: IPv4Address | IPv6Address = IPv4Address("TCP", "192.0.2.1", 54321)

    def __init__(self, kernel: Kernel) -> None:
        self.descriptors = Descriptors()
        self.kernel = kernel
        self.kernel_socket = KernelSocket(kernel)
        super().__init__(self.kernel_socket, None, reactor=self.descriptors)  # type: ignore[arg-type]
        self.connected = 1
        self.closed: Failure | None = None
        self.startReading()

    @property
    def aborted(self) -> bool:
        return self._aborting

    def getPeer(self) -> IPv4Address | IPv6Address:
        return self.peer

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.2", 8080)

    def connectionLost(self, reason: Failure) -> None:
        self.closed = self.closed or reason
        super().connectionLost(reason)

    def arrive(self, data: bytes) -> None:
        """Bytes of the peer, of which as much is read as the transport is willing to."""
        self.kernel_socket.incoming += data
        self._read()

    def end(self) -> None:
        """The peer closes its side."""
        self.kernel_socket.ended = True
        self._read()

    def break_off(self) -> None:
        """The peer is gone, and that is known."""
        if self.closed is None:
            self.connectionLost(Failure(ConnectionLost()))

    def turn(self) -> None:
        """What the reactor does in one turn for this descriptor."""
        calls, self.descriptors.calls = self.descriptors.calls, []
        for call in calls:
            call()
        if self in self.descriptors.writers and self.kernel.room > 0:
            why = self.doWrite()
            if why is not None:
                self.connectionLost(Failure(why))
        self._read()

    def drain(self, turns: int = 1000) -> None:
        """Turns until nothing is to be written any more."""
        for _ in range(turns):
            writable = self in self.descriptors.writers and self.kernel.room > 0
            if not writable and not self.descriptors.calls:
                return
            self.turn()
        raise AssertionError("it never gets done")

    def _read(self) -> None:
        while self in self.descriptors.readers:
            if not self.kernel_socket.incoming and not self.kernel_socket.ended:
                return
            why = self.doRead()
            if why is not None:
                self.descriptors.removeReader(self)
                self.readConnectionLost(Failure(why))


def frames_of(data: bytes | bytearray) -> list[tuple[int, bytes]]:
    """Opcode and payload of each frame; AssertionError unless all are whole, unmasked and final."""
    frames, rest = split_frames(data)
    assert not rest, "a frame is cut"
    return frames


def split_frames(data: bytes | bytearray) -> tuple[list[tuple[int, bytes]], bytes]:
    """Opcode and payload of each whole frame, and what is left of one that is cut."""
    frames = []
    position = 0
    while len(data) - position >= 2:
        first, length = data[position : position + 2]
        assert first & 0x70 == 0, "reserved bits"
        assert first & 0x80, "not the final fragment"
        assert length < 128, "masked"
        begin = position + 2
        if length >= 126:
            format = "!H" if length == 126 else "!Q"
            begin += calcsize(format)
            if begin > len(data):
                break
            (length,) = unpack_from(format, data, position + 2)
        payload = bytes(data[begin : begin + length])
        if len(payload) < length:
            break
        frames.append((first & 0x0F, payload))
        position = begin + length
    return frames, bytes(data[position:])
