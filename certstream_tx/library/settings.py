"""Settings given by a program: checked and completed as those of a configuration file are."""

import json
from collections.abc import Mapping

from certstream_tx.config import Loaded, load


def loaded(settings: Mapping[str, object]) -> Loaded:
    """The configuration of these keys alone, whatever the environment and the folder hold.

    Raises ConfigError.
    """
    # JSON is YAML: one reader, and one set of messages for what is wrong.
    text = json.dumps(settings, default=str, ensure_ascii=False).encode()
    return load({"config": "settings"}, {}, read_file=lambda path: text)
