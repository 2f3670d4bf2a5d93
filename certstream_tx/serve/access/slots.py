"""Who is in: connections that are served, counted in total and by network. Pure."""


class Slot:
    """The place of one connection; it is given back once, however often that is said."""

    __slots__ = ("_network", "_slots")

    def __init__(self, slots: "Slots", network: bytes) -> None:
        self._slots: Slots | None = slots
        self._network = network

    def release(self) -> None:
        """Give it back."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back(self._network)


class Slots:
    """The places taken; of what is not in, nothing is kept."""

    def __init__(self) -> None:
        self.total = 0
        self._by_network: dict[bytes, int] = {}

    def of(self, network: bytes) -> int:
        """Those of one network."""
        return self._by_network.get(network, 0)

    @property
    def networks(self) -> int:
        """Networks that have any."""
        return len(self._by_network)

    def take(self, network: bytes) -> Slot:
        """One more."""
        self.total += 1
        self._by_network[network] = self.of(network) + 1
        return Slot(self, network)

    def give_back(self, network: bytes) -> None:
        """One less."""
        self.total -= 1
        left = self._by_network.pop(network) - 1
        if left:
            self._by_network[network] = left
