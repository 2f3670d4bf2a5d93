"""One small object for each client, through which every byte passes.

Three things want to go out to a client: the stream's chunks, whole frames of its own (pings, pongs,
heartbeats, the close frame), and the rest of what was begun. The writer alone knows what is under
way, so that a frame of its own goes between two of the stream's, also while the client takes
nothing. Nothing of the stream is ever copied for one client on plain TCP: while the kernel takes no
more, a client is a cursor (`certstream_tx.hub.Subscription`).
"""

from collections.abc import Hashable, Iterable
from math import inf
from typing import Protocol

from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IPullProducer,
    IPushProducer,
    ITransport,
)
from zope.interface import implementer

from certstream_tx.hub import Subscription
from certstream_tx.serve.writing.socket_queue import unacknowledged


class ClientTransport(Protocol):
    """What a writer needs of a transport, which is a stream's and a consumer as well."""

    def write(self, data: bytes) -> None: ...
    def getPeer(self) -> IAddress: ...
    def getHost(self) -> IAddress: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def registerProducer(
        self, producer: IPullProducer | IPushProducer, streaming: bool
    ) -> None: ...
    def unregisterProducer(self) -> None: ...


@implementer(ITransport, IConsumer)
class Writer:
    """The order in which things go out, and how a connection ends.

    To a protocol it is the transport, and until `open` it simply passes on to it. How bytes get out
    and how it learns that more can go is its subclasses' part.
    """

    __slots__ = (
        "_blocked",
        "_ending",
        "_gone",
        "_own",
        "_sealed",
        "_subscription",
        "_tail",
        "_transport",
    )

    _transport: ClientTransport

    def __init__(self, transport: ClientTransport) -> None:
        self._transport = transport
        self._subscription: Subscription | None = None
        self._own: dict[Hashable, bytes] = {}
        """whole frames of its own that wait, by slot"""
        self._tail = b""
        """rest of a frame that was begun and is not in the subscription's care"""
        self._blocked = True
        """nothing may go out directly: something is under way, or waits"""
        self._sealed = False
        """the last frame was given"""
        self._ending = False
        """it closes when nothing is left"""
        self._gone = False
        """the connection is"""
        # Whoever had the connection before may have left itself registered (twisted.web's
        # HTTPChannel does), and a second producer would be refused.
        transport.unregisterProducer()

    def open(self) -> None:
        """Take over: from now on everything goes out through `take`, `send` and `last`."""
        raise NotImplementedError

    def attach(self, subscription: Subscription) -> None:
        """Set the stream to be written: a subscription whose sink is this writer."""
        self._subscription = subscription

    # The hub's side

    def take(self, data: bytes) -> int:
        """Write what goes out at once of the next chunk (`certstream_tx.hub.Sink`)."""
        if self._blocked:
            return 0
        taken = self._put(data)
        if taken < len(data):
            self._block()
        return taken

    def queued(self) -> int:
        """What the kernel holds for the client (`certstream_tx.hub.Sink`)."""
        return unacknowledged(self._transport)

    # The protocol's side

    def send(self, slot: Hashable, frame: bytes) -> None:
        """Write a frame that is not of the stream, between two that are.

        While it waits, a newer one of the same slot replaces it: what waits is bounded.
        """
        if self._sealed or self._gone:
            return
        if self._blocked:
            self._own[slot] = frame
            return
        taken = self._put(frame)
        if taken == len(frame):
            return
        if taken:
            self._tail = frame[taken:]
        else:
            self._own[slot] = frame
        self._block()

    def last(self, frame: bytes) -> None:
        """Write the frame that ends all: what was begun is finished before, nothing follows."""
        self._leave()
        self._own.clear()
        self.send(None, frame)
        self._sealed = True

    def lost(self) -> None:
        """The connection is gone."""
        self._gone = True
        self._leave()
        self._drop()

    def probe(self) -> None:
        """See whether the connection is still there, if nothing else would tell: a socket that is
        neither read from nor written to says nothing."""

    def pause_reading(self) -> None:
        """Take no more from the client for now."""
        self._transport.pauseProducing()

    def resume_reading(self) -> None:
        """Take again what the client sends."""
        self._transport.resumeProducing()

    # As a transport, and a consumer for a protocol that believes it has registered something

    def write(self, data: bytes) -> None:
        """Write what belongs to the handshake, before `open`."""
        self._transport.write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Write what belongs to the handshake, before `open`."""
        self._transport.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Close when what was begun and what waits of its own is written."""
        self._leave()
        self._sealed = self._ending = True
        if not self._tail and not self._own:
            self._close()

    def abortConnection(self) -> None:
        """Close at once."""
        self._gone = True
        self._leave()
        self._drop()
        self._transport.abortConnection()

    def cut(self) -> None:
        """Close in peace if nothing waits; at once if something does, or when asked again."""
        if self._ending or self._tail or self._own:
            self.abortConnection()
        else:
            self.loseConnection()

    def getPeer(self) -> IAddress:
        """The client's address."""
        return self._transport.getPeer()

    def getHost(self) -> IAddress:
        """The address the client connected to."""
        return self._transport.getHost()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Nobody else produces here."""

    def unregisterProducer(self) -> None:
        """Nobody else produces here."""

    # As the transport's producer

    def resumeProducing(self) -> None:
        """More can go out."""
        raise NotImplementedError

    def stopProducing(self) -> None:
        """The connection is gone; the protocol is told as well, and ends the subscription."""
        self._gone = self._blocked = True

    # What subclasses do

    def _put(self, data: bytes | memoryview) -> int:
        """Give bytes to the connection; returns how many it took."""
        raise NotImplementedError

    def _wait(self) -> None:
        """See that `_pump` is called when more can go out."""
        raise NotImplementedError

    # The order

    def _block(self) -> None:
        self._blocked = True
        if not self._gone:
            self._wait()

    def _leave(self) -> None:
        """End the subscription; of the stream only a frame that was begun is still written."""
        if self._subscription is not None:
            self._tail += self._subscription.close()
            self._subscription = None

    def _drop(self) -> None:
        self._blocked = True
        self._tail = b""
        self._own.clear()

    def _close(self) -> None:
        self._gone = self._blocked = True
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def _next(self) -> bytes | memoryview:
        """What has to go out next; empty when nothing waits."""
        if self._tail:
            return self._tail
        subscription = self._subscription
        if self._own:
            if subscription is not None and subscription.mid_frame:
                return subscription.rest_of_frame()
            self._tail = b"".join(self._own.values())
            self._own.clear()
            return self._tail
        return b"" if subscription is None else subscription.rest()

    def _pump(self, share: float = inf) -> None:
        """Write what waits, until it is out, no more is taken, or ``share`` bytes are."""
        while share > 0 and not self._gone:
            piece = self._next()
            if not piece:
                self._blocked = False
                if self._ending:
                    self._close()
                return
            taken = self._put(piece)
            share -= taken
            if self._tail:
                self._tail = self._tail[taken:]
            elif self._subscription is not None:
                self._subscription.taken(taken)
            if taken < len(piece):
                break
        self._block()
