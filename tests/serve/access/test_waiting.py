"""The crowd that waits for a place."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.access.waiting import Waiting

Names = Waiting[str]


class WaitingTests(SynchronousTestCase):
    """The crowd."""

    def test_within_the_limit(self) -> None:
        """Nobody has to go."""
        waiting = Names()
        self.assertEqual([waiting.add(c, c, 3) for c in "abc"], [None] * 3)
        self.assertEqual(len(waiting), 3)

    def test_oldest_of_all(self) -> None:
        """With one each, who came first has to go."""
        waiting = Names()
        dropped = [waiting.add(c, c, 3) for c in "abcdef"]
        self.assertEqual(dropped, [None] * 3 + ["a", "b", "c"])

    def test_flood_drops_its_own(self) -> None:
        """Who has the most loses its oldest; the few of others stay as long as it floods."""
        waiting = Names()
        for one in ("x1", "y1", "y2"):
            waiting.add(one, one[0], 10)
        dropped = [waiting.add(f"flood{i}", "f", 10) for i in range(1000)]
        self.assertEqual(dropped[7:], [f"flood{i}" for i in range(993)])
        self.assertEqual(len(waiting), 10)

    def test_came_again(self) -> None:
        """One that waits again is the newest."""
        waiting = Names()
        for one in "abc":
            waiting.add(one, one, 3)
        waiting.add("a", "a", 3)
        self.assertEqual(waiting.add("d", "d", 3), "b")

    @given(
        st.lists(st.tuples(st.sampled_from("add drop"), st.integers(0, 30)), max_size=120),
        st.integers(1, 8),
    )
    @settings(deadline=None, max_examples=150)
    def test_any_order(self, steps: list[tuple[str, int]], limit: int) -> None:
        """Never more than the limit, and it is always the oldest of a network with the most."""
        waiting = Names()
        model: list[tuple[str, str]] = []
        for step, number in steps:
            name, network = f"c{number}", f"n{number % 4}"
            model = [pair for pair in model if pair[0] != name]
            if step == "drop":
                waiting.discard(name)
            else:
                model.append((name, network))
                gone = waiting.add(name, network, limit)
                self.assertEqual(gone is not None, len(model) > limit)
                if gone is not None:
                    sizes = Counter(n for _, n in model)
                    (home,) = [n for c, n in model if c == gone]
                    self.assertEqual(sizes[home], max(sizes.values()))
                    self.assertEqual(next(c for c, n in model if n == home), gone)
                    model = [pair for pair in model if pair[0] != gone]
            self.assertEqual(len(waiting), len(model))
        for name, _ in model:
            waiting.discard(name)
        self.assertEqual(len(waiting), 0)
        self.assertEqual((waiting._by_network, waiting._by_count, waiting._most), ({}, {}, 0))
