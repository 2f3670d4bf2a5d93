"""What differs between two configurations, and how an operator is told of it."""

import json
from collections import Counter
from collections.abc import Collection
from functools import reduce
from typing import Any

from certstream_tx.config.keys import build
from certstream_tx.config.printing import plain
from certstream_tx.config.reading import LEAVES
from certstream_tx.config.tokens import Token
from certstream_tx.config.tree import Config

LONGEST = 1000
"""characters of a value that are shown: a list of logs may be as long as a file"""


def value_of(config: Config, path: str) -> Any:
    """The value of one key."""
    return reduce(getattr, path.split("."), config)


def changed(old: Config, new: Config) -> list[str]:
    """Paths of the keys whose value is another one."""
    return [path for path in LEAVES if value_of(old, path) != value_of(new, path)]


def with_values(base: Config, new: Config, paths: Collection[str]) -> Config:
    """``base``, but with the values that ``new`` has at ``paths``."""
    merged: Config = build(
        Config, {path: value_of(new if path in paths else base, path) for path in LEAVES}
    )
    return merged


def described(path: str, old: Config, new: Config) -> str:
    """One line: the key, its old value and its new one, without secrets."""
    before, after = value_of(old, path), value_of(new, path)
    line = f"{path}: {_shown(before)} -> {_shown(after)}"
    if _holds_tokens(before) or _holds_tokens(after):
        # Masked, old and new look the same where one took the place of another.
        added = (Counter(after) - Counter(before)).total()
        removed = (Counter(before) - Counter(after)).total()
        line += f" ({added} added, {removed} removed)"
    return line


def _shown(value: object) -> str:
    text = json.dumps(plain(value), ensure_ascii=False)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _holds_tokens(value: object) -> bool:
    return isinstance(value, tuple) and any(isinstance(one, Token) for one in value)
