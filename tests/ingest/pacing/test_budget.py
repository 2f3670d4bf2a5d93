"""Entries in memory, of all logs together."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.pacing.budget import Budget


class BudgetTests(SynchronousTestCase):
    """Entries shared by all logs."""

    def test_take_and_give(self) -> None:
        """What is taken is missing until it is given back; what must be is always granted."""
        budget = Budget(10)
        self.assertTrue(budget.take(6))
        self.assertFalse(budget.take(5))
        self.assertTrue(budget.take(5, must=True))
        self.assertFalse(budget.take(1))
        budget.give(11)
        self.assertTrue(budget.take(10))

    def test_waiting(self) -> None:
        """Who waits is told once, in order, as far as there is something; who left is not."""
        budget = Budget(10)
        budget.take(10)
        told = []

        def want(name: str, entries: int) -> None:
            def retry() -> None:
                told.append(name)
                if not budget.take(entries):
                    budget.notify(retry)

            budget.notify(retry)

        def gone() -> None:
            told.append("gone")

        want("large", 8)
        budget.notify(gone)
        want("small", 3)
        want("last", 1)
        budget.forget(gone)
        budget.give(3)
        self.assertEqual(told, ["large", "small"])
        budget.give(7)
        self.assertEqual(told, ["large", "small", "last", "large"])
        budget.give(20)
        self.assertEqual(told[4:], ["large"])
        budget.give(1)
        self.assertEqual(told[5:], [])
