"""What comes of another server's configuration, and how it is written down as ours."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from certstream_tx.config import ConfigError, load
from certstream_tx.config.reading import LEAVES

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Imported:
    """A configuration of ours in the making.

    values: our keys (dotted path) with what a file says for them
    notes: lines about what differs and can be left as it is
    decisions: lines about what somebody has to look at before the server may run with this
    """

    server: str
    values: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Add what our own reading of the result has to say.

        A value that it refuses stays: a default in its place could open what was closed.
        """
        text = self.yaml().encode()
        try:
            loaded = load({"config": "imported"}, {}, read_file=lambda _: text)
        except ConfigError as error:
            self.decisions += [f"refused as it is: {problem}" for problem in error.problems]
        else:
            self.notes += loaded.warnings

    def yaml(self) -> str:
        """The file, keys in the order of the reference page."""
        lines = [f"# Made from a configuration of {self.server} by certstream-tx import-config."]
        section = ""
        for path in sorted(self.values, key=list(LEAVES).index):
            above, _, name = path.rpartition(".")
            if above != section:
                section = above
                lines.append(f"{above}:")
            lines += _entry(name, self.values[path], "  " if above else "")
        return "\n".join(lines) + "\n"


def _entry(name: str, value: object, indent: str) -> Iterator[str]:
    """``name: value`` as lines of YAML."""
    key = name if _PLAIN_KEY.fullmatch(name) else _scalar(name)
    if isinstance(value, Mapping) and value:
        yield f"{indent}{key}:"
        for inner, one in value.items():
            yield from _entry(str(inner), one, indent + "  ")
    elif isinstance(value, list) and value:
        yield f"{indent}{key}:"
        for item in value:
            yield from _item(item, indent + "  ")
    else:
        yield f"{indent}{key}: {_scalar(value)}"


def _item(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        inner = [line for name, one in value.items() for line in _entry(str(name), one, "")]
        yield f"{indent}- {inner[0]}"
        for line in inner[1:]:
            yield f"{indent}  {line}"
    elif isinstance(value, list) and value:
        # No key of ours has lists in lists: such a value is kept only to be refused.
        yield f"{indent}-"
        for one in value:
            yield from _item(one, indent + "  ")
    else:
        yield f"{indent}- {_scalar(value)}"


def _scalar(value: object) -> str:
    """One value on one line; texts in quotes, so that nothing is taken for what it is not."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        quoted = yaml.safe_dump(value, default_style='"', width=float("inf"), allow_unicode=True)
        return quoted.removesuffix("\n")
    if isinstance(value, Mapping):
        return "{}"
    return "[]" if isinstance(value, list) else repr(value)
