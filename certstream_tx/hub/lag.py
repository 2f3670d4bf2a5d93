"""Who is too slow: clients that lose too much of their stream, or take nothing at all.

Only those are looked at that are behind, or lost something not long ago. A client that keeps up is
never visited.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from certstream_tx.config.serving import Lag
from certstream_tx.hub.broadcast import Hub
from certstream_tx.hub.channel import Channel, Slow
from certstream_tx.hub.dedup import View
from certstream_tx.hub.subscription import Reader, Subscription

MIN_LOST = 1000
"""messages within the window; less is no reason: of a quiet stream half is soon lost"""

MAX_SAMPLES = 60
"""of one client, so that one that is behind for an hour costs as much as for a minute"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LagBounds:
    """What a client may lose, and for how long it may take nothing."""

    max_lost_share: float = 0.5
    window: int = 60
    """seconds in which it is lost"""
    stall: int = 10
    """seconds"""

    @classmethod
    def of(cls, lag: Lag) -> "LagBounds":
        """As it is configured."""
        return cls(max_lost_share=lag.max_lost_share, window=lag.window_secs, stall=lag.stall_secs)


class LagWatch:
    """Looks at who is behind, once a second.

    A share is of what the stream had within the window; of a client that came later, since then.
    """

    def __init__(self, hub: Hub, bounds: LagBounds) -> None:
        self._hub = hub
        self._bounds = bounds
        self._now = 0
        """seconds, as ticks"""
        self._sequences = {v: deque([(0, hub.sequence(*v))]) for v in product(hub.streams, View)}
        """second, sequence number of the view's next message; within the window, oldest first"""
        self._losses: dict[Channel, dict[Subscription, deque[list[int]]]] = {}
        """second, messages lost in the step that begins with it; likewise"""
        self._step = max(1, bounds.window // MAX_SAMPLES)
        self._still: dict[Subscription, tuple[int, int]] = {}
        """for how many seconds it took nothing, and what its sink had queued"""

    def tick(self) -> Iterator[tuple[Reader, Slow]]:
        """One second has passed: gives who is too slow, and counts them."""
        self._now += 1
        begin = self._now - self._bounds.window
        for view, samples in self._sequences.items():
            samples.append((self._now, self._hub.sequence(*view)))
            while samples[0][0] < begin:
                samples.popleft()
        still, self._still = self._still, {}
        for channel in self._hub.channels():
            slow = dict.fromkeys(self._stalled(channel, still), Slow.STALL)
            slow |= dict.fromkeys(self._losing(channel, begin), Slow.LAG)
            for subscription, reason in slow.items():
                if subscription.reader is not None:
                    channel.dropped[reason] += 1
                    yield subscription.reader, reason

    def _stalled(
        self, channel: Channel, before: dict[Subscription, tuple[int, int]]
    ) -> Iterator[Subscription]:
        """Those that took nothing for too long while data waited."""
        for subscription in channel.held:
            queued = subscription.sink.queued()
            seconds, queued_before = before.get(subscription, (0, -1))
            seconds = 0 if subscription.moved or queued != queued_before else seconds + 1
            subscription.moved = False
            self._still[subscription] = seconds, queued
            if seconds >= self._bounds.stall:
                yield subscription

    def _losing(self, channel: Channel, begin: int) -> Iterator[Subscription]:
        """Those that lost too much since ``begin``."""
        fresh, channel.losses = channel.losses, {}
        losses = self._losses.setdefault(channel, {})
        for subscription, count in fresh.items():
            samples = losses.setdefault(subscription, deque())
            if samples and samples[-1][0] + self._step > self._now:
                samples[-1][1] += count
            else:
                samples.append([self._now, count])
        first = self._sequences[channel.stream, channel.view][0][1]
        after = self._hub.sequence(channel.stream, channel.view)
        for subscription, samples in list(losses.items()):
            while samples and samples[0][0] <= begin:
                samples.popleft()
            if subscription.closed or not samples:
                del losses[subscription]
                continue
            lost = sum(count for _, count in samples)
            share = self._bounds.max_lost_share * (after - max(first, subscription.since))
            if lost >= MIN_LOST and lost > share:
                yield subscription
