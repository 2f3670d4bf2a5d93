"""The configuration in words: the values in force, and the reference page of all keys."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import reduce
from typing import Any

from certstream_tx.config.foreign import IGNORED, MAPPED
from certstream_tx.config.keys import PREFIX, Leaf, Record, Support, leaves, sections
from certstream_tx.config.kinds import ListOf
from certstream_tx.config.reading import LEAVES, USUAL_PATHS
from certstream_tx.config.tokens import Token
from certstream_tx.config.tree import Config

MASK = "***"

_INTRODUCTION = f"""\
# Configuration

*Made from the code by `make docs`: change the keys in `certstream_tx/config/`, not this page.*

Values come from the command line, from the environment, from a YAML file and from the defaults; of
these the first that says something wins. The file is the one named by `--config`, else by
`{PREFIX}CONFIG`, else the first of {", ".join(f"`{path}`" for path in USUAL_PATHS)} that exists.

`twistd certstream --check-config` reads all of them, prints the values in force and where each
comes from, with tokens masked, and exits 0, or 1 with one line for every problem. It looks at the
files that they name as well (TLS, state, keys), as the user who runs it.

Whatever is wrong refuses to start, with one line that names the key, what was expected and what
was there. Everything that is wrong with single keys is told at once; what does not fit together is
told when every value can be read, and what is wrong with files after that:

```
ct_log.batch_size: expected an integer from 1 to 4096, got "many"
ct_log.batchsize: unknown key, nearest known is ct_log.batch_size
```

- In the file a dot in a key is a level: `ct_log.batch_size` is `batch_size` below `ct_log`. A key
  that stands twice is an error. Numbers are decimal, without leading zeros, and a text that looks
  like a number, `true` or `null` needs quotes.
- In the environment lists are separated by commas, mappings are written `name=value,name=value`,
  and an empty value means null or the empty list. Where two names are given, both are good.
  Names beginning with `{PREFIX}` that are not known are ignored with a warning, and so is what
  Kubernetes adds for a Service named `certstream` (`{PREFIX}PORT=tcp://10.0.0.1:80`). The tables
  leave `{PREFIX}` out.
- *Not supported yet*: anything but the default refuses to start, since leaving it out in silence
  could do harm. *No effect yet*: accepted, with a warning.
"""

_SUPPORT_NOTES = {
    Support.FULL: "",
    Support.IGNORED: " (*no effect yet*)",
    Support.REFUSED: " (*not supported yet*)",
}


def describe(config: Config, origins: Mapping[str, str] | None = None) -> list[str]:
    """``key: value`` lines of every value in force, with where it comes from; tokens masked."""
    derived = config.derived()
    lines = []
    for path in LEAVES:
        value = derived.get(path, reduce(getattr, path.split("."), config))
        origin = (origins or {}).get(path)
        lines.append(f"{path}: {_json(value)}" + (f"  # {origin}" if origin else ""))
    return lines


def _json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: object) -> object:
    """What JSON can say of a value, without secrets."""
    match value:
        case Token():
            shown = MASK if value.text is not None else f"sha256:{MASK}"
            return {"name": value.name, "token": shown} if value.name else shown
        case bytes():
            return base64.b64encode(value).decode()
        case Enum():
            return value.value
        case Mapping():
            return {name: plain(one) for name, one in value.items()}
        case tuple():
            return [plain(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
    if is_dataclass(value):
        every = ((one.name, getattr(value, one.name)) for one in fields(value))
        return {name: plain(one) for name, one in every if one is not None}
    return str(value)


def reference_page() -> str:
    """The page about all keys, in Markdown."""
    own = [leaf for leaf in LEAVES.values() if "." not in leaf.path]
    parts = [_INTRODUCTION, "## Top level\n", _table(own), *_records(own)]
    for name, cls in sections(Config).items():
        inside = [leaf for leaf in LEAVES.values() if leaf.path.startswith(f"{name}.")]
        parts += [f"## {name}\n", f"{cls.__doc__}\n", _table(inside)]
    parts += ["## Files of certstream-server-rust\n", _foreign()]
    return "\n".join(parts)


def _table(rows: Sequence[Leaf], *, environment: bool = True) -> str:
    columns = ["key", "type", "default", *(["environment"] if environment else []), "meaning"]
    lines = [_row(columns), _row(["---"] * len(columns))]
    for leaf in rows:
        names = ", ".join(f"`{name.removeprefix(PREFIX)}`" for name in leaf.env_names) or "-"
        lines.append(
            _row(
                [
                    f"`{leaf.path}`",
                    leaf.key.kind.expected,
                    _default(leaf),
                    *([names] if environment else []),
                    leaf.key.meaning + _SUPPORT_NOTES[leaf.key.support],
                ]
            )
        )
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(leaf: Leaf) -> str:
    if leaf.key.default_text is not None:
        return leaf.key.default_text
    return "required" if leaf.default is MISSING else f"`{_json(leaf.default)}`"


def _records(rows: Sequence[Leaf]) -> Iterator[str]:
    """A table for each list of mappings."""
    for leaf in rows:
        kind: Any = leaf.key.kind
        if isinstance(kind, ListOf) and isinstance(kind.item, Record):
            yield f"### {leaf.path}[]\n"
            yield f"{kind.item.cls.__doc__} Only the file can say it.\n"
            yield _table(list(leaves(kind.item.cls)), environment=False)


def _foreign() -> str:
    lines = ["Its first version's keys are the ones above. Of those that came later:\n"]
    lines += [f"- `{path}` is read as `{mapped.target}`." for path, mapped in MAPPED.items()]
    lines += [f"- `{path}` is ignored with a warning: {why}." for path, why in IGNORED.items()]
    return "\n".join(lines) + "\n"
