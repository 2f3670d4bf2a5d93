"""What can change while the server runs, and how each part of it takes a new configuration."""

from collections.abc import Callable
from functools import partial

from certstream_tx.config import Config, ConfigError
from certstream_tx.ct.log_list import Log
from certstream_tx.events import set_level
from certstream_tx.hub.lag import LagBounds
from certstream_tx.ingest.lists.followed_logs import FollowedLogs
from certstream_tx.ingest.lists.log_lists import LogLists
from certstream_tx.ingest.lists.log_selection import check_choice, check_own_logs, excluded
from certstream_tx.serve.access.gate import Gate
from certstream_tx.serve.access.policy import Policy
from certstream_tx.serve.ports.tls_files import TLSFileError, TLSFiles
from certstream_tx.serve.wires.slow_readers import SlowReaders
from certstream_tx.service.log_clients import LogClients
from certstream_tx.service.reload import Apply, LivePart

ACCESS_KEYS = (
    "auth.enabled",
    "auth.tokens",
    "auth.header_name",
    "rate_limit.enabled",
    "rate_limit.per_second",
    "rate_limit.burst_size",
    "connection_limit.enabled",
    "connection_limit.max_connections",
    "connection_limit.per_ip_limit",
    "trusted_proxies",
)
LOG_KEYS = (
    "custom_logs",
    "static_logs",
    "ct_log.excluded_operators",
    "ct_log.excluded_logs",
    "ct_log.included_operators",
    "ct_log.included_logs",
    "ct_log.include_pending",
    "ct_log.rfc6962_enabled",
    "ct_log.static_ct_enabled",
)
TLS_KEYS = ("tls_cert", "tls_key")
LAG_KEYS = ("lag.max_lost_share", "lag.window_secs", "lag.stall_secs")
PACE_KEYS = ("ct_log.default_operator_rate_limit_ms", "ct_log.operator_rate_limits")


def live_parts(
    gate: Gate,
    slow_readers: SlowReaders,
    clients: LogClients,
    tls: TLSFiles | None,
    logs: "ChosenLogs | None",
) -> list[LivePart]:
    """All of them.

    :param clients: those of logs, which keep to the paces
    :param logs: None: only the demonstration logs are followed, whatever is chosen
    """
    parts = [
        LivePart(("log_level",), lambda config: partial(set_level, config.log_level)),
        LivePart(ACCESS_KEYS, lambda config: partial(gate.replace_policy, Policy.of(config))),
        LivePart(LAG_KEYS, lambda config: partial(slow_readers.use, LagBounds.of(config.lag))),
        LivePart(PACE_KEYS, lambda config: partial(clients.pace_by, config)),
    ]
    if logs is not None:
        parts.append(LivePart(LOG_KEYS, logs.prepare))
    if tls is not None:
        parts.append(LivePart(TLS_KEYS, partial(_prepare_tls, tls), _has_tls))
    return parts


class ChosenLogs:
    """The logs that the configuration chooses, from the lists and of its own.

    :param use: is called with the configuration by which new pollers are to be made
    """

    def __init__(
        self, lists: LogLists, followed: FollowedLogs, use: Callable[[Config], object]
    ) -> None:
        self._lists = lists
        self._followed = followed
        self._use = use

    def follow(self) -> None:
        """Follow them, and no others, from now on; those that left the lists to their end."""
        self._followed.follow(
            self._lists.followed(), lambda log: not excluded(log, self._lists.config)
        )

    def prepare(self, config: Config) -> Apply:
        """Check the keys of its own logs, and that there is something to follow."""
        check_own_logs(config)
        check_choice(self._lists.listed(), config)
        return partial(self._choose, config)

    def _choose(self, config: Config) -> None:
        before = self._lists.config
        self._use(config)
        self._lists.choose_by(config)
        followed = self._lists.followed()
        leaving = [each for each in self._followed.logs if self._followed.is_leaving(each)]

        def to_be_read_out(log: Log) -> bool:
            return log in leaving and not excluded(log, config)

        # A poller keeps the settings that it was made with.
        same = [
            each for each in followed if _settings(before, each.url) == _settings(config, each.url)
        ]
        if len(same) < len(followed):
            self._followed.follow(same, to_be_read_out)
        self._followed.follow(followed, to_be_read_out)


def _settings(config: Config, url: str) -> tuple[int, int]:
    return config.batch_size_of(url), config.poll_interval_ms_of(url)


def _has_tls(config: Config) -> bool:
    return config.tls_cert is not None and config.tls_key is not None


def _prepare_tls(tls: TLSFiles, config: Config) -> Apply:
    assert config.tls_cert is not None
    assert config.tls_key is not None
    try:
        return tls.prepare(config.tls_cert, config.tls_key)
    except TLSFileError as error:
        raise ConfigError([str(error)]) from error
