"""The command line of ``twistd certstream``, and the configuration that comes of it."""

import os
import sys
from collections.abc import Mapping, Sequence

from twisted.python import usage

from certstream_tx import __version__
from certstream_tx.config import MAX_BYTES, Config, ConfigError, Loaded, describe, load

MAX_DEMO_RATE = 5000.0
"""entries a second; the demonstration shares its one core with the server that it feeds"""


class Options(usage.Options):
    """What can be said on the command line; everything else is in the configuration file."""

    synopsis = "[options]"
    longdesc = (
        "Follows every Certificate Transparency log and streams what they record to clients of the"
        " certstream protocol. Each option stands above the same key of the environment and of the"
        " configuration file."
    )
    optParameters = [
        ["config", "c", None, "Configuration file (YAML). [default: config.yaml, if there is one]"],
        ["host", None, None, "Address to listen on. [default: 0.0.0.0]"],
        ["port", "p", None, "Port for WebSocket and HTTP. [default: 8080]"],
        ["state-file", None, None, "Where the position in every log is kept; empty: nowhere."],
        ["log-level", None, None, "debug, info, warn or error. [default: info]"],
        ["demo-rate", None, "20", "Entries a second of the demonstration logs."],
    ]
    optFlags = [
        ["check-config", None, "Check configuration and files, print what is in force, and exit."],
        ["demo", None, "Serve and follow built-in demonstration logs instead of public ones."],
        ["demo-if-offline", None, "As --demo, but only if no public log answers in 10 seconds."],
    ]

    config: Config
    config_path: str | None
    """the file that was read, if there was one; absolute"""
    warnings: tuple[str, ...]
    demo_rate: float

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        usage.Options.__init__(self)
        self.environment = os.environ if environment is None else environment
        self._listen: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        """Endpoint string, such as unix:/run/a.sock, instead of host and port; may be repeated."""
        self._listen.append(endpoint)

    def opt_version(self) -> None:
        """Print the version and exit."""
        sys.stdout.write(f"certstream-tx {__version__}\n")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse; what is wrong ends the program with one line and status 1.

        Twisted would print the whole help first, and the line that matters below it.
        """
        try:
            usage.Options.parseOptions(self, options)
        except usage.UsageError as error:
            raise SystemExit(f"certstream: {error}; --help shows what there is") from error

    def postOptions(self) -> None:
        """Read the configuration."""
        self._command_line: dict[str, str | Sequence[str] | None] = {
            "config": self["config"],
            "host": self["host"],
            "port": self["port"],
            "ct_log.state_file": self["state-file"],
            "log_level": self["log-level"],
            "listen": self._listen or None,
        }
        try:
            self.demo_rate = _rate(self["demo-rate"])
            loaded = load(self._command_line, self.environment, read_file=_read_file)
        except ConfigError as error:
            raise SystemExit("\n".join(f"certstream: {line}" for line in error.problems)) from error
        self.config = loaded.config
        # A launcher may go to another folder before the server runs.
        self.config_path = loaded.source_path and os.path.abspath(loaded.source_path)
        self.warnings = loaded.warnings
        if self["check-config"]:
            for warning in loaded.warnings:
                sys.stderr.write(f"certstream: warning: {warning}\n")
            sys.stdout.write(
                "".join(f"{line}\n" for line in describe(loaded.config, loaded.origins))
            )
            # Not loaded by servers, which find these problems where they use the files.
            from certstream_tx.service.named_files import unusable

            problems = unusable(loaded.config, self.environment)
            raise SystemExit("\n".join(f"certstream: {line}" for line in problems) or 0)

    def load_again(self) -> Loaded:
        """The configuration as it stands now, below the same command line and environment.

        Of files only the one that was read at the start counts: where it is gone another one, or
        none, would be a configuration that nobody meant.

        :raises ConfigError: with every problem there is
        """
        command_line = self._command_line
        if self.config_path is not None:
            command_line = {**command_line, "config": self.config_path}
        return load(command_line, self.environment, read_file=_read_file_with_content)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 < rate <= MAX_DEMO_RATE:
        raise ConfigError(
            [f"--demo-rate: expected a number above 0, at most {MAX_DEMO_RATE:g}, got {text!r}"]
        )
    return rate


def _read_file(path: str) -> bytes | None:
    """The file's begin, one byte more than is allowed at most; None when there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None


def _read_file_with_content(path: str) -> bytes | None:
    """The same, but an empty file is a problem: so looks one that is being written."""
    data = _read_file(path)
    if data is not None and not data.strip():
        raise ConfigError([f"{path}: it is empty"])
    return data
