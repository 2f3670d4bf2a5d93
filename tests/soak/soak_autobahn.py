"""The Autobahn test suite, WebSocket's common judge, on a server whose log says nothing.

It runs where its client ``wstest`` is installed (PyPI ``autobahntestsuite``, Python 2.7 only) and
found on the path, or named by ``WSTEST``. It expects an echo server. Ours sends a heartbeat first
and never answers what a client says, so from what a case received that heartbeat is left out, and
from what it expects the echoes: what remains (pongs, closing codes, who closes, how soon) has to
be as expected. Left out as a whole are cases about speed and size of echoes (9) and about
compressed messages from the client (12, 13), which this server never inflates.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import ServerProcess

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
LEFT_OUT = ["6.4.3", "6.4.4"]
"""They pause within a frame, where their client then puts its answer to our first ping."""
AGENT = "certstream-tx"
QUIET_LOG = "http://127.0.0.1:9"
"""nobody is there"""
SECONDS = 600


def others(events: list[Any]) -> list[Any]:
    """What is not a message."""
    return [event for event in events if event[0] != "message"]


def unexpected(case: dict[str, Any]) -> str | None:
    """What is wrong about the result of one case."""
    if case["behavior"] == "INFORMATIONAL":
        return None
    messages = [event for event in case["received"] if event[0] == "message"]
    if any(json.loads(text)["message_type"] != "heartbeat" for _, text, _ in messages):
        return f"received {messages}"
    received = others(case["received"])
    if received not in [others(variant) for variant in case["expected"].values()]:
        return f"received {received}, expected {case['expected']}"
    if case["behaviorClose"] not in ("OK", "INFORMATIONAL"):
        return f"{case['resultClose']} ({case['remoteCloseCode']})"
    return None


class AutobahnTests(SynchronousTestCase):
    """As a client that knows what servers get wrong."""

    def test_cases(self) -> None:
        """Every case that applies ends as it should."""
        program = os.environ.get("WSTEST") or shutil.which("wstest")
        if program is None:
            raise SkipTest("wstest is not installed")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        config = folder / "config.yaml"
        config.write_text(
            json.dumps(
                {
                    "ct_logs_url": None,
                    "custom_logs": [{"name": "quiet", "url": QUIET_LOG}],
                    "ct_log": {"state_file": str(folder / "state.json")},
                }
            )
        )
        with ServerProcess("--config", str(config)) as server:
            url = f"ws://127.0.0.1:{server.port}/"
            (folder / "spec.json").write_text(
                json.dumps(
                    {
                        "outdir": str(folder / "reports"),
                        "servers": [{"agent": AGENT, "url": url}],
                        "cases": CASES,
                        "exclude-cases": LEFT_OUT,
                        "exclude-agent-cases": {},
                    }
                )
            )
            command = [program, "-m", "fuzzingclient", "-s", "spec.json"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
        index = json.loads((folder / "reports" / "index.json").read_text())[AGENT]
        wrong = {}
        for name, entry in index.items():
            case = json.loads((folder / "reports" / entry["reportfile"]).read_text())
            if fault := unexpected(case):
                wrong[name] = f"{case['description']}: {fault}"
        groups = Counter(int(name.split(".")[0]) for name in index)
        told = ", ".join(f"{count} of group {group}" for group, count in sorted(groups.items()))
        print(f"\n{len(index)} cases: {told}; {len(wrong)} not as expected")
        self.assertGreater(len(index), 200)
        self.assertEqual(wrong, {}, json.dumps(wrong, indent=1))
