"""Configurations of certstream-server-rust: its keys are ours, as far as both have them."""

from certstream_tx.command_line.imported import Imported
from certstream_tx.config import Config
from certstream_tx.config.foreign import IGNORED, MAPPED
from certstream_tx.config.keys import sections
from certstream_tx.config.kind import Invalid, place
from certstream_tx.config.reading import LEAVES

SERVER = "certstream-server-rust"


def belongs(document: dict[str, object]) -> bool:
    """Whether this can be such a configuration: some key at its top is one of its."""
    return any(name in LEAVES or name in sections(Config) or name in IGNORED for name in document)


def translate(document: dict[str, object]) -> Imported:
    """Keep what is ours, give later keys their names here, and say what has no equal."""
    imported = Imported(SERVER)
    flat: dict[str, object] = {}
    for name, value in document.items():
        if name not in sections(Config) and "." not in name:
            flat[name] = value
        elif isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        elif value is not None:
            imported.decisions.append(f"{place(name)}: expected a mapping of keys, left out")
    for path, value in flat.items():
        if path in LEAVES:
            imported.values[path] = value
        elif path in IGNORED:
            imported.notes.append(f"{path}: has no equal here, left out: {IGNORED[path]}")
        elif path not in MAPPED:
            where = ".".join(map(place, path.split(".", 1)))
            imported.decisions.append(f"{where}: nothing here is called so, left out")
    for path, (target, convert) in MAPPED.items():
        if path not in flat:
            continue
        if target in imported.values:
            imported.notes.append(f"{path}: left out, {target} is said already")
        else:
            try:
                imported.values[target] = convert(flat[path])
            except Invalid:
                imported.values[target] = flat[path]
            imported.notes.append(f"{path}: is called {target} here")
    return imported
