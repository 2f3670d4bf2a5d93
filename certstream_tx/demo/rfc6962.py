"""The RFC 6962 face of a demonstration log: the calls of section 4 that read.

Ranges are cut, and bad parameters refused, as CTFE does, which most public logs of this kind run.
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Final

from twisted.web.http import BAD_REQUEST, NOT_FOUND
from twisted.web.resource import Resource
from twisted.web.server import Request

from certstream_tx.demo.answers import (
    FRESH,
    IMMUTABLE,
    Answer,
    Call,
    Folder,
    Refusal,
    nothing_below,
    number,
)
from certstream_tx.demo.log import DemoLog

MAX_ENTRIES: Final = 256
"""entries in one answer, as most public logs have it (CTFE alone would give 1000)"""
JSON: Final = b"application/json"


def rfc6962(log: DemoLog, *, max_entries: int = MAX_ENTRIES, align: bool = True) -> Resource:
    """The tree of resources below the URL of a log: ``ct/v1/get-sth`` and so on.

    ``align``: requests for ``max_entries`` or more end on a multiple of ``max_entries``.
    """
    calls = _Calls(log, max_entries, align)
    version = Folder()
    for name, call in (
        (b"get-sth", calls.get_sth),
        (b"get-entries", calls.get_entries),
        (b"get-sth-consistency", calls.get_sth_consistency),
        (b"get-proof-by-hash", calls.get_proof_by_hash),
        (b"get-entry-and-proof", calls.get_entry_and_proof),
        (b"get-roots", calls.get_roots),
    ):
        version.putChild(name, Call(call))
    ct, top = Folder(), Folder()
    ct.putChild(b"v1", version)
    top.putChild(b"ct", ct)
    return top


class _Calls:
    """The calls, each with the section of RFC 6962 that defines it."""

    def __init__(self, log: DemoLog, max_entries: int, align: bool) -> None:
        self._log = log
        self._max_entries = max_entries
        self._align = align

    def get_sth(self, request: Request) -> Answer:
        """4.3"""
        nothing_below(request)
        head = self._log.head()
        return _json(
            {
                "tree_size": head.size,
                "timestamp": head.timestamp,
                "sha256_root_hash": _base64(head.root),
                "tree_head_signature": _base64(head.signature),
            },
            FRESH,
        )

    def get_sth_consistency(self, request: Request) -> Answer:
        """4.4; empty from size 0, of which nothing can be proven"""
        nothing_below(request)
        first, second = number(request, "first"), number(request, "second")
        if first > second:
            raise Refusal(BAD_REQUEST, f"first ({first}) is larger than second ({second})")
        self._need(second, BAD_REQUEST)
        return _json({"consistency": _hashes(self._log.tree.consistency(first, second))})

    def get_proof_by_hash(self, request: Request) -> Answer:
        """4.5"""
        nothing_below(request)
        try:
            leaf = b64decode(request.args.get(b"hash", [b""])[0], validate=True)
        except binascii.Error:
            leaf = b""
        if not leaf:
            raise Refusal(BAD_REQUEST, "the parameter hash is missing or not base64")
        size = number(request, "tree_size", least=1)
        self._need(size, NOT_FOUND)
        index = self._log.tree.index_of(leaf, size)
        if index is None:
            raise Refusal(NOT_FOUND, f"no entry with this hash among the first {size}")
        path = self._log.tree.inclusion(index, size)
        return _json({"leaf_index": index, "audit_path": _hashes(path)})

    def get_entries(self, request: Request) -> Answer:
        """4.6; a range that begins in the tree and ends after it gives what is there"""
        nothing_below(request)
        start, end = number(request, "start"), number(request, "end") + 1
        if start >= end:
            raise Refusal(BAD_REQUEST, f"start ({start}) is larger than end ({end - 1})")
        self._need(start + 1, BAD_REQUEST)
        if end - start >= self._max_entries:
            end = start + self._max_entries
            if self._align:
                end -= end % self._max_entries
        page = self._log.entries.page(start, min(end, self._log.tree.size))
        # A range cut short at the end of the tree is answered otherwise when the tree has grown.
        return Answer(page, JSON, IMMUTABLE if end <= self._log.tree.size else FRESH)

    def get_roots(self, request: Request) -> Answer:
        """4.7"""
        nothing_below(request)
        return _json({"certificates": _hashes(self._log.entries.roots)})

    def get_entry_and_proof(self, request: Request) -> Answer:
        """4.8"""
        nothing_below(request)
        index, size = number(request, "leaf_index"), number(request, "tree_size", least=1)
        if index >= size:
            raise Refusal(BAD_REQUEST, f"there is no entry {index} in a tree of {size}")
        self._need(size, BAD_REQUEST)
        return _json(
            {
                "leaf_input": _base64(self._log.entries.leaf_input(index)),
                "extra_data": _base64(self._log.entries.extra_data(index)),
                "audit_path": _hashes(self._log.tree.inclusion(index, size)),
            }
        )

    def _need(self, size: int, status: int) -> None:
        """Refuse what the tree has not reached; CTFE differs in the status from call to call."""
        if size > self._log.tree.size:
            raise Refusal(status, f"this needs {size} entries, the tree has {self._log.tree.size}")


def _json(document: dict[str, object], cache: bytes = IMMUTABLE) -> Answer:
    return Answer(json.dumps(document, separators=(",", ":")).encode(), JSON, cache)


def _hashes(values: Iterable[bytes]) -> list[str]:
    return [_base64(value) for value in values]


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
