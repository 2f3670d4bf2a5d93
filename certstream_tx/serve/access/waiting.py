"""Connections that have asked for nothing yet, or have been answered: a bounded crowd. Pure."""

from collections.abc import Hashable
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)


class Waiting(Generic[C]):
    """Connections by network, in the order in which they came.

    When there are too many, the oldest of the network that has the most has to go: who floods
    from one address drops its own, and one that has only just come still has time to speak, so
    that whoever asks at once is answered during a flood as well.
    """

    def __init__(self) -> None:
        self._network_of: dict[C, Hashable] = {}
        self._by_network: dict[Hashable, dict[C, None]] = {}
        self._by_count: dict[int, dict[Hashable, None]] = {}
        """networks by how many connections they have, to find those with the most at once"""
        self._most = 0

    def __len__(self) -> int:
        return len(self._network_of)

    def add(self, connection: C, network: Hashable, limit: int) -> C | None:
        """One more; returns the one that has to go, if there are more than ``limit`` now."""
        self.discard(connection)
        self._network_of[connection] = network
        line = self._by_network.setdefault(network, {})
        line[connection] = None
        self._counted(network, len(line) - 1, len(line))
        self._most = max(self._most, len(line))
        if len(self) <= limit:
            return None
        largest = next(iter(self._by_count[self._most]))
        oldest = next(iter(self._by_network[largest]))
        self.discard(oldest)
        return oldest

    def discard(self, connection: C) -> None:
        """It waits no longer."""
        network = self._network_of.pop(connection, None)
        if network is None:
            return
        line = self._by_network[network]
        del line[connection]
        self._counted(network, len(line) + 1, len(line))
        if not line:
            del self._by_network[network]
        while self._most and self._most not in self._by_count:
            self._most -= 1

    def _counted(self, network: Hashable, before: int, after: int) -> None:
        if before:
            same = self._by_count[before]
            del same[network]
            if not same:
                del self._by_count[before]
        if after:
            self._by_count.setdefault(after, {})[network] = None
