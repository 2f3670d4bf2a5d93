"""From command line, environment and file to a configuration, or to all that is wrong with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from certstream_tx.config.checks import contradictions, overridden
from certstream_tx.config.environment import CONFIG_PATH, Variable, variables
from certstream_tx.config.foreign import IGNORED, MAPPED
from certstream_tx.config.keys import Leaf, Record, Support, build, leaves, sections
from certstream_tx.config.kind import Invalid, Kind, place, shown
from certstream_tx.config.kinds import ListOf
from certstream_tx.config.nearest import SURE, nearest
from certstream_tx.config.tree import Config
from certstream_tx.start_error import StartError

MAX_BYTES = 256 * 1024
"""of a file: a thousand logs of one's own fit, and a file of another kind is noticed"""
USUAL_PATHS = ("config.yaml", "config.yml", "/etc/certstream/config.yaml")
MAX_PROBLEMS = 50
"""told at once: a file of another kind has one in every line"""

ReadFile = Callable[[str], bytes | None]
"""The content of a file, None when it does not exist; OSError when it cannot be read."""

LEAVES = {leaf.path: leaf for leaf in leaves(Config)}
_SECTIONS = frozenset(sections(Config))


class ConfigError(StartError):
    """There is no valid configuration: one line for each problem, each naming its key."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration and where it came from."""

    config: Config
    warnings: tuple[str, ...]
    """lines for the operator"""
    source_path: str | None
    """the file that was read, if there was one"""
    origins: Mapping[str, str]
    """path of each key that was set to where: a file's path, a variable, ``command line``"""


@dataclass(slots=True)
class _Found:
    """What has been read so far; later sources overwrite earlier ones."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unknown_keys: int = 0
    """how many of the problems are those: all known keys could be read"""

    def unknown(self, path: str, note: str = "") -> None:
        """Tell of a key that there is none of."""
        self.problems.append(_unknown(path) + note)
        self.unknown_keys += 1

    def take(
        self, path: str, read: Callable[[Any], Any], given: object, origin: str, note: str = ""
    ) -> None:
        """Set a key to what ``read`` makes of what was given, or tell what is wrong with that."""
        try:
            self.values[path] = read(given)
        except Invalid as error:
            self.problems += [f"{path}{where}: {what}{note}" for where, what in error.problems]
        else:
            self.origins[path] = origin


def load(
    command_line: Mapping[str, str | Sequence[str] | None],
    environment: Mapping[str, str],
    *,
    read_file: ReadFile,
) -> Loaded:
    """The configuration: command line over environment over file over defaults.

    ``command_line`` maps key paths (``"ct_log.batch_size"``) to their text, to several texts for
    a list, or to None when nothing was said; ``"config"`` names the file.

    :raises ConfigError: with every problem there is
    """
    found = _Found()
    source_path = _read_file(found, command_line.get("config"), environment, read_file)
    from_environment, warnings = variables(environment, LEAVES.values())
    found.warnings += warnings
    _read_environment(found, from_environment)
    _read_command_line(found, command_line)
    if len(found.problems) > found.unknown_keys:
        # Values that depend on each other are judged only where each can be read.
        raise _error(found)
    config: Config = build(Config, found.values)
    _judge_support(found)
    found.problems += contradictions(config)
    if found.problems:
        raise _error(found)
    found.warnings += overridden(config, found.origins)
    return Loaded(config, tuple(found.warnings), source_path, found.origins)


def _error(found: _Found) -> ConfigError:
    more = len(found.problems) - MAX_PROBLEMS
    cut = [f"... and {more} more problems"] if more > 0 else []
    return ConfigError([*found.problems[:MAX_PROBLEMS], *cut])


# The file


def _read_file(
    found: _Found,
    from_command_line: str | Sequence[str] | None,
    environment: Mapping[str, str],
    read_file: ReadFile,
) -> str | None:
    """Read the first file there is; its path."""
    asked = from_command_line or environment.get(CONFIG_PATH, "").strip()
    paths = (asked,) if isinstance(asked, str) and asked else USUAL_PATHS
    for path in paths:
        try:
            data = read_file(path)
        except OSError as error:
            found.problems.append(f"{path}: cannot be read: {error.strerror or error}")
            return path
        if data is not None:
            _read_text(found, data, path)
            return path
    if asked:
        found.problems.append(f"{asked}: there is no such file")
    return None


def _read_text(found: _Found, data: bytes, path: str) -> None:
    # Many servers run without a file: those need not load what reads one.
    from certstream_tx.config.yaml_text import YamlError, read_yaml

    if len(data) > MAX_BYTES:
        found.problems.append(f"{path}: larger than {MAX_BYTES} bytes")
        return
    try:
        document = read_yaml(data)
    except YamlError as error:
        found.problems.append(f"{path}: {error}")
    else:
        _read_document(found, document, path)


def _read_document(found: _Found, document: dict[str, object], origin: str) -> None:
    flat: dict[str, object] = {}
    for name, value in document.items():
        if "." in name:
            found.unknown(name, " (in a file each level is a mapping)")
        elif name not in _SECTIONS:
            flat[name] = value
        elif isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        elif value is not None:
            found.problems.append(f"{name}: expected a mapping of keys, got {shown(value)}")
    for path, value in flat.items():
        if path in LEAVES:
            found.take(path, LEAVES[path].key.kind.from_yaml, value, origin)
        elif path in IGNORED:
            found.warnings.append(f"{path}: has no equal here, ignored: {IGNORED[path]}")
        elif path not in MAPPED:
            found.unknown(path)
    for path, (target, convert) in MAPPED.items():
        if path in flat and target not in flat and target not in found.values:
            read = partial(_converted, LEAVES[target].key.kind, convert)
            found.take(target, read, flat[path], origin, f" ({path})")


def _converted(kind: Kind[Any], convert: Callable[[object], object], value: object) -> Any:
    return kind.from_yaml(convert(value))


def _unknown(path: str) -> str:
    """The problem of a key that does not exist, with the one that was probably meant."""
    _, dot, name = path.rpartition(".")
    known = list(LEAVES) if "." in path else [*_SECTIONS, *LEAVES]
    near = (
        nearest(path, known, SURE)
        or next((one for one in known if nearest(name, [one.rpartition(".")[2]], SURE)), None)
        or (None if dot else nearest(path, known))
    )
    return f"{place(path)}: unknown key" + (f", nearest known is {near}" if near else "")


# Environment and command line


def _read_environment(found: _Found, given: list[Variable]) -> None:
    first: dict[str, Variable] = {}
    for variable in given:
        path, kind = variable.leaf.path, variable.leaf.key.kind
        other = first.setdefault(path, variable)
        if other.value != variable.value:
            found.problems.append(f"{path}: {other.name} and {variable.name} contradict each other")
            continue
        found.take(path, kind.from_texts, (variable.value,), variable.name, f" ({variable.name})")


def _read_command_line(
    found: _Found, command_line: Mapping[str, str | Sequence[str] | None]
) -> None:
    for path, given in command_line.items():
        if given is None or path == "config":
            continue
        if path not in LEAVES:
            found.unknown(path)
            continue
        texts = (given,) if isinstance(given, str) else given
        found.take(path, LEAVES[path].key.kind.from_texts, texts, "command line", " (command line)")


# What is not built yet


def _judge_support(found: _Found) -> None:
    """Say of every value that this version cannot honour."""
    for path, value in found.values.items():
        leaf = LEAVES[path]
        _judge(found, leaf, path, value)
        if isinstance(leaf.key.kind, ListOf) and isinstance(leaf.key.kind.item, Record):
            for i, record in enumerate(value):
                for inner in leaves(type(record)):
                    _judge(found, inner, f"{path}[{i}].{inner.path}", getattr(record, inner.path))


def _judge(found: _Found, leaf: Leaf, path: str, value: object) -> None:
    if leaf.key.support is Support.FULL or value == leaf.default:
        return
    line = f"{path}: {leaf.key.support.value}"
    if leaf.key.support is Support.REFUSED:
        found.problems.append(line)
    else:
        found.warnings.append(line)
