"""The proxies' examples in deploy/, each before a real server, where the proxy is installed.

What must hold behind a proxy: messages come when they are sent, on every wire it passes on, and
``/metrics`` and ``/stats`` stay inside.
"""

import contextlib
import json
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase
from websockets.sync.client import connect

from tests.checkout import DEPLOY
from tests.integration.server_process import ServerProcess, clean_environment
from tests.serve.certificates import self_signed

PATIENCE = 15.0
"""seconds"""
FRESH = 1.5
"""seconds from having read a certificate until a client behind the proxy has its message"""


def free_port() -> int:
    """A port of this machine that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ProxyTestCase(SynchronousTestCase):
    """A server that follows demonstration logs, and a proxy before it."""

    program = ""

    def setUp(self) -> None:
        found = shutil.which(self.program) or shutil.which(self.program, path="/usr/sbin")
        if found is None:
            raise SkipTest(f"{self.program} is not installed")
        self.path = found
        folder = tempfile.TemporaryDirectory(prefix="proxies")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.pem = self.folder / "localhost.pem"
        self.pem.write_bytes(self_signed())
        self.port = free_port()
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        environment = clean_environment(
            CERTSTREAM_SSE_ENABLED="true",
            CERTSTREAM_TCP_ENABLED="true",
            CERTSTREAM_LISTEN_TCP="haproxy:tcp:0:interface=127.0.0.1",
        )
        self.server = ServerProcess("--demo", "--demo-rate", "40", environment=environment)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)

    def start(self, *arguments: str) -> None:
        """Run the proxy until the end of the test."""
        with (self.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [self.path, *arguments],
                cwd=self.folder,
                env=clean_environment(HOME=str(self.folder)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        def end() -> None:
            process.terminate()
            process.wait(PATIENCE)

        self.addCleanup(end)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            # Caddy listens before it has made its certificate.
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port)) as probe,
            ):
                self.tls.wrap_socket(probe).close()
                return
            time.sleep(0.05)
        self.fail((self.folder / "output").read_text())

    def assert_fresh(self, messages: list[bytes | str]) -> None:
        """None was kept back on its way."""
        now = time.time()
        documents = [json.loads(message) for message in messages]
        seen = [each["data"]["seen"] for each in documents if "data" in each]
        self.assertTrue(seen, "nothing but heartbeats")
        self.assertLess(now - max(seen), FRESH)

    def assert_streams(self) -> None:
        """WebSocket and events, over TLS; metrics and counts not."""
        # This client reads no further than a few messages ahead: it would not see our close frame.
        with connect(
            f"wss://127.0.0.1:{self.port}/?token=secret", ssl=self.tls, close_timeout=0.1
        ) as client:
            self.assert_fresh([client.recv(PATIENCE) for _ in range(15)])
        url = f"https://127.0.0.1:{self.port}"
        with urllib.request.urlopen(
            f"{url}/sse?stream=lite", timeout=PATIENCE, context=self.tls
        ) as events:
            lines: list[bytes | str] = []
            while len(lines) < 15:
                line = events.readline()
                if line.startswith(b"data: "):
                    lines.append(line.removeprefix(b"data: "))
            self.assert_fresh(lines)
        with urllib.request.urlopen(f"{url}/health", timeout=PATIENCE, context=self.tls) as answer:
            self.assertEqual(answer.read(), b"OK")
        for inside in ("/metrics", "/stats", "/%6detrics", "/st%61ts?x"):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url + inside, timeout=PATIENCE, context=self.tls)
            refused.exception.close()
            self.assertEqual(refused.exception.code, 403)

    def assert_no_token(self, *logs: Path) -> None:
        """What the proxy wrote down knows of the request, and not of its token."""
        written = "".join(path.read_text() for path in logs)
        self.assertIn("/sse", written)
        self.assertNotIn("secret", written)

    def changed(self, text: str, *changes: tuple[str, str]) -> str:
        """The example with what only an operator's machine has replaced by what is here."""
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text


class NginxTests(ProxyTestCase):
    """deploy/nginx"""

    program = "nginx"

    def test_streams(self) -> None:
        """Through nginx."""
        log = self.folder / "access.log"
        text = self.changed(
            (DEPLOY / "nginx" / "certstream.conf").read_text(),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
            ("listen [::]:443 ssl;", ""),
            ("/etc/ssl/stream.example.org/fullchain.pem", str(self.pem)),
            ("/etc/ssl/stream.example.org/privkey.pem", str(self.pem)),
            ("127.0.0.1:8080", f"127.0.0.1:{self.server.port}"),
            ("/var/log/nginx/certstream.log", str(log)),
        )
        (self.folder / "certstream.conf").write_text(text)
        temporary = "".join(
            f"{kind}_temp_path {self.folder / kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {self.folder}/pid; error_log stderr;\n"
            f"events {{}} http {{ {temporary} include {self.folder}/certstream.conf; }}\n"
        )
        self.start("-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf"))
        self.assert_streams()
        self.assert_no_token(log)


class CaddyTests(ProxyTestCase):
    """deploy/caddy"""

    program = "caddy"

    def test_streams(self) -> None:
        """Through Caddy."""
        text = self.changed(
            (DEPLOY / "caddy" / "Caddyfile").read_text(),
            ("stream.example.org {\n", f"https://127.0.0.1:{self.port} {{\n\ttls internal\n"),
            ("127.0.0.1:8080", f"127.0.0.1:{self.server.port}"),
        )
        options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n"
        (self.folder / "Caddyfile").write_text(options + text)
        self.start("run", "--config", str(self.folder / "Caddyfile"))
        self.assert_streams()


class HAProxyTests(ProxyTestCase):
    """deploy/haproxy"""

    program = "haproxy"

    def test_streams(self) -> None:
        """Through HAProxy; lines with the client's address before them."""
        found = re.search(r"Listening on tcp://127\.0\.0\.1:(\d+)", self.server.output)
        lines_at = found or self.server.wait_for(r"Listening on tcp://127\.0\.0\.1:(\d+)")
        lines_port = free_port()
        text = self.changed(
            (DEPLOY / "haproxy" / "haproxy.cfg").read_text(),
            ("maxconn 50000", "maxconn 500"),
            (":::443 v4v6", f"127.0.0.1:{self.port}"),
            (":::8443 v4v6", f"127.0.0.1:{lines_port}"),
            ("/etc/haproxy/certs/", str(self.pem)),
            ("127.0.0.1:8080", f"127.0.0.1:{self.server.port}"),
            ("server one 127.0.0.1:8081", f"server one 127.0.0.1:{lines_at.group(1)}"),
        )
        (self.folder / "haproxy.cfg").write_text(text)
        self.start("-db", "-f", str(self.folder / "haproxy.cfg"))
        self.assert_streams()
        with (
            socket.create_connection(("127.0.0.1", lines_port), timeout=PATIENCE) as plain,
            self.tls.wrap_socket(plain) as client,
            client.makefile("rb") as lines,
        ):
            client.sendall(b"l")
            self.assert_fresh([lines.readline() for _ in range(15)])
        self.assert_no_token(self.folder / "output")
