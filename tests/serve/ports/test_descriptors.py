"""Tests of :mod:`certstream_tx.serve.ports.descriptors`."""

import resource

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.ports.descriptors import ENOUGH, MOST, RESERVED, Descriptors, raise_limit
from tests.events import collected_events

ENDLESS = resource.RLIM_INFINITY


class DescriptorsTests(SynchronousTestCase):
    """The limit of open files, on a system that is made up."""

    def system(self, soft: int, hard: int, allowed: int = 1 << 62) -> list[tuple[int, int]]:
        """Limits as given, and the list of what is asked for; above ``allowed`` nothing is."""
        asked: list[tuple[int, int]] = []

        def setrlimit(which: int, limits: tuple[int, int]) -> None:
            asked.append(limits)
            if limits[0] > allowed:
                raise ValueError("not allowed to raise maximum limit")

        self.patch(resource, "getrlimit", lambda which: (soft, hard))
        self.patch(resource, "setrlimit", setrlimit)
        return asked

    def test_raised_to_the_hard_limit(self) -> None:
        """And never beyond, nor is the hard limit touched."""
        asked = self.system(1024, 20000)
        self.assertEqual(raise_limit(), 20000)
        self.assertEqual(asked, [(20000, 20000)])

    def test_as_high_as_can_be(self) -> None:
        """Nothing is done where nothing can be."""
        for soft, hard, limit in (
            (20000, 20000, 20000),
            (ENDLESS, ENDLESS, MOST),
            (MOST, ENDLESS, MOST),
        ):
            asked = self.system(soft, hard)
            self.assertEqual((raise_limit(), asked), (limit, []))

    def test_no_hard_limit(self) -> None:
        """A bound of ours, since the system has another that it does not tell."""
        asked = self.system(1024, ENDLESS)
        self.assertEqual(raise_limit(), MOST)
        self.assertEqual(asked, [(MOST, ENDLESS)])

    def test_refused(self) -> None:
        """What there is stays, and the operator is told."""
        self.system(5000, ENDLESS, allowed=5000)
        with collected_events() as events:
            self.assertEqual(raise_limit(), 5000)
        (event,) = events
        self.assertEqual(event["log_level"].name, "warn")

    def test_capacity_is_told(self) -> None:
        """One line; a warning when few clients fit."""
        for hard, level in (
            (RESERVED + ENOUGH, "info"),
            (RESERVED + ENOUGH - 1, "warn"),
            (9, "warn"),
        ):
            self.system(9, hard)
            service = Descriptors()
            with collected_events() as events:
                service.startService()
            (event,) = events
            self.assertEqual(event["log_level"].name, level)
            self.assertEqual(service.capacity, max(0, hard - RESERVED))
            self.assertEqual(event["clients"], service.capacity)

    def test_here(self) -> None:
        """On the system the tests run on."""
        self.assertEqual(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
