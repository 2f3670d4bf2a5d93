"""TLS: how many megabytes a second one core encrypts, beside the same without TLS.

More is asked for than can be had, so that the server has something to do all the time; its clients
are this process. What counts is bytes by the server's own time on the processor.
"""

import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fanout import GROWTH, machine
from benchmarks.processes import (
    LISTEN,
    Running,
    folder,
    follow,
    listening_port,
    log_command,
    running,
    server_command,
)
from tests.serve.certificates import make_pair

CLIENTS = 200
RATE = 1000
"""messages a second"""
SECONDS = 8.0
WARMUP = 3.0
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def visitors(port: int, context: ssl.SSLContext | None) -> list[socket.socket]:
    """Clients, connected."""
    clients = []
    for _ in range(CLIENTS):
        client = socket.create_connection(("127.0.0.1", port))
        if context is not None:
            client = context.wrap_socket(client)
        client.sendall(REQUEST)
        client.setblocking(False)
        clients.append(client)
    return clients


def read(clients: Sequence[socket.socket], server: Running) -> tuple[float, float]:
    """Megabytes a second that arrive, and cores that the server takes for it."""
    room = memoryview(bytearray(1 << 18))
    received, since, cpu = 0, 0.0, 0.0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + WARMUP + SECONDS:
            if not since and now >= begun + WARMUP:
                received, since, cpu = 0, now, server.cpu_seconds()
            for key, _ in selector.select(0.05):
                received += read_all(key.fileobj, room)  # type: ignore[arg-type]
    elapsed = time.monotonic() - since
    return received / elapsed / 1e6, (server.cpu_seconds() - cpu) / elapsed


def read_all(client: socket.socket, room: memoryview) -> int:
    """Read what is there; what TLS has decrypted already would not be seen by `select`."""
    count = 0
    try:
        while got := client.recv_into(room):
            count += got
            if not isinstance(client, ssl.SSLSocket) or not client.pending():
                break
    except (BlockingIOError, ssl.SSLWantReadError):
        pass
    return count


def measure(place: Path, encrypted: bool) -> tuple[float, float]:
    """Megabytes a second, cores."""
    place.mkdir()
    listen, context = LISTEN, None
    if encrypted:
        pair = make_pair("localhost")
        (place / "pair.pem").write_bytes(pair.key_pem() + pair.pem)
        listen = f"ssl:0:interface=127.0.0.1:privateKey={place}/pair.pem"
        context = ssl.create_default_context(cadata=pair.pem.decode())
        context.check_hostname = False
    with running(log_command("--rate", str(RATE), *GROWTH), place, "log") as log:
        config = follow(place, log, {"ct_log": {"poll_interval_ms": 20}})
        command = server_command("--config", str(config), listen=listen)
        with running(command, place, "server") as server:
            clients = visitors(listening_port(server), context)
            try:
                return read(clients, server)
            finally:
                for client in clients:
                    client.close()


def main() -> None:
    """Print the table."""
    print(f"{machine()}; {CLIENTS} clients x {RATE} messages/s\n")
    print("| connection | MB/s | cores | MB/s a core |")
    print("|---|---|---|---|")
    with folder() as place:
        for name, encrypted in (("plain", False), ("TLS 1.3", True)):
            megabytes, cores = measure(place / name, encrypted)
            print(f"| {name} | {megabytes:,.0f} | {cores:.2f} | {megabytes / cores:,.0f} |")


if __name__ == "__main__":
    main()
