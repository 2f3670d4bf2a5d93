"""When a log counts as ill."""

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.condition.health import Activity, Health
from certstream_tx.stats import LogStatus

HEAD, ENTRIES = Activity.HEAD, Activity.ENTRIES
HEALTHY, DEGRADED, UNHEALTHY = LogStatus


class HealthTests(SynchronousTestCase):
    """When a log counts as ill, and when as well."""

    def test_thresholds(self) -> None:
        """Ill after so many failures in a row, well after so many answers; each is told once."""
        health = Health(3, 5, 2)
        told = [health.failed(HEAD) for _ in range(30)]
        self.assertEqual(told.index(True), 14)
        self.assertEqual(told.count(True), 1)
        self.assertEqual(health.consecutive_failures, 10)
        self.assertEqual([health.answered(HEAD) for _ in range(5)], [False, True] + [False] * 3)
        self.assertEqual(health.consecutive_failures, 0)

    def test_degraded(self) -> None:
        """From the first whole failure on, until there were enough answers in a row."""
        health = Health(3, 5, 2)
        seen = []
        for _ in range(3):
            health.failed(HEAD)
            seen.append(health.status)
        health.answered(HEAD)
        seen.append(health.status)
        health.failed(HEAD)
        health.answered(HEAD)
        seen.append(health.status)
        self.assertFalse(health.answered(HEAD))
        seen.append(health.status)
        self.assertEqual(seen, [HEALTHY, HEALTHY, DEGRADED, DEGRADED, DEGRADED, HEALTHY])

    def test_interrupted(self) -> None:
        """An answer between failures begins the count anew, and a failure that of answers."""
        health = Health(1, 2, 2)
        for _ in range(5):
            self.assertFalse(health.failed(HEAD))
            self.assertFalse(health.answered(HEAD))
        health.failed(HEAD)
        self.assertTrue(health.failed(HEAD))
        for _ in range(5):
            self.assertFalse(health.answered(HEAD))
            self.assertFalse(health.failed(HEAD))
        self.assertEqual(health.status, UNHEALTHY)

    def test_each_activity(self) -> None:
        """Answers to one question do not hide that another is never answered."""
        health = Health(1, 3, 1)
        told = []
        for _ in range(3):
            health.answered(HEAD)
            told.append(health.failed(ENTRIES))
        self.assertEqual(told, [False, False, True])
        self.assertFalse(health.answered(HEAD))
        self.assertTrue(health.answered(ENTRIES))

    def test_breaker(self) -> None:
        """At rest until a head comes, then heads alone, then entries too; a failure opens again."""
        health = Health(1, 2, 2)
        states = []

        def then(failed: bool, activity: Activity) -> None:
            (health.failed if failed else health.answered)(activity)
            states.append((health.resting, health.recovering))

        for failed, activity in (
            (True, ENTRIES),
            (True, ENTRIES),
            (False, HEAD),
            (True, HEAD),
            (False, HEAD),
            (False, HEAD),
            (True, ENTRIES),
            (False, HEAD),
            (False, HEAD),
            (False, ENTRIES),
        ):
            then(failed, activity)
        at_rest, recovering, on_trial = (True, False), (False, True), (False, False)
        self.assertEqual(
            states,
            [
                (False, False),
                at_rest,
                recovering,
                at_rest,
                recovering,
                on_trial,
                at_rest,
                recovering,
                on_trial,
                (False, False),
            ],
        )
        self.assertEqual(health.status, HEALTHY)

    def test_alone(self) -> None:
        """What fails while others are answered is one failure, and makes no log ill."""
        health = Health(3, 2, 1)
        for _ in range(50):
            self.assertFalse(health.failed(ENTRIES, alone=True))
        self.assertEqual((health.status, health.consecutive_failures), (DEGRADED, 1))
        told = [health.failed(ENTRIES) for _ in range(3)]
        self.assertEqual(told, [False, False, True])
