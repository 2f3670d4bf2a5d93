"""Metrics of how the logs are, and of what is remembered."""

from prometheus_client.parser import text_string_to_metric_families

from certstream_tx.hub import Newest
from certstream_tx.ingest.clients.issuers import IssuerCache
from certstream_tx.serve.metrics.exposition import Exposition
from certstream_tx.serve.metrics.page import metrics_page
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.metrics.table import GROUPS, HISTOGRAMS, METRICS
from certstream_tx.stats import LogStats, LogStatus, Trust
from tests.checkout import DOCS
from tests.hub.messages import Numbered
from tests.serve.visitor import House
from tests.serve.wires.test_websocket import HouseTestCase

PAGE = DOCS / "metrics.md"


class MetricsCase(HouseTestCase):
    """The numbers of a house with two logs."""

    def setUp(self) -> None:
        super().setUp()
        self.house = House(newest=Newest(2))
        self.addCleanup(self.house.close)
        self.argon = LogStats("Argon", "https://argon.example", "rfc6962", "Google", "YWJj")
        self.tiles = LogStats("Tiles", "https://tiles.example", "tiled", None, None, keyless=True)
        self.issuers = IssuerCache(self.house.clock)
        self.exposition = Exposition(
            Sources(
                self.house.hub,
                self.house.clients,
                lambda: [self.argon, self.tiles],
                self.house.clock.seconds,
                issuers=self.issuers,
            )
        )

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Value by the labels behind ``source_id``, the log's name first."""
        found = {}
        for family in text_string_to_metric_families(self.exposition.text().decode()):
            for sample in family.samples:
                if sample.name in (name, f"{name}_total"):
                    labels = dict(sample.labels)
                    labels.pop("source_id", None)
                    found[tuple(labels.values())] = sample.value
        return found


class StatusTests(MetricsCase):
    """How the logs are."""

    def test_unsigned_list(self) -> None:
        """A log that TLS alone vouches for can be told from the others."""
        self.tiles.unsigned_list = True
        self.assertEqual(
            self.samples("certstream_ct_log_unsigned_list"), {("Argon",): 0, ("Tiles",): 1}
        )

    def test_status(self) -> None:
        """Every status of every log is there; the one it has is 1."""
        self.tiles.health = LogStatus.UNHEALTHY
        self.assertEqual(
            self.samples("certstream_ct_log_status"),
            {
                ("Argon", "healthy"): 1,
                ("Argon", "degraded"): 0,
                ("Argon", "unhealthy"): 0,
                ("Tiles", "healthy"): 0,
                ("Tiles", "degraded"): 0,
                ("Tiles", "unhealthy"): 1,
            },
        )

    def test_verification(self) -> None:
        """What is verified, what is not, and what contradicts itself."""
        self.argon.verified_size = self.tiles.verified_size = 5
        said = self.samples("certstream_ct_log_verification")
        self.assertEqual(
            {log for log, value in said.items() if value},
            {
                ("Argon", Trust.VERIFIED.value),
                ("Tiles", Trust.UNVERIFIED.value),
            },
        )
        self.assertEqual(len(said), 6)
        self.argon.inconsistent = True
        said = self.samples("certstream_ct_log_verification")
        self.assertEqual(said["Argon", "inconsistent"], 1)
        self.assertEqual(said["Argon", "verified"], 0)

    def test_unknown_is_left_out(self) -> None:
        """A log that was not begun has no position, no head's age, no last success."""
        for name in ("position", "head_age_seconds", "last_success_timestamp_seconds"):
            self.assertEqual(self.samples(f"certstream_ct_log_{name}"), {}, name)

    def test_numbers(self) -> None:
        """They are the logs' own."""
        now = self.house.clock.seconds()
        self.argon.started_at, self.argon.position, self.argon.head_size = 5, 10, 30
        self.argon.head_timestamp, self.argon.last_success_at = now - 4, now - 3
        self.argon.health_checks_failed, self.tiles.health_checks_failed = 2, 5
        self.argon.head_errors, self.tiles.head_errors = 6, 7
        self.argon.heads_verified, self.tiles.heads_verified = 8, 9
        self.argon.gaps_open, self.argon.gap_entries, self.argon.late_entries = 11, 12, 13
        self.argon.corrected_entries, self.argon.contradictions, self.argon.rollbacks = 14, 15, 16
        self.argon.unproven_entries = 17
        for name, of_argon in {
            "position": 10,
            "tree_size": 30,
            "head_age_seconds": 4,
            "last_success_timestamp_seconds": now - 3,
            "head_errors_total": 6,
            "heads_verified_total": 8,
            "gaps_open": 11,
            "gap_entries": 12,
            "late_entries_total": 13,
            "corrected_entries_total": 14,
            "contradictions_total": 15,
            "unproven_entries_total": 17,
            "rollbacks_total": 16,
        }.items():
            self.assertEqual(self.samples(f"certstream_ct_log_{name}")["Argon",], of_argon, name)
        self.assertEqual(self.samples("certstream_log_health_checks_failed"), {(): 7})
        self.assertEqual(self.samples("certstream_static_ct_checkpoint_errors"), {("Tiles",): 7})
        self.assertEqual(
            self.samples("certstream_static_ct_checkpoint_sig_verified"), {("Tiles",): 9}
        )


class CacheTests(MetricsCase):
    """What is remembered."""

    def test_issuers(self) -> None:
        """Hits, misses and number of the issuers; nothing where there are none."""
        self.issuers.hits, self.issuers.misses = 7, 3
        self.assertEqual(self.samples("certstream_issuer_cache_hits"), {(): 7})
        self.assertEqual(self.samples("certstream_issuer_cache_misses"), {(): 3})
        self.assertEqual(self.samples("certstream_issuer_cache_size"), {(): 0})
        self.exposition = Exposition(
            Sources(self.house.hub, self.house.clients, list, self.house.clock.seconds)
        )
        self.assertEqual(self.samples("certstream_issuer_cache_size"), {})

    def test_certificates(self) -> None:
        """How many are kept, and what they weigh."""
        for i in range(3):
            self.house.hub.publish(Numbered(i, padding=10))
        self.assertEqual(self.samples("certstream_certificate_cache_entries"), {(): 2})
        self.assertEqual(self.samples("certstream_certificate_cache_bytes"), {(): 20})


class PageTests(HouseTestCase):
    """docs/metrics.md."""

    def test_page_is_that_of_the_code(self) -> None:
        """``make docs`` has been run since the metrics were changed."""
        self.assertEqual(PAGE.read_text(encoding="utf-8"), metrics_page())

    def test_every_metric_is_on_it(self) -> None:
        """No metric is missing from the groups, and none stands in two."""
        grouped = [row.name for _, rows in GROUPS for row in rows]
        self.assertEqual(sorted(grouped), sorted(row.name for row in (*METRICS, *HISTOGRAMS)))
