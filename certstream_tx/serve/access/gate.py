"""The gate before the data surface: every request and every connection of a stream passes it."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import ceil
from time import monotonic
from typing import NamedTuple, Protocol

from twisted.internet.interfaces import IAddress
from twisted.web.http import UNAUTHORIZED

from certstream_tx.serve.access.addresses import Address, client_address, network_of, read_address
from certstream_tx.serve.access.policy import Policy
from certstream_tx.serve.access.rates import Rates
from certstream_tx.serve.access.slots import Slot, Slots
from certstream_tx.serve.access.waiting import Waiting
from certstream_tx.serve.answers import TOO_MANY_REQUESTS

RETRY_SECONDS = 10
"""after which who found no place may ask again: places become free as clients leave"""
MOST_WAITING = 16_384
FEWEST_WAITING = 64
"""connections that have asked for nothing: at most, and where few files may be open"""


class Refusal(NamedTuple):
    """Why somebody is not let in, as HTTP says it."""

    status: int
    header: tuple[bytes, bytes]


NO_TOKEN = Refusal(UNAUTHORIZED, (b"WWW-Authenticate", b"Bearer"))


@dataclass(slots=True)
class Counts:
    """What the gate did."""

    auth_rejected: int = 0
    rate_rejected: int = 0
    full_rejected: int = 0
    network_rejected: int = 0
    waiting_dropped: int = 0
    let_in: Counter[str] = field(default_factory=Counter)
    """by the label of the token, while tokens are asked for"""


class WaitingConnection(Hashable, Protocol):
    """A connection that has asked for nothing yet."""

    def abort(self) -> None:
        """Close at once."""
        ...


class Gate:
    """Judges by the policy of the moment, which may be replaced at any time.

    What is counted is counted whether or not there is a limit: one that is turned on later holds
    for who is in already.

    :param now: seconds, for the rate of requests; not a clock that somebody sets
    :param most_waiting: how many connections may be there that have asked for nothing
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        now: Callable[[], float] = monotonic,
        most_waiting: Callable[[], int] = lambda: MOST_WAITING,
    ) -> None:
        self.policy = policy or Policy()
        self.counts = Counts()
        self.slots = Slots()
        self.waiting: Waiting[WaitingConnection] = Waiting()
        self._rates = Rates()
        self._now = now
        self._most_waiting = most_waiting

    def replace_policy(self, policy: Policy) -> None:
        """Judge by this one from now on; who is in stays."""
        self.policy = policy
        labels = policy.tokens.labels if policy.tokens is not None else frozenset()
        for label in self.counts.let_in.keys() - labels:
            del self.counts.let_in[label]

    # A request

    def enter(
        self, peer: IAddress | None, forwarded: Sequence[bytes], tokens: Sequence[bytes]
    ) -> Slot | Refusal:
        """A place for a request, or why there is none.

        Guesses of a token count as requests, and who has none takes no place.

        :param forwarded: the values of its X-Forwarded-For headers
        """
        policy = self.policy
        address = client_address(_address(peer), forwarded, policy.proxies)
        network = network_of(address)
        refusal = self._too_fast(network)
        if refusal is None and not self.knows(tokens):
            refusal = NO_TOKEN
        return self._place(network) if refusal is None else refusal

    # A connection without a request: the raw TCP stream

    def enter_unasked(self, peer: IAddress | None) -> Slot | Refusal:
        """A place for a connection of which nothing is known but its address.

        Whether it `knows` a token is for its first line to show.
        """
        network = network_of(_address(peer))
        return self._too_fast(network) or self._place(network)

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return self.policy.tokens is not None

    def knows(self, tokens: Sequence[bytes]) -> bool:
        """Whether one of ``tokens`` is good, or none is needed; it is counted."""
        if self.policy.tokens is None:
            return True
        label = self.policy.tokens.label_of(tokens)
        if label is None:
            self.counts.auth_rejected += 1
            return False
        self.counts.let_in[label] += 1
        return True

    # A connection that has asked for nothing yet, or was answered

    def waits(self, connection: WaitingConnection, peer: IAddress | None) -> None:
        """It waits from now on; one that waits already may have to go for it."""
        address = _address(peer)
        # All that come through a proxy are not one client: each of them stands for itself.
        proxied = address is None or address in self.policy.proxies
        network = connection if proxied else network_of(address)
        dropped = self.waiting.add(connection, network, self._most_waiting())
        if dropped is not None:
            self.counts.waiting_dropped += 1
            dropped.abort()

    # The limits

    def _too_fast(self, network: bytes) -> Refusal | None:
        limit = self.policy.rate
        if limit is None:
            return None
        wait = self._rates.take(network, self._now(), limit.per_second, limit.burst)
        if not wait:
            return None
        self.counts.rate_rejected += 1
        return _later(wait)

    def _place(self, network: bytes) -> Slot | Refusal:
        limit = self.policy.connections
        if limit is not None and self.slots.total >= limit.total:
            self.counts.full_rejected += 1
            return _later(RETRY_SECONDS)
        if (
            limit is not None
            and limit.by_network is not None
            and self.slots.of(network) >= limit.by_network
        ):
            self.counts.network_rejected += 1
            return _later(RETRY_SECONDS)
        return self.slots.take(network)


def most_waiting(capacity: int) -> int:
    """How many connections may be there that have asked for nothing, if there is room for
    ``capacity`` connections: a quarter, so that three quarters are for who gets something."""
    return min(max(capacity // 4, FEWEST_WAITING), MOST_WAITING)


def _address(peer: IAddress | None) -> Address | None:
    """A peer's address; None where the connection has none, or one that is no IP address."""
    host = getattr(peer, "host", None)
    return read_address(host) if isinstance(host, str) else None


def _later(seconds: float) -> Refusal:
    return Refusal(TOO_MANY_REQUESTS, (b"Retry-After", b"%d" % max(1, ceil(seconds))))
