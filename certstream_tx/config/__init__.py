"""What can be configured, and how it is read: see :mod:`certstream_tx.config.tree` for the keys."""

from certstream_tx.config.logs import CtLog, CustomLog, StaticLog
from certstream_tx.config.printing import describe, reference_page
from certstream_tx.config.reading import MAX_BYTES, ConfigError, Loaded, load
from certstream_tx.config.tree import CHROME_LIST_URL, PROJECT_URL, Config

__all__ = [
    "CHROME_LIST_URL",
    "MAX_BYTES",
    "PROJECT_URL",
    "Config",
    "ConfigError",
    "CtLog",
    "CustomLog",
    "Loaded",
    "StaticLog",
    "describe",
    "load",
    "reference_page",
]
