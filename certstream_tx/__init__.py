"""Follows every public Certificate Transparency log and streams what they log.

For programs of your own, this package gives building blocks; ``docs/library.md`` shows each. They
are loaded when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from certstream_tx.certificate import Certificate, read_certificate
    from certstream_tx.config import ConfigError
    from certstream_tx.ct.entry import Entry, read_entry
    from certstream_tx.ct.log_list import Log, read_log_list
    from certstream_tx.library.following import Following, follow
    from certstream_tx.library.logs import find_log, known_logs
    from certstream_tx.library.messages import message_of
    from certstream_tx.library.serving import make_server
    from certstream_tx.message.documents import Message, Source
    from certstream_tx.start_error import StartError

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "ConfigError",
    "Entry",
    "Following",
    "Log",
    "Message",
    "Source",
    "StartError",
    "__version__",
    "find_log",
    "follow",
    "known_logs",
    "make_server",
    "message_of",
    "read_certificate",
    "read_entry",
    "read_log_list",
]

_HOMES = {
    "certificate": ("Certificate", "read_certificate"),
    "config": ("ConfigError",),
    "ct.entry": ("Entry", "read_entry"),
    "ct.log_list": ("Log", "read_log_list"),
    "library.following": ("Following", "follow"),
    "library.logs": ("find_log", "known_logs"),
    "library.messages": ("message_of",),
    "library.serving": ("make_server",),
    "message.documents": ("Message", "Source"),
    "start_error": ("StartError",),
}
_HOME_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A building block, from where it lives (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
