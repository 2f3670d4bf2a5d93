"""What a configuration value may be: from YAML or from text (environment, command line)."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from certstream_tx.config.kind import Invalid, Kind, below, shown

T = TypeVar("T")

MAX_ITEMS = 10_000
"""items in one list or mapping: far above any real file, and a bound for the work on a bad one"""

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]{0,18})?(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Switch(Kind[bool]):
    """true or false. YAML 1.1's yes, no, on and off are understood here and nowhere else."""

    expected = "true or false"

    def from_yaml(self, value: object) -> bool:
        """A boolean, or one of the four words that YAML 1.2 no longer takes for one."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
            return _SWITCH[value.lower()]
        raise self.wrong(value)

    def from_text(self, text: str) -> bool:
        """Words and 1 or 0, in any case."""
        found = {**_SWITCH, "1": True, "0": False}.get(text.lower())
        if found is None:
            raise self.wrong(text)
        return found


class Integer(Kind[int]):
    """A whole number within bounds; with ``or_zero`` also 0, which then switches something off."""

    def __init__(self, low: int, high: int, *, or_zero: bool = False) -> None:
        self.low, self.high, self.or_zero = low, high, or_zero
        self.expected = ("0 or " if or_zero else "") + f"an integer from {low} to {high}"

    def from_yaml(self, value: object) -> int:
        """An integer: a boolean is none, though Python says so."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(value)
        if not (self.low <= value <= self.high or (self.or_zero and value == 0)):
            raise self.wrong(value)
        return value

    def from_text(self, text: str) -> int:
        """Decimal, without leading zeros: nobody can know which base they mean."""
        if not _INTEGER.fullmatch(text):
            raise self.wrong(text)
        return self.from_yaml(int(text))


class Number(Kind[float]):
    """A number within bounds, fractions allowed."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.expected = f"a number from {low:g} to {high:g}"

    def from_yaml(self, value: object) -> float:
        """An integer or a float, finite."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(value)
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise self.wrong(value)
        return float(value)

    def from_text(self, text: str) -> float:
        """Decimal, with an exponent if need be."""
        if not _NUMBER.fullmatch(text):
            raise self.wrong(text)
        return self.from_yaml(float(text))


class Choice(Kind[str]):
    """One of a few words, in any case; ``synonyms`` are accepted and replaced."""

    def __init__(self, *choices: str, synonyms: Mapping[str, str] = MappingProxyType({})) -> None:
        self.choices, self._synonyms = choices, synonyms
        self.expected = "one of " + ", ".join(choices)

    def from_text(self, text: str) -> str:
        """The choice in its own spelling."""
        word = text.lower()
        word = self._synonyms.get(word, word)
        if word not in self.choices:
            raise self.wrong(text)
        return word


class Nullable(Kind[T | None]):
    """The kind inside, or null."""

    def __init__(self, inside: Kind[T]) -> None:
        self.inside = inside
        self.expected = f"{inside.expected}, or null"

    def from_yaml(self, value: object) -> T | None:
        """None, or what the kind inside makes of it."""
        return None if value is None else self._of_inside(self.inside.from_yaml, value)

    def from_text(self, text: str) -> T | None:
        """A text cannot be null: an empty one is, and comes to ``from_empty``."""
        return self._of_inside(self.inside.from_text, text)

    def _of_inside(self, read: Callable[[Any], T], value: object) -> T:
        try:
            return read(value)
        except Invalid:
            raise self.wrong(value) from None

    def from_empty(self) -> None:
        """Null."""
        return None


class ListOf(Kind[tuple[Any, ...]]):
    """A list; as text its items are separated by commas."""

    def __init__(self, item: Kind[Any], what: str) -> None:
        """``what`` names the items in the plural."""
        self.item = item
        self.from_environment = item.from_environment
        self.expected = f"a list of {what}"

    def from_yaml(self, value: object) -> tuple[Any, ...]:
        """Every item read, all that is wrong in any of them told; null is the empty list."""
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong(value)
        return self._items(value, self.item.from_yaml)

    def from_text(self, text: str) -> tuple[Any, ...]:
        """Items between commas; spaces around them and empty ones do not count."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return self._items(parts, self.item.from_text)

    def from_texts(self, texts: Sequence[str]) -> tuple[Any, ...]:
        """A single text may hold several items; of more than one each is an item."""
        return (
            super().from_texts(texts)
            if len(texts) == 1
            else self._items(texts, self.item.from_text)
        )

    def from_empty(self) -> tuple[Any, ...]:
        """The empty list."""
        return ()

    def _items(self, items: Sequence[Any], read: Callable[[Any], Any]) -> tuple[Any, ...]:
        if len(items) > MAX_ITEMS:
            raise Invalid(("", f"expected at most {MAX_ITEMS} items, got {len(items)}"))
        problems: list[tuple[str, str]] = []
        found = []
        for i, item in enumerate(items):
            with below(f"[{i}]", problems):
                found.append(read(item))
        if problems:
            raise Invalid(*problems)
        return tuple(found)


class MapOf(Kind[Mapping[str, Any]]):
    """Names with a value each; as text ``name=value,name=value``."""

    def __init__(self, value: Kind[Any], what: str) -> None:
        """``what`` names the names in the plural."""
        self.value = value
        self.expected = f"a mapping of {what}, each to {value.expected}"

    def from_yaml(self, value: object) -> Mapping[str, Any]:
        """Every value read; null is the empty mapping."""
        if value is None:
            return self.from_empty()
        if not isinstance(value, dict):
            raise self.wrong(value)
        return self._values(list(value.items()), self.value.from_yaml)

    def from_text(self, text: str) -> Mapping[str, Any]:
        """The last ``=`` separates, so that a name may hold one."""
        pairs = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, separator, value = part.rpartition("=")
            if not separator:
                raise Invalid(("", f"expected name=value, got {shown(part)}"))
            pairs.append((name.strip(), value.strip()))
        return self._values(pairs, self.value.from_text)

    def from_empty(self) -> Mapping[str, Any]:
        """The empty mapping."""
        return MappingProxyType({})

    def _values(
        self, pairs: list[tuple[str, Any]], read: Callable[[Any], Any]
    ) -> Mapping[str, Any]:
        if len(pairs) > MAX_ITEMS:
            raise Invalid(("", f"expected at most {MAX_ITEMS} names, got {len(pairs)}"))
        problems: list[tuple[str, str]] = []
        found: dict[str, Any] = {}
        for name, value in pairs:
            where = f"[{shown(name)}]"
            with below(where, problems):
                if not name.strip() or name in found:
                    raise Invalid(("", "expected a name, once"))
                found[name] = read(value)
        if problems:
            raise Invalid(*problems)
        return MappingProxyType(found)
