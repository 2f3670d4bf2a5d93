"""The page for people who open the server in a browser."""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)


class LandingPage(NamedTuple):
    """The page, and the policy under which a browser shows it."""

    body: bytes
    policy: bytes


def landing_page() -> LandingPage:
    """Read the packaged page; only the very script and style inside it may run.

    What certificates contain is hostile text: should any of it ever get into the page as markup,
    the policy keeps it from running, loading or sending anything.
    """
    body = files("certstream_tx").joinpath("data/index.html").read_bytes()
    hashes: dict[bytes, list[bytes]] = {b"script": [], b"style": []}
    for kind, text in _INLINE.findall(body):
        hashes[kind].append(b"'sha256-" + b64encode(sha256(text).digest()) + b"'")
    policy = b"; ".join(
        (
            b"default-src 'none'",
            b"script-src " + b" ".join(hashes[b"script"]),
            b"style-src " + b" ".join(hashes[b"style"]),
            b"connect-src 'self'",
            b"base-uri 'none'",
            b"form-action 'none'",
            b"frame-ancestors 'none'",
        )
    )
    return LandingPage(body, policy)
