"""Ways to be listened on, against a real server: each kind of endpoint, and TLS from files."""

import json
import os
import signal
import socket
import ssl
import tempfile
import time
import urllib.request
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from websockets.sync import client as websockets

from tests.integration.handed_over import launcher
from tests.integration.server_process import BIN, LOCAL, ServerProcess
from tests.serve.certificates import make_pair

TWISTD = (str(BIN / "twistd"), "--nodaemon", "--pidfile=")
PROXY = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"


def greeting(message: str | bytes) -> str:
    """The type of a client's first message."""
    return str(json.loads(message)["message_type"])


def seen(message: str | bytes) -> float:
    """When the certificate of a message was seen; 0.0 for a heartbeat."""
    return float(json.loads(message).get("data", {}).get("seen", 0))


# A client that stops to read while messages wait does not see its close answered.
connect = partial(websockets.connect, max_queue=None)
unix_connect = partial(websockets.unix_connect, max_queue=None)


class EndpointTests(SynchronousTestCase):
    """One server that listens in every way there is."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/stream.sock"
        self.inherited = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.inherited.close)

    def server(self) -> ServerProcess:
        return ServerProcess(
            "--demo",
            *("--listen", f"unix:{self.path}"),
            *("--listen", "systemd:domain=INET:name=web"),
            *("--listen", f"haproxy:{LOCAL}"),
            launcher=(*launcher(self.inherited, "web"), *TWISTD),
            listen=None,
            pass_fds=(self.inherited.fileno(),),
        )

    def test_every_kind(self) -> None:
        """A stream comes through each, and the PROXY protocol is understood."""
        with self.server() as server:
            listening = r"Listening on http://127\.0\.0\.1:(\d+)/"
            found = server.wait_for(f"(?s){listening}.*{listening}")
            activated, proxied = map(int, found.groups())
            self.assertEqual(activated, self.inherited.getsockname()[1])
            with unix_connect(self.path) as client:
                self.assertEqual(greeting(client.recv(5)), "heartbeat")
            with connect(f"ws://127.0.0.1:{activated}/") as client:
                self.assertEqual(greeting(client.recv(5)), "heartbeat")
            plain = socket.create_connection(("127.0.0.1", proxied))
            plain.sendall(PROXY)
            with connect(f"ws://127.0.0.1:{proxied}/", sock=plain) as client:
                self.assertEqual(greeting(client.recv(5)), "heartbeat")
                self.assertEqual(greeting(client.recv(5)), "certificate_update")
            with socket.create_connection(("127.0.0.1", proxied)) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(plain.recv(100), b"", "without the line that was to come first")
            self.assertIn("Room for ", server.output)
            self.assertEqual(server.stop(), -signal.SIGTERM, server.output)
            self.assertNotIn("Traceback", server.output)
        self.assertFalse(os.path.exists(self.path))


class TLSTests(SynchronousTestCase):
    """``tls_cert`` and ``tls_key``."""

    def test_renewed_while_it_serves(self) -> None:
        """New connections get the new certificate, the ones that there are their stream."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "config.yaml").write_text(
                "host: 127.0.0.1\nport: 0\ntls_cert: chain.pem\ntls_key: key.pem\n"
            )
            contexts = []
            for renewed in (False, True):
                pair = make_pair("localhost")
                context = ssl.create_default_context(cadata=pair.pem.decode())
                context.check_hostname = False
                contexts.append(context)
                if renewed:
                    break
                (folder / "chain.pem").write_bytes(pair.pem)
                (folder / "key.pem").write_bytes(pair.key_pem())
            with ServerProcess(
                "--demo", "--demo-rate", "50", listen=None, directory=name
            ) as server:
                url = f"wss://127.0.0.1:{server.port}/"
                with connect(url, ssl=contexts[0]) as client:
                    (folder / "chain.pem").write_bytes(pair.pem)
                    (folder / "key.pem").write_bytes(pair.key_pem())
                    server.wait_for("was taken over")
                    with self.assertRaises(ssl.SSLCertVerificationError):
                        connect(url, ssl=contexts[0])
                    with connect(url, ssl=contexts[1]) as other:
                        self.assertEqual(greeting(other.recv(5)), "heartbeat")
                    deadline = time.time()
                    while seen(client.recv(5)) < deadline:
                        pass
                health = f"https://127.0.0.1:{server.port}/health"
                with urllib.request.urlopen(health, context=contexts[1]) as answer:
                    self.assertEqual(answer.read(), b"OK")
                self.assertEqual(server.stop(), -signal.SIGTERM, server.output)
                self.assertNotIn("Traceback", server.output)
