"""The table of metrics, and the text it becomes."""

import re
import sys

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from certstream_tx.ingest.clients.issuers import IssuerCache
from certstream_tx.serve.metrics.exposition import Exposition, lines
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.metrics.table import HISTOGRAMS, METRICS, MetricRow
from certstream_tx.stats import LogStats
from tests.hub.messages import Numbered
from tests.serve.wires.test_websocket import HouseTestCase

DASHBOARD_NAMES = {
    "certstream_ws_connections_total": "gauge",
    "certstream_ws_connections_full": "gauge",
    "certstream_ws_connections_lite": "gauge",
    "certstream_ws_connections_domains": "gauge",
    "certstream_sse_connections": "gauge",
    "certstream_tcp_connections": "gauge",
    "certstream_ws_messages_lagged": "counter",
    "certstream_sse_messages_lagged": "counter",
    "certstream_tcp_messages_lagged": "counter",
    "certstream_connection_limit_rejected": "counter",
    "certstream_per_ip_limit_rejected": "counter",
    "certstream_auth_rejected": "counter",
    "certstream_rate_limit_rejected": "counter",
    "certstream_config_reloads": "counter",
    "certstream_ct_logs_count": "gauge",
    "certstream_static_ct_logs_count": "gauge",
    "certstream_messages_sent": "counter",
    "certstream_parse_failures": "counter",
    "certstream_static_ct_tiles_fetched": "counter",
    "certstream_static_ct_entries_parsed": "counter",
    "certstream_static_ct_parse_failures": "counter",
    "certstream_static_ct_checkpoint_errors": "counter",
    "certstream_static_ct_checkpoint_sig_verified": "counter",
    "certstream_static_ct_checkpoint_sig_failed": "counter",
    "certstream_static_ct_tree_size_rollbacks": "counter",
    "certstream_ct_log_rate_limited_total": "counter",
    "certstream_ct_log_lag_entries": "gauge",
    "certstream_ct_log_ingest_delay_seconds": "gauge",
    "certstream_ct_runtime_log_info": "gauge",
    "certstream_operator_requests_total": "counter",
    "certstream_bytes_sent_total": "counter",
    "certstream_log_health_checks_failed": "counter",
    "certstream_issuer_cache_hits": "counter",
    "certstream_issuer_cache_misses": "counter",
    "certstream_issuer_cache_size": "gauge",
}
"""what dashboards of other certstream servers read, of what there is by now"""

SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$')


class ExpositionTests(HouseTestCase):
    """The whole text."""

    def setUp(self) -> None:
        super().setUp()
        rfc = LogStats("Argon", "https://argon.example", "rfc6962", "Google", "YWJj")
        rfc.entries, rfc.position, rfc.head_size, rfc.requests = 10, 110, 150, 7
        rfc.last_entry_timestamp = 1_699_999_990.0
        rfc.errors["timeout"] = 2
        rfc.throttled = 3
        tiled = LogStats('A "tiled"\\log\n2', "https://tiles.example", "tiled", None, None)
        tiled.tiles_fetched, tiled.entries, tiled.bad_signatures = 5, 512, 1
        self.logs = [rfc, tiled]
        self.exposition = Exposition(
            Sources(
                hub=self.house.hub,
                clients=self.house.clients,
                logs=lambda: self.logs,
                now=self.house.clock.seconds,
                issuers=IssuerCache(self.house.clock),
            )
        )

    def text(self) -> str:
        return self.exposition.text().decode("utf-8")

    def value(self, name: str, **labels: str) -> float:
        """Of the one sample with that name and these labels."""
        found = [
            sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
            # The library's reader gives every counter the ending that its writer does.
            if sample.name in (name, f"{name}_total") and labels.items() <= sample.labels.items()
        ]
        self.assertEqual(len(found), 1, (name, labels))
        return found[0]

    def test_format(self) -> None:
        """Every line is a help, a type, or a sample of the metric they announced, in that order,
        and every metric is announced once."""
        announced: list[str] = []
        for line in self.text().splitlines():
            if line.startswith("# HELP "):
                announced.append(line.split(" ")[2])
            elif line.startswith("# TYPE "):
                self.assertEqual(line.split(" ")[2], announced[-1])
            else:
                found = SAMPLE.match(line)
                assert found is not None, line
                name = found.group(1)
                self.assertIn(
                    name, [announced[-1] + end for end in ("", "_bucket", "_sum", "_count")]
                )
                float(found.group(3))
        self.assertEqual(len(announced), len(set(announced)))

    def test_dashboard_names(self) -> None:
        """Names and types that dashboards use are there, to the letter."""
        self.house.open()
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.text(), re.MULTILINE))
        for name, kind in DASHBOARD_NAMES.items():
            self.assertEqual(types.get(name), kind, name)

    def test_connections(self) -> None:
        """Clients are counted by stream while they are connected."""
        visitors = [self.house.open(p) for p in (b"/", b"/", b"/full-stream", b"/domains-only")]
        visitors.pop(0).hang_up()
        self.assertEqual(self.value("certstream_ws_connections_total"), 3)
        self.assertEqual(self.value("certstream_ws_connections_lite"), 1)
        self.assertEqual(self.value("certstream_ws_connections_full"), 1)
        self.assertEqual(self.value("certstream_ws_connections_domains"), 1)

    def test_delivery(self) -> None:
        """What was published, delivered and lost, in messages and bytes."""
        house = self.house
        visitor, stalled = house.open(), house.open()
        stalled.kernel.room = 0
        for i in range(3000):
            house.hub.publish(Numbered(i, padding=100))
            house.hub.flush()
            visitor.transport.drain()
        self.assertEqual(self.value("certstream_messages_published_total"), 3000)
        delivered = self.value("certstream_messages_delivered_total", stream="lite")
        lost = self.value("certstream_messages_dropped_total", stream="lite", wire="websocket")
        self.assertEqual(self.value("certstream_ws_messages_lagged"), lost)
        self.assertGreater(lost, 1000)
        self.assertEqual(self.value("certstream_clients_behind", stream="lite"), 1)
        self.assertGreater(self.value("certstream_backlog_bytes", stream="lite"), 100_000)
        self.assertEqual(len(visitor.texts()), 3000)
        self.assertTrue(3000 < delivered < 6000, delivered)
        self.assertGreater(self.value("certstream_bytes_sent_total", protocol="websocket"), 300_000)
        self.assertEqual(self.value("certstream_flush_seconds_count"), 3000)
        self.assertEqual(self.value("certstream_flush_messages_bucket", le="1.0"), 3000)

    def test_delivery_time(self) -> None:
        """How long messages take from the certificate to the clients."""
        self.house.open()
        self.house.hub.publish(Numbered(1))
        self.house.clock.advance(0.004)
        self.assertEqual(self.value("certstream_delivery_seconds_count"), 1)
        self.assertEqual(self.value("certstream_delivery_seconds_bucket", le="0.005"), 1)

    def test_scrape_costs_the_same_for_any_number_of_clients(self) -> None:
        """Nothing is done for each client, neither for those that keep up nor for the others."""

        def calls() -> int:
            count = 0

            def note(frame: object, event: str, argument: object) -> None:
                nonlocal count
                count += 1

            sys.setprofile(note)
            try:
                self.exposition.text()
            finally:
                sys.setprofile(None)
            return count

        def enter(count: int) -> None:
            for i in range(count):
                visitor = self.house.open()
                if i % 2:
                    visitor.kernel.room = 0
            for i in range(2000):
                self.house.hub.publish(Numbered(i))
                self.house.hub.flush()

        enter(4)
        few = calls()
        enter(100)
        self.assertLess(abs(calls() - few), 20)

    def test_silent_clients(self) -> None:
        """Peers that were dropped are counted."""
        self.house.open()
        self.house.seconds(80)
        self.assertEqual(self.value("certstream_ws_disconnect_silent"), 1)

    def test_logs(self) -> None:
        """What is known of each log, under its name and source."""
        argon = {"log": "Argon", "source_id": "ctlog:YWJj"}
        self.assertEqual(self.value("certstream_messages_sent", **argon), 10)
        self.assertEqual(self.value("certstream_ct_log_lag_entries", **argon), 40)
        self.assertEqual(self.value("certstream_ct_log_ingest_delay_seconds", **argon), 10)
        self.assertEqual(self.value("certstream_ct_log_errors_total", kind="timeout"), 2)
        throttled = {"log_type": "rfc6962", **argon}
        self.assertEqual(self.value("certstream_ct_log_rate_limited_total", **throttled), 3)
        self.assertEqual(self.value("certstream_operator_requests_total", operator="Google"), 7)
        self.assertEqual(self.value("certstream_static_ct_tiles_fetched"), 5)
        self.assertEqual(self.value("certstream_static_ct_checkpoint_sig_failed"), 1)
        self.assertEqual(self.value("certstream_ct_logs_count"), 1)
        self.assertEqual(self.value("certstream_static_ct_logs_count"), 1)

    def test_labels_are_escaped(self) -> None:
        """A log's name may contain anything; a reader gets it back."""
        name = 'A "tiled"\\log\n2'
        source = {"log": name, "source_id": "url:https://tiles.example"}
        self.assertEqual(self.value("certstream_messages_sent", **source), 512)

    def test_unknown_is_left_out(self) -> None:
        """A log that has no head and no entry yet has no lag and no delay."""
        self.logs = [LogStats("New", "https://new.example", "rfc6962", None, None)]
        for name in ("lag_entries", "ingest_delay_seconds"):
            self.assertNotIn(f"certstream_ct_log_{name}", self.text())
        self.logs = []
        self.assertNotIn("certstream_messages_sent", self.text())

    def test_process_and_build(self) -> None:
        """The process's own numbers under their usual names, and the version."""
        self.assertGreater(self.value("process_resident_memory_bytes"), 1 << 20)
        self.assertIn("# TYPE process_cpu_seconds_total counter\n", self.text())
        self.assertEqual(self.value("certstream_build_info"), 1)

    def test_scrape_is_quick(self) -> None:
        """Reading does not visit clients: it takes as long with many as with none."""
        for _ in range(300):
            self.house.open()
        counted = [0]
        clients = self.house.clients
        self.patch(type(clients), "__iter__", lambda s: counted.append(1) or iter(()))
        self.text()
        self.assertEqual(counted, [0])


class TableTests(HouseTestCase):
    """The rows."""

    def test_rows(self) -> None:
        """Names are unique and legal, everything is explained, no label could hold an address."""
        names = [row.name for row in (*METRICS, *HISTOGRAMS)]
        self.assertEqual(len(names), len(set(names)))
        for row in (*METRICS, *HISTOGRAMS):
            self.assertRegex(row.name, r"^certstream_[a-z_]+$")
            self.assertRegex(row.help, r"^[A-Z].*\.$")
        labels = {label for row in METRICS for label in row.labels}
        allowed = {"log", "source_id", "log_type", "log_id", "operator", "protocol", "stream"}
        self.assertLessEqual(
            labels,
            allowed | {"wire", "kind", "version", "python", "token", "status", "verification"},
        )

    def test_more_rows(self) -> None:
        """A composition can add what it knows."""
        row = MetricRow("certstream_more", "gauge", "More.", lambda s: iter([((), 5.0)]))
        sources = Sources(self.house.hub, self.house.clients, list, lambda: 0.0)
        text = Exposition(sources, rows=(*METRICS, row)).text()
        self.assertIn(b"# TYPE certstream_more gauge\ncertstream_more 5.0\n", text)


class LinesTests(HouseTestCase):
    """Families of the client library."""

    def test_counter_of_the_library(self) -> None:
        """Its counters are announced under the name of their samples."""
        family = CounterMetricFamily("cpu_seconds", "Time.", value=2)
        self.assertEqual(
            list(lines(family)),
            [
                "# HELP cpu_seconds_total Time.\n",
                "# TYPE cpu_seconds_total counter\n",
                "cpu_seconds_total 2.0\n",
            ],
        )

    def test_help_is_escaped(self) -> None:
        """A line break in an explanation does not become one."""
        family = GaugeMetricFamily("x", "a\\b\nc", value=1)
        self.assertEqual(next(lines(family)), "# HELP x a\\\\b\\nc\n")
