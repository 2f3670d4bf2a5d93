"""All clients together, of every wire: one clock for their heartbeats, pings and deadlines.

No client has a timer of its own. The clock ticks once a second and visits a part of the clients at
each tick, so that thousands of heartbeats on a quiet server do not leave at once.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from certstream_tx.events import logger
from certstream_tx.framing import CLOSE_GOING_AWAY, Wire
from certstream_tx.hub import Hub, Stream, View
from certstream_tx.serve.access.slots import Slot

log = logger("certstream_tx.clients")

TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 10
"""a client gets data or a heartbeat at least this often (some give up after 15 s without)"""
PING_SECONDS = 30
SILENT_SECONDS = 60
"""a WebSocket peer of which nothing was heard for this long, pongs included, is dropped"""
CLOSE_SECONDS = 2
"""how long a closing handshake may take, and what was begun may take to be written"""
STOP_SECONDS = 1.0
"""how long all clients together have to take leave when the server stops"""


class Client(Protocol):
    """What the clock asks of one client."""

    visits: int

    @property
    def wire(self) -> Wire:
        """How messages are framed for it."""
        ...

    @property
    def stream(self) -> Stream | None:
        """What it gets; None: it has not chosen yet."""
        ...

    @property
    def view(self) -> View:
        """How much of it."""
        ...

    def visit(self, heartbeat: bytes | None, ping: bool) -> None:
        """Send what is due, where its wire has such a thing; called every few ticks."""
        ...

    def next_tick(self) -> None:
        """A tick has passed since it asked to be told."""
        ...

    def leave(self, code: int, reason: str) -> None:
        """Begin to close, with that WebSocket close code where there are such."""
        ...

    def cut(self) -> None:
        """Close, in peace where that is possible."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Clients(Service):
    """Every open client, and their clock.

    :param heartbeat: the heartbeat message's document at a time (seconds since the epoch)
    """

    def __init__(
        self,
        clock: IReactorTime,
        hub: Hub,
        *,
        heartbeat: Callable[[float], bytes],
        heartbeat_seconds: int = HEARTBEAT_SECONDS,
        ping_seconds: int = PING_SECONDS,
        silent_seconds: int = SILENT_SECONDS,
        close_seconds: int = CLOSE_SECONDS,
    ) -> None:
        self.hub = hub
        self.now = 0
        """ticks so far"""
        self.stopping = False
        """nobody is let in any more"""
        self.silent_dropped = 0
        """peers that were dropped because nothing was heard of them"""
        self.silent_seconds = silent_seconds
        self._clock = clock
        self._heartbeat = heartbeat
        # One visit every so many ticks keeps the promise even when a visit finds fresh data.
        period = max(1, heartbeat_seconds - 1)
        self._wheel: list[dict[Client, None]] = [{} for _ in range(period)]
        self._visits_between_pings = max(1, ping_seconds // period)
        self._close_ticks = close_seconds
        self._next_tick: dict[Client, None] = {}
        self._deadlines: dict[Client, int] = {}
        self._slots: dict[Client, Slot] = {}
        self._tick = LoopingCall(self.tick)
        self._tick.clock = clock
        self._all_gone: Deferred[None] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._wheel))

    def __iter__(self) -> Iterator[Client]:
        for part in self._wheel:
            yield from list(part)

    def heartbeat(self) -> bytes:
        """The heartbeat message's document of this moment."""
        return self._heartbeat(self._clock.seconds())

    # What clients tell

    def add(self, client: Client) -> None:
        """It is open; it will be visited one period from now."""
        self._wheel[self.now % len(self._wheel)][client] = None

    def hold(self, client: Client, slot: Slot | None) -> None:
        """It has this place until its connection is gone, whether or not it ever opens."""
        if slot is not None:
            self._slots[client] = slot

    def closing(self, client: Client) -> None:
        """It has begun to close: cut it when that takes too long."""
        self._deadlines.setdefault(client, self.now + self._close_ticks)

    def tell_next_tick(self, client: Client) -> None:
        """Call its ``next_tick`` at the next tick."""
        self._next_tick[client] = None

    def discard(self, client: Client) -> None:
        """Its connection is gone."""
        for part in self._wheel:
            part.pop(client, None)
        self._deadlines.pop(client, None)
        self._next_tick.pop(client, None)
        slot = self._slots.pop(client, None)
        if slot is not None:
            slot.release()
        if self._all_gone is not None and not len(self):
            gone, self._all_gone = self._all_gone, None
            gone.callback(None)

    # The clock

    def startService(self) -> None:
        """Start the clock."""
        super().startService()
        self.stopping = False
        self._tick.start(TICK_SECONDS, now=False)

    async def stop(self) -> None:
        """Take leave of everybody with close 1001, for at most ``STOP_SECONDS``."""
        self.stopping = True
        if len(self):
            self._all_gone = Deferred()
            gone = self._all_gone
            for client in self:
                client.leave(CLOSE_GOING_AWAY, "server is stopping")
            deadline = self._clock.callLater(STOP_SECONDS, self._abort_all)
            await gone
            if deadline.active():
                deadline.cancel()
        if self._tick.running:
            self._tick.stop()

    def stopService(self) -> "Deferred[None]":
        """Stop the clock when everybody is gone."""
        super().stopService()
        return Deferred.fromCoroutine(self.stop())

    def _abort_all(self) -> None:
        for client in self:
            client.abort()

    def tick(self) -> None:
        """One second has passed."""
        try:
            self._visit_some()
        except Exception:
            log.failure("Visiting the clients failed.")

    def _visit_some(self) -> None:
        self.now += 1
        waiting, self._next_tick = self._next_tick, {}
        for client in waiting:
            client.next_tick()
        for client, deadline in list(self._deadlines.items()):
            if deadline <= self.now:
                self._deadlines[client] = self.now + self._close_ticks
                client.cut()
        heartbeats = self._due_heartbeats()
        for client in list(self._wheel[self.now % len(self._wheel)]):
            client.visits += 1
            client.visit(
                heartbeats.get((client.stream, client.view, client.wire)),
                client.visits % self._visits_between_pings == 0,
            )

    def _due_heartbeats(self) -> dict[tuple[Stream | None, View, Wire], bytes]:
        """A frame for each view and wire that had no data since the last tick.

        Older data would not do: by the next visit it would be more than a period old.
        """
        now = self._clock.seconds()
        document = b""
        frames: dict[tuple[Stream | None, View, Wire], bytes] = {}
        for channel in self.hub.channels():
            frame = channel.wire.heartbeat
            quiet = now - channel.fed_at
            if frame is not None and quiet > TICK_SECONDS:
                document = document or self.heartbeat()
                frames[channel.stream, channel.view, channel.wire] = frame(document)
            elif channel and quiet >= len(self._wheel) * TICK_SECONDS:
                channel.beat(now)
        return frames
