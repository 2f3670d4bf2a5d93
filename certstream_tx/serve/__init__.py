"""Serving the streams: HTTP, WebSocket and what people and monitors ask for."""
