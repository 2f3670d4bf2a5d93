"""Hands a listening socket over to a program, as systemd does with socket activation."""

import os
import socket
import sys
from typing import Final

_FIRST: Final = 3
"""systemd's sockets are descriptors from 3 on, of the process with the id that it names; a shell
could not do this: some know descriptors of one digit only"""


def launcher(port: socket.socket, name: str) -> list[str]:
    """What to put before a program's command; the descriptor has to be passed on to it."""
    return [sys.executable, __file__, str(port.fileno()), name]


if __name__ == "__main__":
    number, name, *command = sys.argv[1:]
    os.dup2(int(number), _FIRST, inheritable=True)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": name}
    os.execv(command[0], command)
