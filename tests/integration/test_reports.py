"""The pages for programs, of a server as it is run."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import ServerProcess, clean_environment


class ReportTests(SynchronousTestCase):
    """``twistd certstream --demo``."""

    def get(self, server: ServerProcess, path: str) -> tuple[int, Any]:
        """Status and document of a page."""
        try:
            with urllib.request.urlopen(server.url + path, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def test_pages(self) -> None:
        """Numbers move, both logs are healthy and verified, and the newest certificate is found."""
        environment = clean_environment(CERTSTREAM_API_ENABLED="true")
        with ServerProcess("--demo", environment=environment) as server:
            deadline = time.monotonic() + 20
            while True:
                logs = self.get(server, "/api/logs")[1]
                if all(log["verification"] == "verified" for log in logs["logs"]):
                    break
                self.assertLess(time.monotonic(), deadline, logs)
                time.sleep(0.1)
            self.assertEqual((logs["total_logs"], logs["healthy"]), (2, 2))
            for log in logs["logs"]:
                self.assertLess(abs(time.time() - log["last_success"]), 20)
                self.assertGreater(log["entries"], 0)
                self.assertEqual((log["total_errors"], log["gaps"]), (0, 0))
            self.assertEqual(self.get(server, "/health/deep")[1]["status"], "healthy")
            stats = self.get(server, "/api/stats")[1]
            self.assertEqual(stats["memory"]["cache_capacity"], 1000)
            self.assertGreater(stats["memory"]["cache_entries"], 0)
            self.assertEqual(len(self.get(server, "/latest.json")[1]["messages"]), 25)
            newest = self.get(server, "/full-stream/example.json")[1]["data"]["leaf_cert"]
            for name in ("sha256", "sha1", "fingerprint"):
                status, message = self.get(server, f"/api/cert/{newest[name].lower()}")
                self.assertEqual(status, 200)
                self.assertEqual(message["data"]["leaf_cert"], newest)
            self.assertEqual(self.get(server, f"/api/cert/{'0' * 64}")[0], 404)
            workers = self.get(server, "/stats")[1]["workers"]
            self.assertEqual(set(workers), {log["url"] for log in logs["logs"]})

    def test_api_is_off(self) -> None:
        """Unless it is asked for there is no API, and no index of certificates."""
        with ServerProcess("--demo") as server:
            for path in ("/api/stats", "/api/logs", f"/api/cert/{'0' * 64}"):
                self.assertEqual(self.get(server, path), (404, {"error": "Not Found"}))
            self.assertIn(self.get(server, "/health/deep")[0], (200, 503))
