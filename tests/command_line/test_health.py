"""Tests of :mod:`certstream_tx.command_line.health`."""

import http.server
import socket
import threading
from typing import ClassVar

from certstream_tx.command_line.failure import CommandError
from certstream_tx.command_line.health import address
from certstream_tx.config import Config
from certstream_tx.config.serving import Protocols
from tests.command_line.terminal import CommandTestCase


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that is well, and not ready."""

    statuses: ClassVar = {"/health": (200, b"OK"), "/ready": (503, b"not ready")}

    def do_GET(self) -> None:
        status, body = self.statuses.get(self.path, (404, b"Not Found"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class HealthTests(CommandTestCase):
    """Asking a real server."""

    def setUp(self) -> None:
        super().setUp()
        server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)

    def test_well(self) -> None:
        """The port of the configuration, by the address that it is listened on."""
        self.environment["CERTSTREAM_PORT"] = str(self.port)
        self.assertEqual(self.run_command("health"), (0, "OK\n", ""))
        path = self.file("c.yaml", f"listen: ['tcp:{self.port}:interface=127.0.0.1']\n")
        self.assertEqual(self.run_command("health", "--config", path), (0, "OK\n", ""))

    def test_not_ready(self) -> None:
        """Another answer is told, and status 1."""
        url = f"http://127.0.0.1:{self.port}/"
        ran = self.run_command("health", "--ready", "--url", url)
        self.assertEqual((ran.status, ran.out), (1, ""))
        self.assertIn("503 not ready", ran.err)

    def test_nobody_there(self) -> None:
        """One line."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            ran = self.run_command("health", "--url", url)
        self.assertEqual((ran.status, ran.out, ran.err.count("\n")), (1, "", 1))
        self.assertIn("Connection refused", ran.err)

    def test_no_url(self) -> None:
        """What is no URL is said to be none."""
        for url in ("localhost:8080", "ftp://a.example"):
            self.assertIn("expected an http://", self.run_command("health", "--url", url).err)


class AddressTests(CommandTestCase):
    """Where a server with this configuration is to be asked."""

    def test_short_form(self) -> None:
        """All addresses of the machine are reached by one of its own."""
        for config, expected in (
            (Config(), "http://127.0.0.1:8080"),
            (Config(host="::", port=81), "http://[::1]:81"),
            (Config(host="192.0.2.1"), "http://192.0.2.1:8080"),
            (Config(tls_cert="c.pem", tls_key="k.pem"), "https://127.0.0.1:8080"),
        ):
            self.assertEqual(address(config), expected)

    def test_endpoint_strings(self) -> None:
        """The first that can be asked."""
        for listen, expected in (
            (("tcp:81",), "http://127.0.0.1:81"),
            (("unix:/run/x", "tcp:82:interface=127.0.0.2:backlog=9"), "http://127.0.0.2:82"),
            (("tcp6:83:interface=\\:\\:",), "http://[::1]:83"),
            (("ssl:443:privateKey=k:certKey=c",), "https://127.0.0.1:443"),
            (("haproxy:tcp:84", "tcp:85"), "http://127.0.0.1:85"),
        ):
            self.assertEqual(address(Config(listen=listen)), expected)

    def test_nowhere(self) -> None:
        """Why not, and the way out."""
        for config in (
            Config(port=0),
            Config(listen=("unix:/run/x",)),
            Config(listen=("systemd:domain=INET6:name=http",)),
            Config(protocols=Protocols(health=False)),
        ):
            self.assertIn("--url", str(self.assertRaises(CommandError, address, config)))
