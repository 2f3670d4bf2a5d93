"""A demonstration log asked over HTTP, without a socket."""

from typing import Any
from urllib.parse import urlencode

import treq
from treq.testing import RequestTraversalAgent
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource

from certstream_tx.demo.log import DemoLog, Kind

NOW = 1_700_000_000


def demo_log(kind: Kind, size: int) -> DemoLog:
    """A log that stands still at a size."""
    clock = Clock()
    clock.advance(NOW)
    log = DemoLog(kind, seed=b"seed", clock=clock)
    if size:
        log.add(size)
    return log


class Response:
    """A whole answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def ask(
    case: SynchronousTestCase,
    resource: Resource,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    **parameters: Any,
) -> Response:
    """Make one request of a resource."""
    url = f"http://demo.test/{path}" + (f"?{urlencode(parameters)}" if parameters else "")
    agent = RequestTraversalAgent(resource)
    asked = Headers({name: [value] for name, value in (headers or {}).items()})
    response = case.successResultOf(agent.request(method.encode(), url.encode(), asked))
    found = {
        name.decode().lower(): b",".join(values).decode()
        for name, values in response.headers.getAllRawHeaders()
    }
    return Response(response.code, found, case.successResultOf(treq.content(response)))
