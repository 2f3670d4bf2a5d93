"""A service manager's part, played by the test: it hands over a socket, and is told how it goes."""

import os
import select
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.handed_over import launcher
from tests.integration.server_process import BIN, clean_environment

PATIENCE = 20.0
"""seconds"""


class ServiceManagerTests(SynchronousTestCase):
    """As deploy/systemd starts it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="manager")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(str(Path(self.folder) / "notify"))
        self.port = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.addCleanup(self.port.close)

    def start(self) -> subprocess.Popen[bytes]:
        """The server with the socket as its descriptor 3, in a process that knows its own id."""
        environment = clean_environment(
            NOTIFY_SOCKET=str(Path(self.folder) / "notify"),
            WATCHDOG_USEC="200000",
        )
        with (Path(self.folder) / "output").open("ab") as output:
            process = subprocess.Popen(
                [
                    *launcher(self.port, "http"),
                    str(BIN / "twistd"),
                    *("--nodaemon", "--pidfile=", "certstream", "--demo"),
                    *("--listen", "systemd:domain=INET6:name=http"),
                ],
                pass_fds=[self.port.fileno()],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.kill()
            process.wait()

    def heard(self) -> str:
        """The next datagram."""
        ready, _, _ = select.select([self.notify], [], [], PATIENCE)
        self.assertTrue(ready, (Path(self.folder) / "output").read_text())
        return self.notify.recv(4096).decode()

    def stop(self, process: subprocess.Popen[bytes]) -> list[str]:
        """End it as a manager does; what was heard until it was gone."""
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        said = []
        while select.select([self.notify], [], [], 0)[0]:
            said.append(self.notify.recv(4096).decode())
        return said

    def health(self) -> bytes:
        port = self.port.getsockname()[1]
        with urllib.request.urlopen(f"http://[::1]:{port}/health", timeout=PATIENCE) as answer:
            return bytes(answer.read())

    def test_from_start_to_stop(self) -> None:
        """Ready when it answers; alive while it runs; and it says when it stops."""
        process = self.start()
        self.assertEqual(self.heard(), f"READY=1\nMAINPID={process.pid}")
        self.assertEqual(self.health(), b"OK")
        begun = time.monotonic()
        self.assertEqual([self.heard() for _ in range(4)], ["WATCHDOG=1"] * 4)
        self.assertGreater(time.monotonic() - begun, 0.2)
        said = self.stop(process)
        self.assertEqual(said[-1], "STOPPING=1")
        self.assertLessEqual(set(said[:-1]), {"WATCHDOG=1"})

    def test_hanging(self) -> None:
        """A process that hangs falls silent."""
        process = self.start()
        self.heard()
        self.heard()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        while select.select([self.notify], [], [], 0.25)[0]:
            self.notify.recv(4096)
        self.assertEqual(select.select([self.notify], [], [], 0.25)[0], [])
        process.send_signal(signal.SIGCONT)
        self.assertEqual(self.heard(), "WATCHDOG=1")

    def test_restart(self) -> None:
        """Who connects between two processes waits, and is answered by the second."""
        process = self.start()
        self.heard()
        self.stop(process)
        port = self.port.getsockname()[1]
        with socket.create_connection(("::1", port), timeout=PATIENCE) as client:
            client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            self.start()
            answer = b""
            while part := client.recv(4096):
                answer += part
        self.assertTrue(answer.endswith(b"\r\n\r\nOK"), answer)
