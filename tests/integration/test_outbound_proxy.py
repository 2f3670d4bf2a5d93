"""A server that reads its logs through a proxy, as its environment says."""

import json
import socket
import socketserver
import tempfile
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.demo_process import demo_logs
from tests.integration.server_process import ServerProcess, clean_environment
from tests.integration.test_endpoints import connect


class Proxy(socketserver.ThreadingTCPServer):
    """Takes every name for this machine; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Through)
        self.asked: list[str] = []


class Through(socketserver.StreamRequestHandler):
    """One connection, there and back."""

    server: Proxy

    def handle(self) -> None:
        lines = list(iter(self.rfile.readline, b"\r\n"))
        target = lines[0].split()[1].decode()
        self.server.asked.append(target)
        with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = Thread(target=self.copy, args=(far, self.connection), daemon=True)
            back.start()
            self.copy(self.connection, far)
            back.join()

    def copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class OutboundProxyTests(SynchronousTestCase):
    """Two logs under a name that nobody but the proxy knows."""

    def test_followed(self) -> None:
        """Both are read, by way of the proxy alone, and its password is nowhere."""
        proxy = Proxy()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        Thread(target=proxy.serve_forever, daemon=True).start()
        environment = clean_environment(
            http_proxy=f"http://me:hunter2@127.0.0.1:{proxy.server_address[1]}",
            CERTSTREAM_CT_LOG_PARTIAL_TILE_WAIT_SECS="0",
        )
        with (
            tempfile.TemporaryDirectory() as name,
            demo_logs(Path(name), "--rate", "50", "--size", "300") as demo,
        ):
            config = json.loads(demo.config_file.read_text())
            for log in (*config["custom_logs"], *config["static_logs"]):
                log["url"] = log["url"].replace("127.0.0.1", "log.invalid")
            demo.config_file.write_text(json.dumps({**config, "ct_log": {"state_file": None}}))
            with ServerProcess(
                "--config", str(demo.config_file), environment=environment, directory=name
            ) as server:
                server.wait_for(r"Logs are read through the proxy 127\.0\.0\.1:\d+ \(http_proxy\)")
                seen = set()
                with connect(server.ws + "/?dedup=off", max_size=None) as client:
                    while len(seen) < 2:
                        message = json.loads(client.recv(20))
                        if message["message_type"] == "certificate_update":
                            seen.add(message["data"]["source"]["name"])
                self.assertEqual(seen, {"pages", "tiles"})
                server.stop()
                self.assertNotIn("hunter2", server.output)
            self.assertEqual(set(proxy.asked), {f"log.invalid:{demo.port}"})
            # A few connections that are kept, not one for each request.
            self.assertLess(len(proxy.asked), 40)
