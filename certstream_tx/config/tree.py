"""The configuration: every key stands once, here or in the sections that are imported here.

A key has its kind and bounds, its default, its meaning and its other names; validation,
environment names, ``--check-config`` and the reference page are all made from that.
"""

# ruff: noqa: RUF009 (setting and section return fields, nothing is shared)

from dataclasses import dataclass
from pathlib import PurePath

from certstream_tx import __version__
from certstream_tx.config.keys import MAX_PORT, Record, section, setting
from certstream_tx.config.kinds import Choice, Integer, ListOf, Nullable
from certstream_tx.config.lists import AdditionalList, AdditionalListKind
from certstream_tx.config.logs import LIST_CACHE_FOLDER, Beside, CtLog, CustomLog, StaticLog
from certstream_tx.config.serving import (
    Api,
    Auth,
    ConnectionLimit,
    Dedup,
    HotReload,
    Lag,
    Protocols,
    RateLimit,
    Streams,
)
from certstream_tx.config.texts import Endpoint, Host, IPNetwork, Network, Path, Url

PROJECT_URL = "https://github.com/certstream-tx/certstream-tx"
CHROME_LIST_URL = "https://www.gstatic.com/ct/log_list/v3/log_list.json"
LISTEN_BACKLOG = 1024
"""connections that wait to be accepted: a stream's clients all come back at once"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration."""

    host: str = setting(Host(), "0.0.0.0", "address to listen on")  # noqa: S104 (a public server)
    port: int = setting(
        Integer(0, MAX_PORT), 8080, "port for WebSocket and HTTP; 0: one that is free"
    )
    listen: tuple[str, ...] = setting(
        ListOf(Endpoint(), "endpoint strings"),
        (),
        "Twisted endpoint strings to listen on instead of `host` and `port`",
    )
    listen_tcp: tuple[str, ...] = setting(
        ListOf(Endpoint(), "endpoint strings"),
        (),
        "the same for the raw TCP stream (`protocols.tcp`), instead of `host` and "
        "`protocols.tcp_port`",
    )
    tls_cert: str | None = setting(
        Nullable(Path()),
        None,
        "certificate chain (PEM file): TLS on `port` and `protocols.tcp_port`, not on endpoint "
        "strings, which name files of their own; read again when it changes",
    )
    tls_key: str | None = setting(
        Nullable(Path()), None, "its private key (PEM file, no password); read again as well"
    )
    log_level: str = setting(
        Choice("debug", "info", "warn", "error", synonyms={"trace": "debug", "warning": "warn"}),
        "info",
        "events of this level and above are told",
    )
    log_format: str | None = setting(
        Nullable(Choice("text", "json")),
        None,
        "how they are told: as text, or each as one line of JSON",
        default_text="text on a terminal, else json",
    )
    buffer_size: int = setting(
        Integer(1, 1_000_000),
        1000,
        "messages of a stream that are kept for clients which fall behind, at most 16 MiB; within "
        "that, whatever came in the last two seconds is kept, though there be more",
    )
    trusted_proxies: tuple[IPNetwork, ...] = setting(
        ListOf(Network(), "addresses or networks"),
        (),
        "proxies whose X-Forwarded-For is believed; a client's address is the last one in it that "
        "is no such proxy (over a Unix socket, always)",
    )
    ct_logs_url: str | None = setting(
        Nullable(Url()),
        CHROME_LIST_URL,
        "the list of logs, in Chrome's format (v3); its signature is looked for beside it, as "
        "`.sig` in place of `.json`; null: no list, only the logs named here",
    )
    additional_log_lists: tuple[AdditionalList, ...] = setting(
        ListOf(
            AdditionalListKind(),
            "lists, each a URL or `{url: URL, key: PEM file, signed: true or false}`",
        ),
        (),
        "further lists in the same format, whose logs are followed too; of a log that several "
        "name, the first one counts, and signed ones come first. Each is signed by `key` (null: "
        "Chrome's); `signed: false` (assumed of Apple's): only TLS vouches for it, and its logs "
        "are marked",
    )
    custom_logs: tuple[CustomLog, ...] = setting(
        ListOf(Record(CustomLog, "an RFC 6962 log"), "RFC 6962 logs"),
        (),
        "followed besides those of the list",
    )
    static_logs: tuple[StaticLog, ...] = setting(
        ListOf(Record(StaticLog, "a static-ct-api log"), "static-ct-api logs"),
        (),
        "followed besides those of the list",
    )
    protocols: Protocols = section(Protocols)
    streams: Streams = section(Streams)
    lag: Lag = section(Lag)
    ct_log: CtLog = section(CtLog)
    dedup: Dedup = section(Dedup)
    api: Api = section(Api)
    rate_limit: RateLimit = section(RateLimit)
    connection_limit: ConnectionLimit = section(ConnectionLimit)
    auth: Auth = section(Auth)
    hot_reload: HotReload = section(HotReload)

    @property
    def own_logs(self) -> tuple[CustomLog | StaticLog, ...]:
        """The logs that are named here."""
        return (*self.custom_logs, *self.static_logs)

    @property
    def http_endpoints(self) -> tuple[str, ...]:
        """Endpoint strings of the HTTP port."""
        return self.listen or (self._short_form(self.port),)

    @property
    def tcp_endpoints(self) -> tuple[str, ...]:
        """Endpoint strings of the raw TCP stream, whether it is on or not."""
        return self.listen_tcp or (self._short_form(self.tcp_port),)

    @property
    def tls_used(self) -> bool:
        """Whether there is a port for `tls_cert` and `tls_key`: one that no endpoint string is."""
        given = self.tls_cert is not None and self.tls_key is not None
        return given and not (self.listen and (self.listen_tcp or not self.protocols.tcp))

    @property
    def tcp_port(self) -> int:
        """The raw TCP stream's port: the next one, unless it is given."""
        if self.protocols.tcp_port is not None:
            return self.protocols.tcp_port
        return self.port + 1 if self.port else 0

    @property
    def list_cache(self) -> str | None:
        """Folder of the newest good list; None: it is not kept."""
        if not isinstance(self.ct_log.list_cache, Beside):
            return self.ct_log.list_cache
        if self.ct_log.state_file is None:
            return None
        return str(PurePath(self.ct_log.state_file).parent / LIST_CACHE_FOLDER)

    @property
    def user_agent(self) -> str:
        """What this server calls itself before the logs."""
        contact = self.ct_log.contact or PROJECT_URL
        return self.ct_log.user_agent or f"certstream-tx/{__version__} ({contact})"

    def batch_size_of(self, url: str) -> int:
        """``ct_log.batch_size``, unless the log with this URL has one of its own."""
        own = self._custom(url)
        return (isinstance(own, CustomLog) and own.batch_size) or self.ct_log.batch_size

    def poll_interval_ms_of(self, url: str) -> int:
        """``ct_log.poll_interval_ms``, unless the log with this URL has one of its own."""
        own = self._custom(url)
        return (own and own.poll_interval_ms) or self.ct_log.poll_interval_ms

    def derived(self) -> dict[str, object]:
        """Path to value, of the keys whose default follows from others and was not replaced."""
        values: dict[str, object] = {
            "protocols.tcp_port": self.tcp_port,
            "ct_log.list_cache": self.list_cache,
            "ct_log.user_agent": self.user_agent,
        }
        return values

    def _short_form(self, port: int) -> str:
        # A colon separates the parts of an endpoint string; those of an IPv6 address are escaped.
        host = self.host.replace(":", "\\:")
        return f"tcp:{port}:interface={host}:backlog={LISTEN_BACKLOG}"

    def _custom(self, url: str) -> CustomLog | StaticLog | None:
        for own in self.own_logs:
            if own.url == url:
                return own
        return None
