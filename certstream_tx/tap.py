"""Puts the server together: what ``twistd certstream`` runs. The only place that composes."""

from random import SystemRandom
from typing import Any

from twisted.application.service import IService

from certstream_tx.config import Config
from certstream_tx.ct.log_list import Log
from certstream_tx.events import logger, set_level
from certstream_tx.hub import Hub, Newest, Stream, filters
from certstream_tx.hub.broadcast import RING_SECONDS
from certstream_tx.hub.lag import LagBounds
from certstream_tx.ingest.http.name_lookup import NameLookup
from certstream_tx.ingest.lists.followed_logs import FollowedLogs
from certstream_tx.ingest.lists.leaving import read_out
from certstream_tx.ingest.lists.log_lists import LogLists
from certstream_tx.ingest.lists.log_selection import check_choice, check_own_logs
from certstream_tx.ingest.pacing.budget import Budget
from certstream_tx.ingest.polling.entry_reader import EntryReader
from certstream_tx.ingest.polling.poller import LogPoller
from certstream_tx.ingest.state.file_thread import FileThread
from certstream_tx.ingest.state.positions import Positions
from certstream_tx.message.documents import heartbeat
from certstream_tx.message.examples import EXAMPLES
from certstream_tx.serve.access.gate import Gate, most_waiting
from certstream_tx.serve.access.policy import Policy
from certstream_tx.serve.metrics.sources import Sources
from certstream_tx.serve.pages.reports import Reports
from certstream_tx.serve.ports.descriptors import Descriptors
from certstream_tx.serve.ports.invitation import Invitation
from certstream_tx.serve.ports.listening import LINES, Listening
from certstream_tx.serve.ports.tls_files import TLSFiles
from certstream_tx.serve.site import Surface, make_site
from certstream_tx.serve.wires.clients import Clients
from certstream_tx.serve.wires.slow_readers import SlowReaders
from certstream_tx.serve.wires.tcp import LineFactory
from certstream_tx.service.clock_jumps import ClockJumps
from certstream_tx.service.cycle_collection import CycleCollection
from certstream_tx.service.demonstration import Demonstration, OfflineFallback
from certstream_tx.service.live import ChosenLogs, live_parts
from certstream_tx.service.log_clients import LogClients, poll_settings, stats_of
from certstream_tx.service.log_output import QuietRepeats, choose_observer
from certstream_tx.service.options import Options
from certstream_tx.service.readiness import Readiness
from certstream_tx.service.reload import Reloading
from certstream_tx.service.server import Server
from certstream_tx.service.when_wanted import demo_logs, metrics_text
from certstream_tx.start_error import StartError
from certstream_tx.stats import LogStats, ReloadStats

__all__ = ["Options", "makeService"]

log = logger("certstream_tx")

DEMO_PARTIAL_WAIT = 1.0
"""seconds; the built-in static log takes half a minute to fill a tile, and waiting spares nobody"""


def makeService(options: Options, reactor: Any = None) -> IService:
    """The whole server as one service. What is wrong ends the program with one line."""
    if reactor is None:
        from twisted.internet import reactor
    config = options.config
    set_level(config.log_level)
    for warning in options.warnings:
        log.warn("{text}", text=warning)
    try:
        server = compose(options, reactor)
    except StartError as error:
        raise SystemExit(f"certstream: {error}") from error
    server.log_observer = choose_observer(options.parent, config.log_format, reactor)
    return server


def compose(options: Options, reactor: Any) -> Server:
    """The whole server. Raises StartError."""
    check_own_logs(options.config)
    return _Composition(options, options.config, reactor).server()


class _Composition:
    """The parts of one server and how they hang together."""

    def __init__(self, options: Options, config: Config, reactor: Any) -> None:
        self.options = options
        self.config = config
        self.reactor = reactor
        self.stats: dict[str, LogStats] = {}
        self.reloads = ReloadStats()
        self.rng = SystemRandom()
        self.files = FileThread(reactor)
        reactor.installNameResolver(NameLookup(reactor))

        self.hub = Hub(
            reactor,
            streams=_streams(config),
            ring_messages=config.buffer_size,
            ring_seconds=RING_SECONDS,
            newest=_newest(config),
            filters=filters(config.dedup),
        )
        self.clients = Clients(reactor, self.hub, heartbeat=heartbeat)
        self.slow_readers = SlowReaders(reactor, self.hub, LagBounds.of(config.lag))
        self.descriptors = Descriptors()
        self.gate = Gate(
            Policy.of(config), most_waiting=lambda: most_waiting(self.descriptors.capacity)
        )

        self.logs = LogClients(config, reactor, options.environment)
        self.reading = EntryReader(self.hub.publish, reactor)
        self.budget = Budget()
        self.positions = self.open_positions(None if options["demo"] else config.ct_log.state_file)
        self.followed = FollowedLogs(
            lambda each: self.make_poller(
                each, self.positions, config.ct_log.partial_tile_wait_secs
            ),
            lambda each: read_out(self.stats[each.state_key], reactor),
        )
        # Demonstration logs are other logs at each start: positions in them are worth nothing.
        nowhere = self.open_positions(None)
        self.demo_followed = FollowedLogs(
            lambda each: self.make_poller(each, nowhere, DEMO_PARTIAL_WAIT)
        )
        self.demonstration = Demonstration(
            lambda: demo_logs(reactor, options.demo_rate), self.demo_followed
        )
        self.tls = _tls_files(config, reactor)

    def server(self) -> Server:
        """All of it as one service."""
        config, reactor, options = self.config, self.reactor, self.options
        ports = self.ports()
        parts: list[IService] = [
            self.descriptors,
            *ports,
            Invitation(ports, sse=config.protocols.sse),
            self.clients,
            self.slow_readers,
            self.files,
            self.positions,
        ]
        if self.tls:
            parts.append(self.tls)
        lists, chosen = (None, None) if options["demo"] else self.listed_logs()
        if lists is None:
            parts.append(self.demonstration)
        else:
            parts += [lists, self.followed]
            if options["demo-if-offline"]:
                parts.append(
                    OfflineFallback(
                        reactor, self.any_log_answered, self.followed, self.demonstration
                    )
                )
        readiness = Readiness(options.environment, reactor)
        reloading = Reloading(
            reactor,
            options.load_again,
            config,
            live_parts(self.gate, self.slow_readers, self.logs, self.tls, chosen),
            self.reloads,
            path=options.config_path,
            always=[*([self.tls.reload] if self.tls else []), self.followed.try_gaps],
        )
        jumps = ClockJumps(reactor, [self.followed.try_gaps, self.demo_followed.try_gaps])
        return Server(
            reactor,
            [QuietRepeats(), jumps, reloading, *parts, CycleCollection(reactor), readiness],
            [
                ("readiness", readiness.stopService),
                *[(f"port {port.description}", port.stopService) for port in ports],
                ("log lists", lambda: None if lists is None else lists.stopService()),
                ("pollers", self.followed.stopService),
                ("demonstration", self.demonstration.stopService),
                ("flush", self.hub.flush),
                ("positions", self.positions.stopService),
                ("clients", self.clients.stopService),
                ("connections to logs", self.logs.http.close),
            ],
        )

    def open_positions(self, state_file: str | None) -> Positions:
        """What is known of each log; it is kept in this file. Raises StateFileError."""
        positions = Positions(state_file, self.reactor, self.files.run, self.hub.flush)
        positions.load()
        return positions

    def listed_logs(self) -> tuple[LogLists, ChosenLogs]:
        """The lists, and what the configuration chooses of them, which is followed already."""
        config = self.config
        if config.ct_log.contact is None and config.ct_log.user_agent is None:
            log.info(
                "Set ct_log.contact to an address of yours: some log operators serve readers"
                " that they cannot reach slowly, or not at all"
            )
        lists = LogLists(
            config,
            self.logs.fetcher,
            self.reactor,
            self.files.run,
            lambda _: chosen.follow(),
            self.rng,
        )
        chosen = ChosenLogs(lists, self.followed, self.use)
        lists.load()
        check_choice(lists.listed(), config)
        chosen.follow()
        return lists, chosen

    def use(self, config: Config) -> None:
        """Make what is made from now on by this configuration."""
        self.config = self.logs.config = config

    def ports(self) -> list[Listening]:
        """The ports to listen on: those of the site, and those of the raw TCP stream."""
        protocols = self.config.protocols
        sources = Sources(
            self.hub,
            self.clients,
            self.current_stats,
            self.reactor.seconds,
            self.gate,
            self.logs.issuers,
            reloads=self.reloads,
        )
        site = make_site(
            self.reactor,
            self.hub,
            self.clients,
            examples=EXAMPLES,
            metrics=metrics_text(sources),
            ready=self.any_log_answered,
            reports=Reports(sources),
            gate=self.gate,
            surface=Surface.of(protocols),
        )
        # Endpoint strings bring their own TLS.
        tls = None if self.config.listen else self.tls
        ports = [Listening(each, site, self.reactor, tls) for each in self.config.http_endpoints]
        if protocols.tcp:
            lines = LineFactory(self.reactor, self.clients, self.gate)
            tls = None if self.config.listen_tcp else self.tls
            for each in self.config.tcp_endpoints:
                ports.append(Listening(each, lines, self.reactor, tls, LINES))
        return ports

    def current_stats(self) -> list[LogStats]:
        """Those of the logs that are followed now."""
        return [
            self.stats[log.state_key]
            for each in (self.followed, self.demo_followed)
            for log in each.logs
        ]

    def any_log_answered(self) -> bool:
        """Whether at least one log has shown its head."""
        return any(stats.last_head_at is not None for stats in self.current_stats())

    def make_poller(self, followed: Log, positions: Positions, partial_wait: float) -> LogPoller:
        """The service that follows one log; ``partial_wait``: see ``StaticClient``."""
        stats = self.stats[followed.state_key] = stats_of(followed)
        return LogPoller(
            followed,
            self.logs.client(followed, stats, partial_wait),
            self.reading,
            positions,
            self.reactor,
            stats,
            poll_settings(self.config, followed.url),
            self.rng,
            self.budget,
        )


def _tls_files(config: Config, reactor: Any) -> TLSFiles | None:
    if config.tls_cert is None or config.tls_key is None or not config.tls_used:
        return None
    return TLSFiles(config.tls_cert, config.tls_key, reactor)


def _newest(config: Config) -> Newest:
    if not config.protocols.api:
        return Newest()
    return Newest(config.api.cache_capacity, indexed=True)


def _streams(config: Config) -> list[Stream]:
    switches = config.streams
    chosen = {
        Stream.FULL: switches.full,
        Stream.LITE: switches.lite,
        Stream.DOMAINS_ONLY: switches.domains_only,
    }
    return [stream for stream, on in chosen.items() if on]
