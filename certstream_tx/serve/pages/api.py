"""The pages for programs below ``/api/``."""

from twisted.web.resource import Resource
from twisted.web.server import Request

from certstream_tx.serve.answers import Node, Page
from certstream_tx.serve.pages.reports import Reports


class CertificateNode(Node):
    """``/api/cert/``: a certificate by its hash."""

    def __init__(self, reports: Reports) -> None:
        super().__init__()
        self._reports = reports

    def getChild(self, path: bytes, request: Request) -> Resource:
        """The page of one certificate; what is no hash has none."""
        text = path.decode("ascii", "replace")
        return Page(lambda: self._reports.certificate(text), cors=True)


def api_node(reports: Reports) -> Node:
    """``/api`` with all that is below it."""
    node = Node()
    node.putChild(b"stats", Page(reports.stats, cors=True))
    node.putChild(b"logs", Page(reports.logs, cors=True))
    node.putChild(b"cert", CertificateNode(reports))
    return node
