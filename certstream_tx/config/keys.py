"""How a dataclass says that its fields are configuration keys, and how they are found again."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from typing import Any, NamedTuple

from certstream_tx.config.kind import Invalid, Kind, below, place, shown

PREFIX = "CERTSTREAM_"
"""of every environment name"""
MAX_PORT = 65_535
MAX_SECONDS = 7 * 86_400
MAX_MILLISECONDS = 3_600_000


class Support(Enum):
    """How much of what a key promises this version keeps."""

    FULL = "works"
    IGNORED = "no effect yet"
    """accepted; a warning says so when it is set to anything but its default"""
    REFUSED = "not supported by this version yet"
    """only the default is accepted: ignoring it could do harm"""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key besides its name and default."""

    kind: Kind[Any]
    meaning: str
    env: tuple[str, ...]
    """environment names besides the one made of its path, without the prefix"""
    support: Support
    default_text: str | None
    """the default in words, where it depends on other values"""


def setting(
    kind: Kind[Any],
    default: Any,
    meaning: str,
    *,
    env: tuple[str, ...] = (),
    support: Support = Support.FULL,
    default_text: str | None = None,
) -> Any:
    """A field that is a configuration key. ``default`` is the parsed value, or ``MISSING``."""
    metadata = {"key": Key(kind, meaning, env, support, default_text)}
    if default is MISSING or default.__hash__ is not None:
        return field(default=default, metadata=metadata)
    return field(default_factory=lambda: default, metadata=metadata)


def section(cls: type) -> Any:
    """A field that is a group of keys, itself a dataclass; its docstring says what it is about."""
    return field(default_factory=cls, metadata={"section": cls})


class Leaf(NamedTuple):
    """One key of a tree."""

    path: str
    key: Key
    default: Any

    @property
    def own_name(self) -> str:
        """The environment name made of the path."""
        return PREFIX + self.path.upper().replace(".", "_")

    @property
    def env_names(self) -> tuple[str, ...]:
        """All environment names; none for what only a file can say."""
        if not self.key.kind.from_environment:
            return ()
        others = (PREFIX + name for name in self.key.env)
        return tuple(dict.fromkeys((*others, self.own_name)))


def default_of(one: "Field[Any]") -> Any:
    """The default of a field; ``MISSING`` when it must be given."""
    return one.default if one.default_factory is MISSING else one.default_factory()


def leaves(cls: type, prefix: str = "") -> Iterator[Leaf]:
    """Every key of a tree, in the order in which it is written down."""
    for one in fields(cls):
        if "section" in one.metadata:
            yield from leaves(one.metadata["section"], f"{prefix}{one.name}.")
        else:
            yield Leaf(prefix + one.name, one.metadata["key"], default_of(one))


def sections(cls: type) -> dict[str, type]:
    """Name to section, of the sections of a tree."""
    return {one.name: one.metadata["section"] for one in fields(cls) if "section" in one.metadata}


def build(cls: type, values: dict[str, Any], prefix: str = "") -> Any:
    """The tree with these values (by path), everything else at its default."""
    given: dict[str, Any] = {}
    for one in fields(cls):
        path = prefix + one.name
        if "section" in one.metadata:
            given[one.name] = build(one.metadata["section"], values, f"{path}.")
        elif path in values:
            given[one.name] = values[path]
    return cls(**given)


class Record(Kind[Any]):
    """A mapping with keys of its own, in a list of such: only a file can say it."""

    from_environment = False

    def __init__(self, cls: type, what: str) -> None:
        """``what`` completes "expected a mapping that describes ..."."""
        self.cls = cls
        self.expected = f"a mapping that describes {what}"
        self._leaves = {leaf.path: leaf for leaf in leaves(cls)}

    def from_yaml(self, value: object) -> Any:
        """The dataclass, all problems of its keys told together."""
        if not isinstance(value, dict):
            raise self.wrong(value)
        problems: list[tuple[str, str]] = []
        given: dict[str, Any] = {}
        for name, one in value.items():
            with below(f".{place(name)}", problems):
                if name not in self._leaves:
                    known = ", ".join(self._leaves)
                    raise Invalid(("", f"unknown key, known are {known}"))
                given[name] = self._leaves[name].key.kind.from_yaml(one)
        for name, leaf in self._leaves.items():
            if leaf.default is MISSING and name not in value:
                problems.append((f".{name}", f"expected {leaf.key.kind.expected}, got nothing"))
        if problems:
            raise Invalid(*problems)
        return self.cls(**given)

    def from_text(self, text: str) -> Any:
        """Never: a text cannot say it."""
        raise Invalid(("", f"expected {self.expected}, got {shown(text)}"))
