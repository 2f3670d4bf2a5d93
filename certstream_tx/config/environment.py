"""Configuration from environment variables: which ones are meant, which only look so."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from certstream_tx.config.keys import PREFIX, Leaf
from certstream_tx.config.kind import place
from certstream_tx.config.nearest import nearest

CONFIG_PATH = PREFIX + "CONFIG"
"""names the file"""

# Kubernetes describes every Service of a namespace to all its pods; a Service named certstream
# yields CERTSTREAM_PORT=tcp://10.0.0.1:80 and a handful of names around it.
_SERVICE_LINK = re.compile(
    r".*_(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_.+)?)?)"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://.*")


class Variable(NamedTuple):
    """An environment variable that sets a key."""

    leaf: Leaf
    name: str
    value: str


def variables(
    environment: Mapping[str, str], leaves: Iterable[Leaf]
) -> tuple[list[Variable], list[str]]:
    """Those that set a key, and a warning for all others that begin as ours do."""
    leaves = list(leaves)
    known = {name: leaf for leaf in leaves for name in leaf.env_names}
    file_only = {leaf.own_name for leaf in leaves if not leaf.env_names}
    found, links, warnings = [], [], []
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name == CONFIG_PATH:
            continue
        if _SERVICE_LINK.fullmatch(name) and (
            name not in known or _SERVICE_ADDRESS.fullmatch(value)
        ):
            links.append(name)
        elif name in known:
            found.append(Variable(known[name], name, value.strip()))
        elif name in file_only:
            warnings.append(f"{name}: ignored, only the file can say it")
        else:
            bare = {one.removeprefix(PREFIX): one for one in known}
            near = nearest(name.removeprefix(PREFIX), bare)
            hint = f", nearest known is {bare[near]}" if near else ""
            warnings.append(f"{place(name)}: unknown, ignored{hint}")
    if links:
        warnings.append("Kubernetes service links, ignored: " + ", ".join(map(place, links)))
    return found, warnings
