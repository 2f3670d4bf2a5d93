"""The clock of the machine is set while a server runs: it goes on as if nothing had happened."""

import os
import signal
import sys
import time
from contextlib import ExitStack

from tests.checkout import ROOT
from tests.integration.restarted import RestartedCase
from tests.integration.server_process import ServerProcess, clean_environment

JUMPING = (sys.executable, "-m", "tests.integration.jumping_twistd", "--nodaemon", "--pidfile=")
HOUR = 3600.0


class ClockJumpTests(RestartedCase):
    """Two logs that grow, a client, and an hour."""

    def test_back_and_forward(self) -> None:
        """Nothing waits for the hour to come again, nothing counts as an hour late: entries come
        on, positions are saved, the client stays."""
        with ExitStack() as stack:
            self.stand_still()
            environment = clean_environment(CLOCK_JUMPS=f"-{HOUR} {2 * HOUR}", PYTHONPATH=str(ROOT))
            server = stack.enter_context(
                ServerProcess(directory=str(self.folder), launcher=JUMPING, environment=environment)
            )
            collector = self.collect(server)
            time.sleep(1.2)
            for direction in ("back", "forward"):
                os.kill(server.process.pid, signal.SIGUSR2)
                jumped = len(collector.got)
                saved = self.state_file.read_bytes()
                server.wait_for(f"The clock was set {direction} by")
                time.sleep(1.2)
                self.assertGreater(len(collector.got) - jumped, self.rate / 4)
                self.assertNotEqual(self.state_file.read_bytes(), saved)
            self.assertTrue(collector.is_alive())
            self.assertNotIn("timed out", server.output)
            session = self.end(server, collector, kill=True)
        received = self.received([session])
        self.assertEqual(len(received.indexes), 2)
        self.check_complete(received)
