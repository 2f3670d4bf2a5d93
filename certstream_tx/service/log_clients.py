"""The clients that logs are read by, as the configuration says, each at its operator's pace."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from certstream_tx.config import Config, ConfigError
from certstream_tx.ct.log_list import Log
from certstream_tx.events import logger
from certstream_tx.ingest.clients.hybrid import HybridClient
from certstream_tx.ingest.clients.issuers import IssuerCache
from certstream_tx.ingest.clients.log_client import LogClient
from certstream_tx.ingest.clients.rfc6962 import RFC6962Client
from certstream_tx.ingest.clients.static import StaticClient
from certstream_tx.ingest.http.fetch import Fetcher
from certstream_tx.ingest.http.http_client import LogHTTPClient, make_http_client
from certstream_tx.ingest.http.proxies import Proxies, ProxySettingError
from certstream_tx.ingest.pacing.pace import Pace, operator_interval, operator_key
from certstream_tx.ingest.poll_settings import PollSettings
from certstream_tx.ingest.turns import Turns
from certstream_tx.stats import LogStats

log = logger("certstream_tx")


class LogClients:
    """Makes the client of each log; all of them share connections, issuers and paces.

    :param environment: where proxies are named; without it none is used
    :raises ConfigError: what is named there is none
    """

    def __init__(
        self, config: Config, reactor: Any, environment: Mapping[str, str] | None = None
    ) -> None:
        self.config = config
        """by which clients are made from now on"""
        self._reactor = reactor
        proxies = _proxies(environment or {})
        self.http: LogHTTPClient = make_http_client(reactor, proxies=proxies)
        self.fetcher = Fetcher(
            self.http,
            reactor,
            config.user_agent,
            config.ct_log.request_timeout_secs,
            turns=Turns(reactor),
        )
        self.issuers = IssuerCache(reactor)
        self._paces: dict[str, Pace] = {}

    def client(self, followed: Log, stats: LogStats, partial_wait: float) -> LogClient:
        """The client that speaks the log's protocol; ``partial_wait``: see ``StaticClient``.

        Raises SignatureError when the log's key cannot be used.
        """
        depth = self.config.ct_log.fetch_concurrency
        common = (followed, self.fetcher, self._pace_of(followed), self._reactor, stats)
        calls = partial(RFC6962Client, *common, self.config.batch_size_of(followed.url), depth)
        if followed.kind == "rfc6962":
            return calls()
        tiles = StaticClient(*common, self.issuers, partial_wait, depth)
        return HybridClient(calls(), tiles) if followed.get_sth else tiles

    def _pace_of(self, followed: Log) -> Pace:
        """The pace shared by all logs of the operator; a log without one has its host's."""
        operator = followed.operator or followed.url.split("/")[2]
        key = operator_key(operator)
        if key not in self._paces:
            self._paces[key] = Pace(self._reactor, self._interval(key), operator)
        return self._paces[key]

    def pace_by(self, config: Config) -> None:
        """Ask every operator as fast as this configuration says, from now on."""
        self.config = config
        for key, pace in self._paces.items():
            pace.limit(self._interval(key))

    def _interval(self, key: str) -> float:
        """Seconds between two requests to an operator."""
        ct_log = self.config.ct_log
        limits = {operator_key(name): ms for name, ms in ct_log.operator_rate_limits.items()}
        if key in limits:
            return limits[key] / 1000
        return operator_interval(key, ct_log.default_operator_rate_limit_ms / 1000)


def _proxies(environment: Mapping[str, str]) -> Proxies:
    try:
        proxies = Proxies.of(environment)
    except ProxySettingError as error:
        raise ConfigError([str(error)]) from None
    for name in dict.fromkeys(proxy.name for proxy in proxies.by_scheme.values()):
        log.info("Logs are read through the proxy {name}", name=name)
    return proxies


def stats_of(followed: Log) -> LogStats:
    """The counters of a log that is to be read."""
    return LogStats(
        name=followed.name,
        url=followed.url,
        kind=followed.kind,
        operator=followed.operator,
        log_id=followed.log_id_base64,
        keyless=followed.key is None,
        unsigned_list=followed.unsigned,
    )


def poll_settings(config: Config, url: str) -> PollSettings:
    """How the log at this URL is polled."""
    ct_log = config.ct_log
    return PollSettings(
        poll_interval=config.poll_interval_ms_of(url) / 1000,
        retry_initial_delay=ct_log.retry_initial_delay_ms / 1000,
        retry_max_delay=ct_log.retry_max_delay_ms / 1000,
        retry_max_attempts=ct_log.retry_max_attempts,
        unhealthy_threshold=ct_log.unhealthy_threshold,
        healthy_threshold=ct_log.healthy_threshold,
        health_check_interval=ct_log.health_check_interval_secs,
        asked_for_by_name=any(own.url == url for own in config.own_logs),
        start_overlap_leaves=ct_log.start_overlap_leaves,
        on_inconsistency=ct_log.on_inconsistency,
        max_catchup_lag_entries=ct_log.max_catchup_lag_entries,
        max_catchup_lag_secs=ct_log.max_catchup_lag_secs,
    )
