"""What a configuration names outside of itself, looked at and left alone: ``--check-config``."""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from certstream_tx.config import Config, ConfigError
from certstream_tx.ingest.http.proxies import Proxies, ProxySettingError
from certstream_tx.ingest.lists.list_source import ListKey
from certstream_tx.ingest.lists.log_selection import check_own_logs
from certstream_tx.ingest.state.positions import read_state_file
from certstream_tx.ingest.state.state_lock import check_folder
from certstream_tx.serve.ports.tls_files import read_pair
from certstream_tx.start_error import StartError


def unusable(config: Config, environment: Mapping[str, str]) -> list[str]:
    """A line for each that keeps the server from starting, as far as this user can see."""
    problems: list[str] = []
    for check in _checks(config, environment):
        try:
            check()
        except ConfigError as error:
            problems += error.problems
        except (StartError, ProxySettingError) as error:
            problems.append(str(error))
    return problems


def _checks(config: Config, environment: Mapping[str, str]) -> Iterator[Callable[[], object]]:
    certificate, key, state_file = config.tls_cert, config.tls_key, config.ct_log.state_file
    if certificate is not None and key is not None and config.tls_used:
        yield lambda: read_pair(certificate, key)
    if state_file is not None:
        yield lambda: _check_state(os.path.realpath(state_file))
    yield lambda: check_own_logs(config)
    keys = {"ct_log.list_key": config.ct_log.list_key}
    for place, each in enumerate(config.additional_log_lists):
        keys[f"additional_log_lists[{place}].key"] = each.key if each.signed else None
    for named_by, path in keys.items():
        if path is not None:
            yield partial(ListKey.from_file, path, named_by)
    yield lambda: Proxies.of(environment)


def _check_state(path: str) -> None:
    check_folder(path)
    read_state_file(path)
