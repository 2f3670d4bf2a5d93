"""The console command: finds the subcommand, and ends with one line where something is wrong."""

import sys
from collections.abc import Sequence
from importlib import import_module

from certstream_tx.command_line.failure import CommandError

COMMANDS = {
    "import-config": "turn a configuration of certstream-server-rust or -go into ours",
    "import-state": "take over a state file of certstream-server-rust or -go",
    "check-config": "check the configuration, and print what is in force",
    "backfill": "write a range of one log as lines of JSON, verified",
    "gaps": "list what is missing of each log, and fill it by hand",
    "health": "ask the server on this machine whether it is well",
    "version": "print the version",
}
"""Name to what it does. Each is a module beside this one, loaded only when it is asked for."""

USAGE = "\n".join(
    [
        "usage: certstream-tx COMMAND [OPTIONS]",
        "",
        "commands:",
        *(f"  {name:<15}{what}" for name, what in COMMANDS.items()),
        "",
        "certstream-tx COMMAND --help says more. The server itself: twistd --nodaemon certstream",
    ]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the status to exit with.

    0: done; 1: it could not be done; 2: what was asked for makes no sense; others as the command's
    help says.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given:
        print(USAGE, file=sys.stderr)
        return 2
    name, *rest = given
    if name in ("--help", "-h", "help"):
        print(USAGE)
        return 0
    if name == "--version":
        name = "version"
    if name not in COMMANDS:
        print(f"certstream-tx: no command {name!r}; --help shows what there is", file=sys.stderr)
        return 2
    command = import_module(f"certstream_tx.command_line.{name.replace('-', '_')}")
    try:
        status: int = command.run(rest)
    except CommandError as error:
        print(f"certstream-tx: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read has enough. Python would complain once more when it flushes at its end.
        sys.stdout = None
        return 1
    return status
