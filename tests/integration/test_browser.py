"""A browser, where Chromium is installed: a page of another site that reads every stream."""

import json
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import ServerProcess, clean_environment

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
ENOUGH = 5
"""messages of each stream"""
TIMEOUT = 60
"""seconds; a browser's first start is slow on a busy machine"""

PAGE = """<!DOCTYPE html><script>
const seen = {}, sources = {lite: "/", full: "/full-stream", domains: "/domains-only"};
let told = false;
function count(name, text) {
  const message = JSON.parse(text);
  if (message.message_type == "heartbeat") return;
  (seen[name] ??= {messages: []}).messages.push(message);
  const names = [...Object.keys(sources), "events"];
  if (told || !names.every(each => seen[each]?.messages.length >= ENOUGH)) return;
  told = true;
  fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
}
for (const [name, path] of Object.entries(sources)) {
  const socket = new WebSocket("ws://SERVER" + path);
  socket.onopen = () => { seen[name] = {extensions: socket.extensions, messages: []}; };
  socket.onmessage = event => count(name, event.data);
}
new EventSource("http://SERVER/sse?stream=lite").onmessage = event => count("events", event.data);
</script>"""


class Site(HTTPServer):
    """Serves the page and takes what it saw."""

    page = b""
    seen: dict[str, Any] | None = None


class Answers(BaseHTTPRequestHandler):
    """Those of the page's own site."""

    server: Site

    def do_GET(self) -> None:
        """The page, whatever is asked for."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.server.page)

    def do_POST(self) -> None:
        """What it saw; that is all."""
        self.server.seen = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        threading.Thread(target=self.server.shutdown).start()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class BrowserTests(SynchronousTestCase):
    """What pages of people's own do with the server."""

    def test_streams(self) -> None:
        """All three by WebSocket, compressed, and events, to a page that is not the server's."""
        if BROWSER is None:
            raise SkipTest("Chromium is not installed")
        environment = clean_environment(CERTSTREAM_SSE_ENABLED="true")
        with (
            ServerProcess("--demo", "--demo-rate", "50", environment=environment) as server,
            Site(("127.0.0.1", 0), Answers) as site,
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        ):
            page = PAGE.replace("SERVER", f"127.0.0.1:{server.port}")
            site.page = page.replace("ENOUGH", str(ENOUGH)).encode()
            options = ("--headless=new", "--no-sandbox", "--disable-gpu")
            browser = subprocess.Popen(
                [
                    BROWSER,
                    *options,
                    f"--user-data-dir={profile}",
                    f"http://127.0.0.1:{site.server_port}",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            deadline = threading.Timer(TIMEOUT, site.shutdown)
            deadline.start()
            try:
                site.serve_forever()
            finally:
                deadline.cancel()
                browser.terminate()
                browser.wait(TIMEOUT)
        seen = site.seen
        assert seen is not None, "the page saw too little"
        for name in ("lite", "full", "domains"):
            self.assertEqual(seen[name]["extensions"].split(";")[0], "permessage-deflate")
        self.assertTrue(all(m["data"]["leaf_cert"]["as_der"] for m in seen["full"]["messages"]))
        for name in ("lite", "events"):
            for message in seen[name]["messages"]:
                self.assertEqual(message["message_type"], "certificate_update")
                self.assertNotIn("as_der", message["data"]["leaf_cert"])
        self.assertTrue(all(m["data"] for m in seen["domains"]["messages"]))
