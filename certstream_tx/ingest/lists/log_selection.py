"""Which logs are followed: those of the list that the configuration chooses, and its own."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256

from certstream_tx.config import Config, ConfigError, CustomLog, StaticLog
from certstream_tx.ct.log_list import Log
from certstream_tx.ct.signatures import LogKey, SignatureError
from certstream_tx.ingest.pacing.pace import operator_key
from certstream_tx.ingest.state.state_file import bare_url

LIVE_STATES = ("qualified", "usable", "readonly")
"""States of logs whose entries count. A readonly log is read to its final tree head; one that is
retired or rejected when it is first seen is never asked anything: some such names are placeholders
that nobody serves."""


def followed(listed: Iterable[Log], config: Config) -> list[Log]:
    """The logs to follow, those of the configuration first.

    The configuration's choices apply to the list; a log that it names itself is always followed,
    takes the place of the listed one with its log id or URL, and learns from it what it lacks.
    """
    listed = list(listed)
    own = [_completed(_own_log(each), listed) for each in config.own_logs]
    ids = {log.log_id for log in own if log.log_id is not None}
    urls = {bare_url(log.url) for log in own}
    choice = _Choice(config)
    return own + [
        log
        for log in listed
        if log.log_id not in ids and bare_url(log.url) not in urls and choice.takes(log)
    ]


def united(lists: Iterable[Iterable[Log]]) -> tuple[Log, ...]:
    """The logs of all lists; of those with one log id or one URL only that of the first list."""
    found: list[Log] = []
    keys: set[str] = set()
    urls: set[str] = set()
    for logs in lists:
        new = [log for log in logs if log.state_key not in keys and bare_url(log.url) not in urls]
        keys.update(log.state_key for log in new)
        urls.update(bare_url(log.url) for log in new)
        found += new
    return tuple(found)


def excluded(log: Log, config: Config) -> bool:
    """Whether the configuration wants nothing of a log, whatever its state in the list."""
    return not _Choice(config).wants(log)


def named(which: str, logs: Iterable[Log]) -> list[Log]:
    """The logs that have this name, URL, origin or (base64) log id."""
    return [log for log in logs if _name(which) in _names(log)]


def check_own_logs(config: Config) -> None:
    """Raise ConfigError, with a line for each log of the configuration whose key is unusable."""
    problems = []
    for own in config.own_logs:
        try:
            if own.key is not None:
                LogKey(own.key)
        except SignatureError as error:
            section = "static_logs" if isinstance(own, StaticLog) else "custom_logs"
            problems.append(f"{section}, {own.name}: key: {error}")
    if problems:
        raise ConfigError(problems)


def check_choice(listed: Iterable[Log], config: Config) -> None:
    """Raise ConfigError when there are lists and nothing of them is chosen, nor a log named."""
    listed = list(listed)
    if listed and not followed(listed, config):
        raise ConfigError(
            [
                f"ct_log: of {len(listed)} listed logs none is chosen, and no other is named: there"
                " is nothing to follow. Change excluded_logs, excluded_operators, included_logs,"
                " included_operators, rfc6962_enabled or static_ct_enabled"
            ]
        )


def unmatched_names(listed: Iterable[Log], config: Config) -> list[tuple[str, str]]:
    """Key and name, of each name in the exclusions and inclusions that fits no log of the list."""
    listed = list(listed)
    operators = {operator_key(log.operator) for log in listed if log.operator}
    names = {name for log in listed for name in _names(log)}
    ct_log = config.ct_log
    return [
        *_strangers(
            "ct_log.excluded_operators", ct_log.excluded_operators, operator_key, operators
        ),
        *_strangers(
            "ct_log.included_operators", ct_log.included_operators, operator_key, operators
        ),
        *_strangers("ct_log.excluded_logs", ct_log.excluded_logs, _name, names),
        *_strangers("ct_log.included_logs", ct_log.included_logs, _name, names),
    ]


def _strangers(
    key: str, given: Iterable[str], form: Callable[[str], str], known: set[str]
) -> list[tuple[str, str]]:
    return [(key, name) for name in given if form(name) not in known]


class _Choice:
    """What the configuration chooses from a list."""

    def __init__(self, config: Config) -> None:
        ct_log = config.ct_log
        self._states = {*LIVE_STATES, *(["pending"] if ct_log.include_pending else [])}
        self._kinds = {
            *(["rfc6962"] if ct_log.rfc6962_enabled else []),
            *(["tiled"] if ct_log.static_ct_enabled else []),
        }
        self._excluded_operators = set(map(operator_key, ct_log.excluded_operators))
        self._included_operators = set(map(operator_key, ct_log.included_operators))
        self._excluded_logs = set(map(_name, ct_log.excluded_logs))
        self._included_logs = set(map(_name, ct_log.included_logs))

    def takes(self, log: Log) -> bool:
        """Whether a listed log is followed."""
        return log.state in self._states and self.wants(log)

    def wants(self, log: Log) -> bool:
        """Whether it is as long as its state is right."""
        operator, names = operator_key(log.operator or ""), _names(log)
        return (
            log.kind in self._kinds
            and operator not in self._excluded_operators
            and (not self._included_operators or operator in self._included_operators)
            and not names & self._excluded_logs
            and (not self._included_logs or bool(names & self._included_logs))
        )


def _name(text: str) -> str:
    """The form in which names, URLs and ids of logs are compared: without case, spaces, scheme."""
    return operator_key(bare_url(text))


def _names(log: Log) -> set[str]:
    """All that a log can be named by."""
    given = (log.name, log.url, log.origin, log.log_id_base64)
    return {_name(text) for text in given if text}


def _own_log(own: CustomLog | StaticLog) -> Log:
    """A log of the configuration as lists would name it."""
    return Log(
        name=own.name,
        url=own.url,
        kind="tiled" if isinstance(own, StaticLog) else "rfc6962",
        log_id=own.expected_log_id if own.key is None else sha256(own.key).digest(),
        key=own.key,
        operator=own.operator,
        origin=own.log_origin if isinstance(own, StaticLog) else None,
        get_sth=isinstance(own, StaticLog) and own.tree_size_source == "get_sth",
    )


def _completed(own: Log, listed: list[Log]) -> Log:
    """With what the list knows of the same log and the configuration does not say."""
    for log in listed:
        same_id = own.log_id is not None and own.log_id == log.log_id
        if not same_id and (own.log_id is not None or bare_url(own.url) != bare_url(log.url)):
            continue
        return replace(
            own,
            log_id=log.log_id,
            key=own.key or log.key,
            operator=own.operator or log.operator,
            state=log.state,
            interval=log.interval,
            final_size=log.final_size,
            final_root=log.final_root,
            origin=own.origin or (log.origin if own.kind == "tiled" else None),
            mmd=log.mmd,
        )
    return own
