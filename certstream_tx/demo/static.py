"""The static-ct-api face of a demonstration log: checkpoint, tiles, issuers, made on demand."""

import gzip
import re
from hashlib import sha256
from typing import Final

from twisted.web.http import NOT_FOUND
from twisted.web.resource import Resource
from twisted.web.server import Request

from certstream_tx.ct.checkpoint import head_signature, write_checkpoint
from certstream_tx.ct.tiles import TILE_WIDTH, tile_path
from certstream_tx.demo.answers import (
    FRESH,
    IMMUTABLE,
    Answer,
    Call,
    Folder,
    Refusal,
    below,
    nothing_below,
)
from certstream_tx.demo.log import ORIGIN, DemoLog
from certstream_tx.demo.tree import TreeError

TILE: Final = re.compile(r"tile/(data|[0-5])/((?:x\d{3}/){0,4}\d{3})(?:\.p/(\d{1,3}))?", re.ASCII)
GZIP: Final = re.compile(rb"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?![.\d]))", re.I)
"""accepted in Accept-Encoding, unless its weight is zero"""
GZIP_LEVEL: Final = 1
"""3 ms a tile; more of it would save 5 %"""
TEXT: Final = b"text/plain; charset=utf-8"
OCTETS: Final = b"application/octet-stream"
CERTIFICATE: Final = b"application/pkix-cert"


def static(log: DemoLog) -> Resource:
    """The tree of resources below the monitoring URL of a log."""
    files = _Files(log)
    top = Folder()
    top.putChild(b"checkpoint", Call(files.checkpoint))
    top.putChild(b"tile", Call(files.tile))
    top.putChild(b"issuer", Call(files.issuer))
    return top


class _Files:
    """What a static log would have as files."""

    def __init__(self, log: DemoLog) -> None:
        self._log = log
        # One line by a key that nobody knows: readers have to pass over such lines.
        self._grease = ("grease.invalid", log.log_id[:4], sha256(log.log_id).digest())

    def checkpoint(self, request: Request) -> Answer:
        """The newest head as a signed note."""
        nothing_below(request)
        head = self._log.head()
        lines = (self._grease, head_signature(ORIGIN, self._log.log_id, head))
        return Answer(write_checkpoint(ORIGIN, head.size, head.root, lines), TEXT, FRESH)

    def tile(self, request: Request) -> Answer:
        """A tile of hashes or of entries, full or partial; any width the tree has gone past."""
        path = f"tile/{below(request)}"
        found = TILE.fullmatch(path)
        if not found:
            raise Refusal(NOT_FOUND, "no tile has such a path")
        level, place, partial = found.groups()
        n = int(place.replace("x", "").replace("/", ""))
        width = int(partial) if partial else TILE_WIDTH
        if not 1 <= width <= TILE_WIDTH or path != tile_path(
            "data" if level == "data" else int(level), n, width
        ):
            raise Refusal(NOT_FOUND, "no tile has such a path")
        tree, entries = self._log.tree, self._log.entries
        try:
            if level != "data":
                return Answer(tree.hash_tile(int(level), n, width), OCTETS, IMMUTABLE)
            leaves = entries.data_tile(*tree.tile_range(0, n, width))
        except TreeError as error:
            raise Refusal(NOT_FOUND, str(error)) from None
        accepted = b",".join(request.requestHeaders.getRawHeaders(b"accept-encoding", []))
        if GZIP.search(accepted):
            packed = gzip.compress(leaves, GZIP_LEVEL, mtime=0)
            return Answer(packed, OCTETS, IMMUTABLE, b"gzip")
        return Answer(leaves, OCTETS, IMMUTABLE)

    def issuer(self, request: Request) -> Answer:
        """A certificate of a chain, by its fingerprint."""
        der = self._log.entries.issuers.get(below(request))
        if der is None:
            raise Refusal(NOT_FOUND, "no certificate with this fingerprint")
        return Answer(der, CERTIFICATE, IMMUTABLE)
