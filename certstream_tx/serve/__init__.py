"""Serving the streams: HTTP, WebSocket and what people and monitors ask for."""

import os

# Before autobahn is imported anywhere. Its native UTF-8 check brings a C parser along, 1.4 MB and
# 30 ms of each start, to validate what clients send, which is thrown away.
os.environ.setdefault("AUTOBAHN_USE_NVX", "0")
