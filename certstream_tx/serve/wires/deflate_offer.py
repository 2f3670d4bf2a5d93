"""Which of a client's offers of permessage-deflate (RFC 7692) can be served to many at once.

All clients get the same compressed bytes. That takes a window of 32 KiB that is never emptied: who
asks for another one gets plain frames. What clients compress is another matter: nothing that they
send is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from autobahn.websocket.compress import PerMessageCompress

EXTENSION: Final = "permessage-deflate"
WINDOW_BITS: Final = "15"
_WINDOW_BITS: Final = frozenset(map(str, range(8, 16)))

Parameters = Mapping[str, Sequence[str | bool]]
"""name to every value it was given; True: none"""


def accept(offers: Iterable[tuple[str, Parameters]]) -> str | None:
    """What the server answers, to the first offer that can be accepted; None: to no extension.

    An offer that is not as it should be is passed over (RFC 7692 section 5.1), like one that asks
    for what cannot be shared.
    """
    for name, parameters in offers:
        if name == EXTENSION:
            answer = _answer(parameters)
            if answer is not None:
                return answer
    return None


def _answer(parameters: Parameters) -> str | None:
    answer = EXTENSION
    for name, values in parameters.items():
        if len(values) != 1:
            return None
        (value,) = values
        if name == "client_max_window_bits":
            if value is not True and value not in _WINDOW_BITS:
                return None
        elif name == "client_no_context_takeover":
            if value is not True:
                return None
        elif name == "server_max_window_bits" and value == WINDOW_BITS:
            answer += f"; {name}={WINDOW_BITS}"
        else:
            return None
    return answer


class Unread(PerMessageCompress):
    """Stands where autobahn inflates what a client sends: nobody reads it, so nothing is inflated.

    It has no state: one is enough for all clients.
    """

    EXTENSION_NAME = EXTENSION

    def start_decompress_message(self) -> None:
        """A compressed message begins."""

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:
        """A part of it."""
        return b""

    def end_decompress_message(self) -> None:
        """It has ended."""


UNREAD: Final = Unread()
