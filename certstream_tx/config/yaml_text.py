"""YAML as a configuration file needs it: what looks like text is text, and nothing is lost.

The scalars of YAML 1.2's core schema and no others: ``08080`` and ``1_000`` are texts (so that a
key that takes a number refuses them), ``2026-01-01`` is no date, ``no`` is no boolean, and there
are neither tags of Python nor merge keys. A key that stands twice is an error.
"""

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """Not a configuration in YAML. The text names the line."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}
    yaml_constructors = {}


def _error(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _mapping(loader: _Loader, node: yaml.Node) -> dict[str, object]:
    if not isinstance(node, yaml.MappingNode):
        raise _error(node, "expected a mapping")
    found: dict[str, object] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _error(key, "a key must be a plain word")
        name = str(key.value)
        if name in found:
            raise _error(key, f"the key {name[:80]!r} stands there a second time")
        found[name] = loader.construct_object(value, deep=True)
    return found


def _sequence(loader: _Loader, node: yaml.Node) -> list[object]:
    if not isinstance(node, yaml.SequenceNode):
        raise _error(node, "expected a list")
    return [loader.construct_object(item, deep=True) for item in node.value]


def _text(loader: _Loader, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _error(node, "expected a text")
    return str(node.value)


def _unknown_tag(loader: _Loader, node: yaml.Node) -> object:
    raise _error(node, f"unknown tag {str(node.tag)[:80]!r}")


def _scalar(pattern: re.Pattern[str], read: Any) -> Any:
    """A constructor that holds explicit tags (``!!int x``) to the pattern as well."""

    def construct(loader: _Loader, node: yaml.Node) -> object:
        text = _text(loader, node)
        if not pattern.fullmatch(text):
            raise _error(node, f"{text[:80]!r} is not what its tag says")
        return read(text)

    return construct


_SCALARS: dict[str, tuple[str, str, Any]] = {
    "null": (r"~|null|Null|NULL|", "~nN\0", lambda text: None),
    "bool": (
        r"true|True|TRUE|false|False|FALSE",
        "tTfF",
        lambda text: text.lower() == "true",
    ),
    "int": (r"[-+]?(?:0|[1-9][0-9]{0,17})", "-+0123456789", int),
    "float": (
        r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}(?:[eE][-+]?[0-9]{1,2})?|[0-9]{1,18}[eE][-+]?[0-9]{1,2})",
        "-+0123456789",
        float,
    ),
}

for _name, (_pattern, _first, _read) in _SCALARS.items():
    _regexp = re.compile(f"^(?:{_pattern})$", re.ASCII)
    _Loader.add_implicit_resolver(_TAG + _name, _regexp, ["" if c == "\0" else c for c in _first])
    _Loader.add_constructor(_TAG + _name, _scalar(_regexp, _read))
_Loader.add_constructor(None, _unknown_tag)
_Loader.add_constructor(_TAG + "str", _text)
_Loader.add_constructor(_TAG + "seq", _sequence)
_Loader.add_constructor(_TAG + "map", _mapping)


def read_yaml(data: bytes) -> dict[str, object]:
    """The mapping that a configuration file is; an empty file is the empty one.

    :raises YamlError: with one line that says what is wrong and where
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError(f"line {line}: not UTF-8 text") from None
    loader = None
    try:
        loader = _Loader(text)
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        raise YamlError(_one_line(error)) from None
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from None
    except RecursionError:
        raise YamlError("nested too deeply") from None
    finally:
        if loader is not None:
            loader.dispose()
    if value is None:
        return {}
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else "a single value"
        raise YamlError(f"expected a mapping of keys to values, got {what}")
    return value


def _one_line(error: yaml.MarkedYAMLError) -> str:
    """``line 3, column 5: what is wrong``."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    what = error.problem or error.context or "not YAML"
    return where + " ".join(what.split())
