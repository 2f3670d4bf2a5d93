"""Demonstration logs in a process of their own, and what is known of them."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import BIN, Running, log_command, running
from tests.integration.server_process import clean_environment


@dataclass
class Demo:
    """Where they are, and files about them."""

    port: int
    list_file: Path
    config_file: Path
    """follows them, and nothing else, from their first entry"""
    process: Running

    def run(self, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What came of one of ``certstream-tx``'s commands with that configuration."""
        return subprocess.run(
            [BIN / "certstream-tx", command, *arguments, "--config", self.config_file],
            cwd=self.config_file.parent,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@contextmanager
def demo_logs(place: Path, *options: str, **more: Any) -> Iterator[Demo]:
    """One log of each kind; ``more`` is added to the configuration."""
    with running(log_command(*options), place, "demo") as process:
        found = process.wait_for(r"http://127\.0\.0\.1:(\d+)/log_list\.json")
        with urllib.request.urlopen(found.group(0), timeout=30) as answer:
            listed = answer.read()
        (place / "log_list.json").write_bytes(listed)
        (operator,) = json.loads(listed)["operators"]
        (pages,), (tiles,) = operator["logs"], operator["tiled_logs"]
        config = {
            "ct_logs_url": None,
            "custom_logs": [{"name": "pages", "url": pages["url"], "key": pages["key"]}],
            "static_logs": [{"name": "tiles", "url": tiles["monitoring_url"], "key": tiles["key"]}],
            **more,
        }
        (place / "certstream.yaml").write_text(json.dumps(config))
        yield Demo(int(found.group(1)), place / "log_list.json", place / "certstream.yaml", process)
