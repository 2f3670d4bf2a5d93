"""``certstream-tx health``: a health check that needs no other program, as containers want one."""

import argparse
import http.client
import re
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from certstream_tx.command_line.configuration import in_force
from certstream_tx.command_line.failure import CommandError
from certstream_tx.config import Config

TIMEOUT = 5.0
"""seconds"""
MAX_ANSWER = 1024
"""bytes"""

_ENDPOINT = re.compile(r"(tcp6?|ssl|tls):(?:port=)?([0-9]{1,5})(?::|$)")
_INTERFACE = re.compile(r":interface=((?:[^:\\]|\\.)+)")
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (asked, not listened on)


def run(arguments: Sequence[str]) -> int:
    """Ask, and print the answer; 1 when it is another than 200, or none comes."""
    parser = argparse.ArgumentParser(
        "certstream-tx health",
        description="Ask the server that runs on this machine with this configuration whether it is"
        " well, and exit with 0 if it is, else with 1.",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="configuration file, as of twistd certstream"
    )
    parser.add_argument(
        "--ready", action="store_true", help="ask whether it has anything to stream (/ready)"
    )
    parser.add_argument("--url", help="ask there, whatever the configuration says")
    given = parser.parse_args(arguments)
    url = given.url or address(in_force(given.config))
    status, text = ask(url.rstrip("/") + ("/ready" if given.ready else "/health"))
    if status != http.client.OK:
        raise CommandError(f"{url}: {status} {text}")
    print(text)
    return 0


def address(config: Config) -> str:
    """The URL of the server's first port, seen from this machine. Raises CommandError."""
    if not config.protocols.health:
        raise CommandError("protocols.health is false: --url says whom to ask instead")
    if not config.listen:
        scheme = "https" if config.tls_cert else "http"
        return _url(scheme, config.host, config.port)
    for endpoint in config.listen:
        if found := _ENDPOINT.match(endpoint):
            interface = _INTERFACE.search(endpoint)
            host = re.sub(r"\\(.)", r"\1", interface.group(1)) if interface else ""
            scheme = "http" if found.group(1).startswith("tcp") else "https"
            return _url(scheme, host, int(found.group(2)))
    raise CommandError("listen names no port that can be asked: --url says whom to ask instead")


def _url(scheme: str, host: str, port: int) -> str:
    if port == 0:
        raise CommandError("the port is any that is free: --url says which it is")
    host = _ANY.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def ask(url: str) -> tuple[int, str]:
    """Status and begin of the answer. Raises CommandError when there is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(f"{url}: expected an http:// or https:// URL")
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
    else:
        # It is this machine's own server, asked by an address that no certificate names.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=TIMEOUT, context=context
        )
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        text = response.read(MAX_ANSWER).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(
            f"{url}: no answer: {getattr(error, 'strerror', None) or error}"
        ) from error
    finally:
        connection.close()
    return response.status, text
