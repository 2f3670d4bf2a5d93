"""Heads that came too late to be compared with what was read: replicas show such, and forgers."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from certstream_tx.ct.merkle import CompactRange
from certstream_tx.ct.signatures import SignedHead
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.condition.head_watch import HeadWatch
from certstream_tx.ingest.condition.outcomes import Outcomes
from certstream_tx.ingest.http.errors import FetchError
from certstream_tx.ingest.wakeup import Wakeup

MAX_WAITING: Final = 8
"""Heads that wait to be checked; the oldest make room."""
INTERVAL: Final = 30.0
"""Seconds between two checks, each of which costs the log a few requests: replicas that lag show
older heads all day, and nearly all of them are heads that were compared in time."""


class OlderHeads:
    """Has the log prove that its newest head extends an older one (RFC 6962 2.1.2).

    The tree that it proves for its newest head has a root at every size before it: a head of that
    size with another root contradicts it, whatever lies between. ``contradicts(older, newest,
    proven)`` is told so.
    """

    def __init__(
        self,
        client: LogClient,
        heads: HeadWatch,
        outcomes: Outcomes,
        clock: IReactorTime,
        contradicts: Callable[[SignedHead, SignedHead, CompactRange], None],
    ) -> None:
        self._client = client
        self._heads = heads
        self._outcomes = outcomes
        self._clock = clock
        self._contradicts = contradicts
        self._waiting: OrderedDict[tuple[int, bytes], SignedHead] = OrderedDict()
        self._known: OrderedDict[tuple[int, bytes], None] = OrderedDict()
        self._came = Wakeup(clock)

    def add(self, head: SignedHead) -> None:
        """Check this head, if it is one that was not checked before."""
        key = (head.size, head.root)
        if head.size == 0 or key in self._known or key in self._waiting:
            return
        self._waiting[key] = head
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        self._came.fire()

    async def run(self) -> None:
        """Check, for ever."""
        while True:
            while not self._waiting:
                await self._came.wait()
            key, head = self._waiting.popitem(last=False)
            await self._check(head)
            self._known[key] = None
            if len(self._known) > 2 * MAX_WAITING:
                self._known.popitem(last=False)
            await deferLater(self._clock, INTERVAL)

    async def _check(self, head: SignedHead) -> None:
        newest = await self._heads.reaching(head.size + 1)
        try:
            proven = await self._client.range_at(head.size, newest)
        except CancelledError:
            raise
        except FetchError:
            return  # a log that proves nothing, for now: the next such head is checked again
        except Exception:
            self._outcomes.unexpected(Failure())
            return
        if proven.root() != head.root:
            self._contradicts(head, newest, proven)
