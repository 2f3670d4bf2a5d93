"""Tokens that a request carries, taken out of it."""

from twisted.web.http import Request

from certstream_tx.serve.access.tokens import in_header, in_query, in_subprotocols

_SUBPROTOCOLS = b"Sec-WebSocket-Protocol"


def take_tokens(request: Request, header_name: bytes) -> tuple[bytes, ...]:
    """All that may be a token, from the header, the query and the subprotocols.

    What comes after this finds a request without them, so nothing can write one into a log, an
    error or an answer. A place that holds two tokens holds none.
    """
    headers = request.requestHeaders
    found = [in_header(headers.getRawHeaders(header_name, []))]
    headers.removeHeader(header_name)
    path, mark, query = request.uri.partition(b"?")
    if mark:
        token, rest = in_query(query)
        found.append(token)
        request.uri = path + b"?" + rest if rest else path
        request.args = {name: values for name, values in request.args.items() if name != b"token"}
    offered = headers.getRawHeaders(_SUBPROTOCOLS)
    if offered is not None:
        token, others = in_subprotocols(offered)
        found.append(token)
        headers.removeHeader(_SUBPROTOCOLS)
        if others:
            headers.setRawHeaders(_SUBPROTOCOLS, [b", ".join(others)])
    return tuple(token for token in found if token is not None)
