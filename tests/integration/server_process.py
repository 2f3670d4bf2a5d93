"""A real server: ``twistd certstream`` in a process of its own, as an operator runs it."""

import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

BIN = Path(sys.executable).parent
LOCAL = "tcp:0:interface=127.0.0.1"
START_TIMEOUT = 20.0
"""seconds; generous, since CI machines stall"""


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without settings of a certstream server."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CERTSTREAM_")}
    return kept | extra


class ServerProcess:
    """Starts on entering, waits until it listens, ends it (SIGTERM, then SIGKILL) on leaving."""

    def __init__(
        self,
        *options: str,
        launcher: Sequence[str] = (str(BIN / "twistd"), "--nodaemon", "--pidfile="),
        environment: dict[str, str] | None = None,
        directory: str | None = None,
        listen: str | None = LOCAL,
        plugin: Sequence[str] = ("certstream",),
        pass_fds: Sequence[int] = (),
    ) -> None:
        listening = ("--listen", listen) if listen is not None else ()
        self.command = [*launcher, *plugin, *listening, *options]
        self._environment = environment or clean_environment()
        self._pass_fds = pass_fds
        self._own_directory = None if directory else tempfile.TemporaryDirectory()
        self.directory = directory or self._own_directory.name  # type: ignore[union-attr]
        self.output = ""
        self.port = 0

    def __enter__(self) -> Self:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self._pass_fds,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        try:
            found = self.wait_for(r"Listening on https?://[^ /]*:(\d+)")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.listening_after = time.monotonic() - self.started_at
        self.port = int(found.group(1))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._own_directory is not None:
            self._own_directory.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def stop(self) -> int:
        """End it as an operator would and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        if self.process.poll() is None:
            self.process.kill()
        status = self.process.wait()
        self._read(0)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait()

    def wait_for(self, pattern: str, timeout: float = START_TIMEOUT) -> re.Match[str]:
        """The first match of ``pattern`` in what it has printed, waiting for it."""
        deadline = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.output)
            if found:
                return found
            if self.process.poll() is not None:
                self._read(0)
                if not re.search(pattern, self.output):
                    raise AssertionError(
                        f"exited with {self.process.returncode} before {pattern!r}:\n{self.output}"
                    )
                continue
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern!r} within {timeout} s:\n{self.output}")
            self._read(0.1)

    def _read(self, timeout: float) -> None:
        stream = self.process.stdout
        if stream is None or stream.closed:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if selector.select(timeout):
                self.output += (stream.read() or b"").decode("utf-8", "replace")


def run_to_end(
    *options: str,
    launcher: Sequence[str] = (str(BIN / "twistd"), "--nodaemon", "--pidfile="),
    environment: dict[str, str] | None = None,
    directory: str | None = None,
    plugin: Sequence[str] = ("certstream",),
) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself, e.g. because it refuses to start."""
    with tempfile.TemporaryDirectory() as own:
        return subprocess.run(
            [*launcher, *plugin, *options],
            cwd=directory or own,
            env=environment or clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            check=False,
        )
