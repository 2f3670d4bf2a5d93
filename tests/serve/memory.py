"""Connections in memory: a kernel that takes what it is told to, and real transports on it."""

from errno import EAGAIN
from struct import unpack

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol
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

    def addWriter(self, descriptor: FileDescriptor) -> None:
        self.writers.add(descriptor)

    def removeWriter(self, descriptor: FileDescriptor) -> None:
        self.writers.discard(descriptor)

    def addReader(self, descriptor: FileDescriptor) -> None:
        self.readers.add(descriptor)

    def removeReader(self, descriptor: FileDescriptor) -> None:
        self.readers.discard(descriptor)


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


def frames_of(data: bytes | bytearray) -> list[tuple[int, bytes]]:
    """Opcode and payload of each frame; AssertionError unless all are whole, unmasked and final."""
    frames = []
    position = 0
    while position < len(data):
        first, length = data[position : position + 2]
        assert first & 0x70 == 0, "reserved bits"
        assert first & 0x80, "not the final fragment"
        assert length < 128, "masked"
        position += 2
        if length == 126:
            (length,) = unpack("!H", data[position : position + 2])
            position += 2
        elif length == 127:
            (length,) = unpack("!Q", data[position : position + 8])
            position += 8
        payload = bytes(data[position : position + length])
        assert len(payload) == length, "a frame is cut"
        frames.append((first & 0x0F, payload))
        position += length
    return frames
