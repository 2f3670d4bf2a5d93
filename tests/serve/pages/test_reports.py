"""What the server tells of itself as JSON: shapes, values, who may read it."""

import json
from hashlib import sha1, sha256
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.tokens import Token
from certstream_tx.hub import Newest, Stream
from certstream_tx.message.documents import Message, Source
from certstream_tx.message.examples import EXAMPLES
from certstream_tx.serve.access.policy import Policy
from certstream_tx.serve.access.tokens import Tokens
from certstream_tx.serve.pages.log_reports import LogCounts, LogReport
from certstream_tx.serve.pages.reports import MAX_LATEST_BYTES
from certstream_tx.serve.site import Surface
from certstream_tx.stats import LogStats, LogStatus
from tests.checkout import DOCS
from tests.hub.messages import Numbered
from tests.message.test_documents import NAMED, entry
from tests.serve.visitor import House

NOT_FOUND = b'{"error":"Not Found"}'
DATA_PATHS = (b"/api/stats", b"/api/logs", b"/api/cert/" + b"0" * 64, b"/latest.json")
SOURCE = Source("Argon", "https://argon.example", "Google", "YWJj", "rfc6962")


def log(name: str = "Argon", health: LogStatus = LogStatus.HEALTHY, **fields: Any) -> LogStats:
    """A log's numbers."""
    url = f"https://{name.lower()}.example"
    return LogStats(name, url, "rfc6962", "Google", "YWJj", health=health, **fields)


class ReportCase(SynchronousTestCase):
    """A house with the pages for programs."""

    def setUp(self) -> None:
        self.house = self.build()

    def build(self, **options: Any) -> House:
        """Another house, with other options."""
        options.setdefault("surface", Surface(api=True))
        options.setdefault("newest", Newest(100, indexed=True))
        house = House(**options)
        self.addCleanup(house.close)
        return house

    def json(self, path: bytes, status: int = 200) -> Any:
        """What a page says."""
        answer = self.house.get(path)
        self.assertEqual(
            (answer.status, answer.headers[b"content-type"]), (status, b"application/json")
        )
        return json.loads(answer.body)


class SurfaceTests(ReportCase):
    """Where the pages are, and for whom."""

    def test_api_is_off_by_default(self) -> None:
        """Nothing below ``/api`` is there unless it was asked for."""
        house = self.build(surface=Surface())
        for path in (*DATA_PATHS[:3], b"/api", b"/api/"):
            self.assertEqual(house.get(path)[0::2], (404, NOT_FOUND), path)
        self.assertEqual(house.get(b"/latest.json").status, 200)

    def test_switches(self) -> None:
        """The other pages go with what is like them."""
        house = self.build(surface=Surface(example_json=False, health=False, metrics=False))
        for path in (b"/latest.json", b"/health/deep", b"/stats"):
            self.assertEqual(house.get(path)[0::2], (404, NOT_FOUND), path)
        lite_off = self.build(streams=[Stream.FULL])
        self.assertEqual(lite_off.get(b"/latest.json").status, 404)

    def test_unknown_paths(self) -> None:
        """What is not there is a 404 in JSON, above, below and beside the pages."""
        for path in (
            b"/api",
            b"/api/",
            b"/api/nothing",
            b"/api/stats/",
            b"/api/logs/1",
            b"/api/cert",
            b"/api/cert/",
            b"/api/cert/00/11",
            b"/latest.json/",
            b"/stats/x",
            b"/health/deep/er",
        ):
            self.assertEqual(self.house.get(path)[0::2], (404, NOT_FOUND), path)

    def test_other_origins(self) -> None:
        """Pages of other origins may read the data, 404s included, and not the operator's pages."""
        for path in DATA_PATHS:
            headers = self.house.get(path).headers
            self.assertEqual(headers[b"access-control-allow-origin"], b"*", path)
            options = self.house.get(path, b"OPTIONS")
            self.assertEqual(options.status, 204)
            self.assertIn(b"access-control-allow-methods", options.headers)
        for path in (b"/stats", b"/health/deep"):
            self.assertNotIn(b"access-control-allow-origin", self.house.get(path).headers)

    def test_head_and_other_methods(self) -> None:
        """HEAD has the head of GET alone; others are not allowed; nothing is to be cached."""
        self.house.hub.publish(Numbered(1))
        for path in (*DATA_PATHS, b"/stats", b"/health/deep"):
            got, head = self.house.get(path), self.house.get(path, b"HEAD")
            self.assertEqual((head.status, head.headers, head.body), (got.status, got.headers, b""))
            self.assertEqual(got.headers[b"cache-control"], b"no-store")
            self.assertEqual(self.house.get(path, b"POST").status, 405)

    def test_guarded(self) -> None:
        """Where a token is asked for, the data and ``/stats`` need it; health does not."""
        self.house = self.build(policy=Policy(tokens=Tokens([Token("secret")])))
        for path in (*DATA_PATHS, b"/stats", b"/api", b"/api/cert"):
            self.assertEqual(self.house.get(path).status, 401, path)
        for path in (b"/api/stats", b"/stats"):
            answer = self.house.get(path, b"GET", b"Authorization: Bearer secret")
            self.assertEqual(answer.status, 200, path)
            self.assertNotIn(b"secret", answer.body)
        self.assertEqual(self.house.get(b"/health/deep").status, 503)


class NumbersTests(ReportCase):
    """``/stats`` and ``/api/stats``."""

    def test_nothing_yet(self) -> None:
        """Every number is there from the start."""
        self.assertEqual(
            self.json(b"/api/stats"),
            {
                "uptime_seconds": 0,
                "connections": {"total": 0, "websocket": 0, "sse": 0, "tcp": 0},
                "throughput": {"messages_sent": 0, "certificates_processed": 0, "bytes_sent": 0},
                "memory": {"cache_entries": 0, "cache_capacity": 100},
            },
        )
        self.assertEqual(
            self.json(b"/stats"),
            {
                "processed_certificates": 0,
                "current_users": {"total": 0, "websocket": 0, "sse": 0, "tcp": 0},
                "workers": {},
            },
        )

    def test_numbers(self) -> None:
        """They are those of the hub, its clients and the logs."""
        self.house = self.build(surface=Surface(api=True, sse=True))
        self.house.open(b"/")
        self.house.open(b"/full-stream")
        self.house.visitor().request(b"/sse?stream=domains")
        for i in range(3):
            self.house.hub.publish(Numbered(i))
        self.house.hub.flush()
        self.house.seconds(20)
        self.house.logs = [log(entries=5), log("Xenon", entries=7)]
        stats = self.json(b"/api/stats")
        self.assertEqual(stats["uptime_seconds"], 20)
        self.assertEqual(stats["connections"], {"total": 3, "websocket": 2, "sse": 1, "tcp": 0})
        sent = sum(channel.bytes_sent for channel in self.house.hub.channels())
        self.assertEqual(
            stats["throughput"],
            {"messages_sent": 9, "certificates_processed": 3, "bytes_sent": sent},
        )
        self.assertGreater(sent, 0)
        self.assertEqual(stats["memory"], {"cache_entries": 3, "cache_capacity": 100})
        legacy = self.json(b"/stats")
        self.assertEqual(legacy["processed_certificates"], 3)
        self.assertEqual(legacy["current_users"], stats["connections"])
        self.assertEqual(
            legacy["workers"], {"https://argon.example": 5, "https://xenon.example": 7}
        )

    def test_clock_that_is_set_back(self) -> None:
        """The uptime never is below zero."""
        self.house.clock.rightNow -= 1000
        self.assertEqual(self.json(b"/api/stats")["uptime_seconds"], 0)


class LogsTests(ReportCase):
    """``/api/logs`` and ``/health/deep``."""

    def test_log(self) -> None:
        """All that is known of a log."""
        now = self.house.clock.seconds()
        argon = log(
            position=110,
            started_at=100,
            head_size=150,
            head_timestamp=now - 7.25,
            last_success_at=now - 2.5,
            last_entry_timestamp=now - 10,
            entries=10,
            parse_failures=1,
            requests=7,
            throttled=3,
            verified_size=108,
            gaps_open=2,
            gap_entries=30,
            late_entries=4,
        )
        argon.errors["timeout"] = 2
        argon.errors["connect"] = 1
        self.house.logs = [argon]
        self.assertEqual(
            self.json(b"/api/logs"),
            {
                "total_logs": 1,
                "healthy": 1,
                "degraded": 0,
                "unhealthy": 0,
                "logs": [
                    {
                        "name": "Argon",
                        "url": "https://argon.example",
                        "operator": "Google",
                        "status": "healthy",
                        "current_index": 110,
                        "tree_size": 150,
                        "total_errors": 3,
                        "last_success": int(now - 2.5),
                        "log_id": "YWJj",
                        "type": "rfc6962",
                        "start_index": 100,
                        "lag": 40,
                        "newest_entry_age": 10.0,
                        "head_age": 7.25,
                        "entries": 10,
                        "parse_failures": 1,
                        "requests": 7,
                        "throttled": 3,
                        "errors": {"connect": 1, "timeout": 2},
                        "verification": "verified",
                        "verified_size": 108,
                        "gaps": 2,
                        "gap_entries": 30,
                        "late_entries": 4,
                        "unsigned_list": False,
                    }
                ],
            },
        )

    def test_every_field_is_documented(self) -> None:
        """docs/wire-format.md has each of them."""
        page = (DOCS / "wire-format.md").read_text("utf-8")
        for field in LogReport.__struct_fields__:
            self.assertIn(f"`{field}`", page)

    def test_new_log(self) -> None:
        """What is not known yet is null; every key is there."""
        self.house.logs = [LogStats("New", "https://new.example", "tiled", None, None)]
        (new,) = self.json(b"/api/logs")["logs"]
        nulls = {key for key, value in new.items() if value is None}
        self.assertEqual(
            nulls,
            {"operator", "last_success", "log_id", "start_index", "newest_entry_age", "head_age"},
        )
        self.assertEqual((new["type"], new["verification"]), ("tiled", "unverified"))

    def test_verification(self) -> None:
        """A log without a key is never verified; one that contradicts itself says so."""
        for fields, word in (
            ({"verified_size": 9}, "verified"),
            ({"verified_size": 9, "keyless": True}, "unverified"),
            ({"verified_size": 9, "inconsistent": True}, "inconsistent"),
        ):
            self.assertEqual(log(**fields).verification, word)
        self.assertEqual(log(inconsistent=True).status, LogStatus.DEGRADED)
        self.assertEqual(log(health=LogStatus.UNHEALTHY, inconsistent=True).status, "unhealthy")

    def test_deep_health(self) -> None:
        """Unhealthy, and 503, when more than half of the logs are, or when there are none."""
        healthy, degraded, unhealthy = (log(health=each) for each in LogStatus)
        for logs, verdict in (
            ([], "unhealthy"),
            ([healthy], "healthy"),
            ([healthy, degraded], "degraded"),
            ([degraded], "degraded"),
            ([healthy, unhealthy], "degraded"),
            ([healthy, unhealthy, unhealthy], "unhealthy"),
            ([degraded, degraded, unhealthy, unhealthy], "degraded"),
            ([unhealthy], "unhealthy"),
        ):
            self.house.logs = logs
            said = self.json(b"/health/deep", 503 if verdict == "unhealthy" else 200)
            self.assertEqual(
                said,
                {
                    "status": verdict,
                    "logs_healthy": logs.count(healthy),
                    "logs_degraded": logs.count(degraded),
                    "logs_unhealthy": logs.count(unhealthy),
                    "logs_total": len(logs),
                    "active_connections": 0,
                    "uptime_secs": 0,
                },
            )
            counts = self.json(b"/api/logs")
            self.assertEqual(counts["unhealthy"], logs.count(unhealthy))
            self.assertEqual(counts["total_logs"], len(logs))

    def test_deep_health_counts(self) -> None:
        """The clients and the time."""
        self.house.open()
        self.house.seconds(5)
        self.house.logs = [log()]
        said = self.json(b"/health/deep")
        self.assertEqual((said["active_connections"], said["uptime_secs"]), (1, 5))
        self.assertEqual(LogCounts.of([]).status, LogStatus.UNHEALTHY)


class LatestTests(ReportCase):
    """``/latest.json``."""

    def body(self) -> bytes:
        """Of the page."""
        return self.house.get(b"/latest.json").body

    def test_newest_first(self) -> None:
        """The 25 newest lite messages; none before the first."""
        self.assertEqual(self.body(), b'{"messages":[]}')
        for i in range(30):
            self.house.hub.publish(Numbered(i))
        expected = b",".join(b"lite %d " % i for i in range(29, 4, -1))
        self.assertEqual(self.body(), b'{"messages":[' + expected + b"]}")

    def test_large_messages(self) -> None:
        """The answer is bounded; one message is shown in any case."""
        self.house = self.build(newest=Newest(10_000))
        for i, padding in enumerate((MAX_LATEST_BYTES, 100, MAX_LATEST_BYTES // 2)):
            self.house.hub.publish(Numbered(i, padding))
        self.assertEqual(self.body().count(b"lite"), 2)
        self.house.hub.publish(Numbered(3, MAX_LATEST_BYTES * 2))
        self.assertEqual(self.body().count(b"lite"), 1)

    def test_real_messages(self) -> None:
        """It is one JSON document of lite messages."""
        self.house.hub.publish(Message(entry(), SOURCE, 1.5))
        (message,) = json.loads(self.body())["messages"]
        self.assertEqual(message["message_type"], "certificate_update")
        self.assertNotIn("chain", message["data"])


class CertificateTests(ReportCase):
    """``/api/cert/{hash}``."""

    def test_every_spelling(self) -> None:
        """SHA-256, SHA-1, fingerprint; any case, colons anywhere."""
        message = Message(entry(), SOURCE, 1.5)
        self.house.hub.publish(message)
        for digest in (sha256(NAMED), sha1(NAMED)):
            text = digest.hexdigest().encode()
            spaced = digest.digest().hex(":").encode()
            for spelling in (text, text.upper(), spaced, spaced.upper(), b":" + text + b"::"):
                answer = self.house.get(b"/api/cert/" + spelling)
                self.assertEqual(answer[0::2], (200, message.full()), spelling)
            encoded = spaced.replace(b":", b"%3A")
            self.assertEqual(self.house.get(b"/api/cert/" + encoded).status, 200)

    def test_not_found(self) -> None:
        """What is not kept, and what is no hash at all."""
        self.house.hub.publish(Message(entry(), SOURCE, 1.5))
        text = sha256(NAMED).hexdigest().encode()
        for wrong in (
            b"0" * 64,
            b"0" * 40,
            text[:-2],
            text + b"00",
            text[:-1] + b"g",
            b"x" * 64,
            b"%ff" * 64,
            b"%D9%A0" * 64,
            b":" * 64,
            b"%20" + text[1:],
            b"%20",
        ):
            self.assertEqual(self.house.get(b"/api/cert/" + wrong)[0::2], (404, NOT_FOUND), wrong)

    def test_only_what_came_lately(self) -> None:
        """A certificate is forgotten when as many as are kept came after it."""
        self.house.hub.publish(Message(entry(), SOURCE, 1.5))
        path = b"/api/cert/" + sha1(NAMED).hexdigest().encode()
        for i in range(99):
            self.house.hub.publish(Numbered(i))
        self.assertEqual(self.house.get(path).status, 200)
        self.house.hub.publish(Numbered(99))
        self.assertEqual(self.house.get(path).status, 404)

    def test_unreadable_certificate(self) -> None:
        """What could not be read is found by the hash of its bytes."""
        self.house.hub.publish(Message(entry(b"no certificate"), SOURCE, 1.5))
        said = self.json(b"/api/cert/" + sha256(b"no certificate").hexdigest().encode())
        self.assertIn("parse_error", said["data"])
        self.assertEqual(said.keys(), json.loads(EXAMPLES["full"]).keys())
