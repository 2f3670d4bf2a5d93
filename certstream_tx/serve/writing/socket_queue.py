"""What the kernel holds for a peer."""

from fcntl import ioctl
from struct import unpack
from termios import TIOCOUTQ
from typing import Any


def unacknowledged(transport: Any) -> int:
    """Bytes in the socket's send queue, which shrinks when the peer takes some; 0 if unknown.

    A full queue takes no more before a good part of it is free: for a slow peer, that is long.
    """
    try:
        (count,) = unpack("i", ioctl(transport.fileno(), TIOCOUTQ, bytes(4)))
    except (OSError, ValueError, AttributeError):
        return 0
    return int(count)
