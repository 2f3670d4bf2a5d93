"""What is loaded only when it is wanted."""

import json
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

# In a process of its own: in this one, other tests have loaded everything.
SCRIPT = """
import json, sys
from twisted.internet.testing import MemoryReactorClock
from certstream_tx.tap import Options, compose

options = Options({})
options.parseOptions(["--config", sys.argv[1]])
reactor = MemoryReactorClock()
reactor.installNameResolver = lambda resolver: None
compose(options, reactor)
names = "prometheus_client", "certstream_tx.demo"
print(json.dumps([name for name in names if name in sys.modules]))
"""


class WhenWantedTests(SynchronousTestCase):
    """A server that nobody asks for anything yet."""

    def test_not_loaded(self) -> None:
        """Neither what writes metrics nor the demonstration."""
        path = self.mktemp()
        with open(path, "w") as file:
            logs = [{"name": "a", "url": "http://log.example"}]
            json.dump(
                {"ct_logs_url": None, "custom_logs": logs, "ct_log": {"state_file": None}}, file
            )
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, timeout=30
        )
        self.assertEqual(done.stdout.splitlines()[-1:], ["[]"], done.stderr)
