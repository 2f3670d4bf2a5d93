"""Configurations of certstream-server-go: other names for much the same, and some things less."""

from typing import Any, NamedTuple

from certstream_tx.command_line.imported import Imported
from certstream_tx.config.kind import place

SERVER = "certstream-server-go"
SECTIONS = ("webserver", "prometheus", "general")
INDEX_FILE = "./ct_index.json"
"""where it keeps its positions, when it is told to keep them and not where"""
CLIENT_BUFFER = 300
"""messages, its own default"""

_ADDRESSES = {"full_url": "/full-stream", "lite_url": "/", "domains_only_url": "/domains-only"}
_SERVER_KEYS = {
    *("listen_addr", "listen_port", "cert_path", "cert_key_path"),
    *("real_ip", "trusted_proxies", "whitelist"),
}
KNOWN = {
    "webserver": {*_SERVER_KEYS, *_ADDRESSES, "compression_enabled"},
    "prometheus": {*_SERVER_KEYS, "enabled", "metrics_url", "expose_system_metrics"},
    "general": {
        *("disable_default_logs", "additional_logs", "additional_tiled_logs", "excluded_logs"),
        *("buffer_sizes", "drop_old_logs", "recovery"),
    },
}


def belongs(document: dict[str, object]) -> bool:
    """Whether this can be such a configuration."""
    return any(name.lower() in SECTIONS for name in document)


def translate(document: dict[str, object]) -> Imported:
    """Ours of it, with a line for everything that has no equal."""
    imported = Imported(SERVER)
    lowered = _lowered(document)
    sections: dict[str, dict[str, Any]] = {}
    for name in SECTIONS:
        found = lowered.pop(name, None) or {}
        if not isinstance(found, dict):
            imported.decisions.append(f"{name}: expected a mapping of keys, left out")
            found = {}
        for key in sorted(found.keys() - KNOWN[name]):
            imported.decisions.append(f"{name}.{place(key)}: unknown here, left out")
        sections[name] = found
    for name in lowered:
        if name in ("streamprocessing", "stream_processing"):
            imported.decisions.append(f"{name}: there is no output to Kafka or NSQ, left out")
        else:
            imported.decisions.append(f"{place(name)}: unknown here, left out")
    _webserver(imported, sections["webserver"])
    _prometheus(imported, sections["prometheus"], sections["webserver"])
    _general(imported, sections["general"])
    return imported


def _lowered(value: Any) -> Any:
    """With all keys in lower case: that server does not mind how they are written."""
    if isinstance(value, dict):
        return {str(name).lower(): _lowered(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_lowered(one) for one in value]
    return value


def _webserver(imported: Imported, given: dict[str, Any]) -> None:
    values = imported.values
    if given.get("listen_addr"):
        values["host"] = given["listen_addr"]
    if "listen_port" in given:
        values["port"] = _number(given["listen_port"])
    for theirs, ours in (("cert_path", "tls_cert"), ("cert_key_path", "tls_key")):
        if given.get(theirs):
            values[ours] = given[theirs]
    for key, usual in _ADDRESSES.items():
        if (path := given.get(key) or usual) != usual:
            imported.decisions.append(
                f"webserver.{key}: that stream is at {usual} here, not at {place(str(path))}:"
                " change it in the clients, or rewrite it in a proxy"
            )
    if given.get("whitelist"):
        imported.decisions.append(
            "webserver.whitelist: addresses cannot be allowed one by one here: use a firewall, a"
            " proxy, or auth.tokens"
        )
    if given.get("real_ip") is True:
        if given.get("trusted_proxies"):
            values["trusted_proxies"] = given["trusted_proxies"]
        else:
            imported.decisions.append(
                "webserver.real_ip: what a client says of its own address is not believed here:"
                " name your proxies in trusted_proxies"
            )
    if given.get("compression_enabled") is not True:
        imported.notes.append(
            "webserver.compression_enabled: off there, but here every client that offers"
            " compression gets it"
        )


def _prometheus(imported: Imported, given: dict[str, Any], webserver: dict[str, Any]) -> None:
    if given.get("enabled") is not True:
        imported.values["protocols.metrics"] = False
        return
    imported.values["protocols.metrics"] = True
    if (path := given.get("metrics_url") or "/metrics") != "/metrics":
        imported.decisions.append(
            f"prometheus.metrics_url: metrics are at /metrics, not at {place(str(path))}"
        )
    for key in ("listen_addr", "listen_port"):
        theirs = _number(given.get(key))
        if key in given and theirs != _number(webserver.get(key, theirs)):
            imported.decisions.append(
                f"prometheus.{key}: metrics are on the port of the streams here: keep strangers"
                " off /metrics in a proxy, or set protocols.metrics to false"
            )
            break
    if given.get("whitelist"):
        imported.decisions.append(
            "prometheus.whitelist: whoever reaches the port may read /metrics here: restrict it"
            " in a proxy, or set protocols.metrics to false"
        )


def _general(imported: Imported, given: dict[str, Any]) -> None:
    values = imported.values
    if given.get("disable_default_logs") is True:
        values["ct_logs_url"] = None
    for theirs, ours in (
        ("additional_logs", "custom_logs"),
        ("additional_tiled_logs", "static_logs"),
    ):
        if given.get(theirs):
            values[ours] = [_own_log(one) for one in _list(given[theirs])]
    _excluded(imported, _list(given.get("excluded_logs")))
    if given.get("drop_old_logs") is False:
        imported.decisions.append(
            "general.drop_old_logs: a log that leaves the list is not followed here any longer:"
            " name it in custom_logs or static_logs to keep it"
        )
    sizes = given.get("buffer_sizes")
    if isinstance(sizes, dict):
        own = _number(sizes.pop("websocket", CLIENT_BUFFER))
        if own != CLIENT_BUFFER:
            values["buffer_size"] = own
        if sizes:
            imported.notes.append(
                f"general.buffer_sizes: {', '.join(map(place, sizes))}: there are no such buffers"
                " here, left out"
            )
    recovery = given.get("recovery")
    if isinstance(recovery, dict) and recovery.get("enabled") is True:
        values["ct_log.state_file"] = recovery.get("ct_index_file") or INDEX_FILE
        imported.notes.append(
            "general.recovery.ct_index_file: its positions are taken over at the first start, and"
            " the file is kept with .before-import at its end"
        )
    else:
        imported.notes.append(
            "general.recovery: positions are always kept here, in certstream_state.json where the"
            " server is started, unless ct_log.state_file says otherwise"
        )


def _excluded(imported: Imported, given: list[Any]) -> None:
    operators, logs = [], []
    for one in given:
        if not isinstance(one, dict):
            imported.decisions.append(
                "general.excluded_logs: an entry that is no mapping, left out"
            )
        elif one.get("url"):
            logs.append(one["url"])
            if one.get("operator"):
                imported.notes.append(
                    f"general.excluded_logs: {place(str(one['url']))}: excluded by its URL, not"
                    " with all logs of the operator that stands beside it"
                )
        elif one.get("operator"):
            operators.append(one["operator"])
    if operators:
        imported.values["ct_log.excluded_operators"] = operators
    if logs:
        imported.values["ct_log.excluded_logs"] = logs


class _Log(NamedTuple):
    """What it says of a log."""

    url: Any
    description: Any
    operator: Any


def _own_log(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    log = _Log(given.get("url"), given.get("description"), given.get("operator"))
    url = f"https://{log.url}" if log.url and "://" not in str(log.url) else log.url
    ours: dict[str, object] = {"name": log.description or str(url).partition("://")[2], "url": url}
    if log.operator:
        ours["operator"] = log.operator
    return ours


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> Any:
    """A number, also one in quotes; anything else as it is, to be refused with its name."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
