"""What no single key can say: values that contradict each other."""

import hashlib
from collections.abc import Container, Iterator

from certstream_tx.config.keys import MAX_PORT
from certstream_tx.config.kind import shown
from certstream_tx.config.texts import brings_tls
from certstream_tx.config.tree import Config


def contradictions(config: Config) -> Iterator[str]:
    """One line for each, naming the key."""
    ct_log = config.ct_log
    if ct_log.retry_initial_delay_ms > ct_log.retry_max_delay_ms:
        yield (
            "ct_log.retry_initial_delay_ms: expected at most ct_log.retry_max_delay_ms "
            f"({ct_log.retry_max_delay_ms}), got {ct_log.retry_initial_delay_ms}"
        )
    if (config.tls_cert is None) != (config.tls_key is None):
        given, missing = ("tls_cert", "tls_key") if config.tls_cert else ("tls_key", "tls_cert")
        yield f"{missing}: expected a path, because {given} is set, got nothing"
    if config.tls_cert and config.tls_key and not config.tls_used:
        used = (*config.listen, *(config.listen_tcp if config.protocols.tcp else ()))
        if plain := next((each for each in used if not brings_tls(each)), None):
            # A server that was given a certificate is not meant to talk, of tokens too, in clear.
            yield (
                f"tls_cert: no port would use it, and {shown(plain)} would be without TLS, because "
                "listen takes the place of port. Name the files there "
                "(ssl:8443:privateKey=...:certKey=...) or leave listen out; or leave out tls_cert "
                "and tls_key, if TLS is spoken by a proxy before the server"
            )
    if config.auth.enabled and not config.auth.tokens:
        yield "auth.tokens: expected at least one token, because auth.enabled is true, got none"
    if config.protocols.tcp and not config.listen_tcp and config.tcp_port > MAX_PORT:
        yield f"protocols.tcp_port: expected a port, because port + 1 is {config.tcp_port}"
    if not (config.ct_logs_url or config.additional_log_lists or config.own_logs):
        yield (
            "ct_logs_url: expected a URL, because no log is named by custom_logs or static_logs, "
            "nor a list by additional_log_lists, got null"
        )
    if not (ct_log.rfc6962_enabled or ct_log.static_ct_enabled or config.own_logs):
        yield (
            "ct_log.rfc6962_enabled: expected true, because ct_log.static_ct_enabled is false "
            "and neither custom_logs nor static_logs names a log, got false"
        )
    yield from _doubled_lists(config)
    yield from _doubled_logs(config)


def overridden(config: Config, given: Container[str]) -> Iterator[str]:
    """One line for each of the keys ``given`` that changes nothing, because another one counts."""
    if config.listen:
        for key in ("host", "port"):
            if key in given:
                yield f"{key}: not where WebSocket and HTTP are, because listen is given"
    if config.listen_tcp and "protocols.tcp_port" in given:
        yield "protocols.tcp_port: not where the lines are, because listen_tcp is given"
    if config.tls_cert and config.listen:
        yield "tls_cert, tls_key: they are for port, and change nothing about listen"
    if config.tls_cert and config.listen_tcp and config.protocols.tcp:
        yield "tls_cert, tls_key: they are for port, and change nothing about listen_tcp"


def _doubled_lists(config: Config) -> Iterator[str]:
    """Two lists of one URL would share what is kept of them on disk."""
    urls = {config.ct_logs_url: "ct_logs_url"}
    for i, each in enumerate(config.additional_log_lists):
        where = f"additional_log_lists[{i}]"
        if urls.setdefault(each.url, where) != where:
            yield f"{where}.url: expected a list of its own, got that of {urls[each.url]}"


def _doubled_logs(config: Config) -> Iterator[str]:
    """Two logs of one URL or key would move the same saved position."""
    urls: dict[str, str] = {}
    ids: dict[bytes, str] = {}
    custom, static = len(config.custom_logs), len(config.static_logs)
    places = [f"custom_logs[{i}]" for i in range(custom)]
    places += [f"static_logs[{i}]" for i in range(static)]
    for where, own in zip(places, config.own_logs, strict=True):
        if urls.setdefault(own.url, where) != where:
            yield f"{where}.url: expected a log of its own, got that of {urls[own.url]}"
        log_id = hashlib.sha256(own.key).digest() if own.key else own.expected_log_id
        if own.key and own.expected_log_id not in (None, log_id):
            yield f"{where}.expected_log_id: expected the SHA-256 of its key, got another"
        if log_id and ids.setdefault(log_id, where) != where:
            yield f"{where}.key: expected a log of its own, got the key of {ids[log_id]}"
