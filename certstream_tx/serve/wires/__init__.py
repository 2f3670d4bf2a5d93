"""What speaks with clients: WebSocket, server-sent events, lines over TCP."""
