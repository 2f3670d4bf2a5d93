"""Compressed streams from a real server: clients people have read on from where they came."""

import asyncio
import http.client
import json
import shutil
import subprocess
import zlib
from typing import Any

import websockets
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server_process import BIN, ServerProcess, clean_environment

NODE = shutil.which("node")
NODE_MODULES = BIN.parent / "node" / "node_modules"
TIMEOUT = 30
"""seconds for a client to get what it waits for"""
COUNT = 100
RATE = 400


class Indexes:
    """What a client got: of each log, one index after the other."""

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.count = 0

    def add(self, message: dict[str, Any]) -> None:
        """AssertionError unless it is the next of its log."""
        if message["message_type"] == "certificate_update":
            url, index = message["data"]["source"]["url"], message["data"]["cert_index"]
            assert index == self.newest.get(url, index - 1) + 1, (url, index, self.newest)
            self.newest[url] = index
            self.count += 1


class CompressionTests(SynchronousTestCase):
    """One server that follows the demonstration logs, for clients that come one after the other."""

    def test_clients(self) -> None:
        """Each, on one server: starting one takes longer than all of them."""
        self.server = ServerProcess(
            "--demo",
            "--demo-rate",
            str(RATE),
            environment=clean_environment(CERTSTREAM_SSE_ENABLED="true"),
        )
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.check_python()
        self.check_events()
        self.check_javascript()

    def check_python(self) -> None:
        """``websockets``, which offers compression by itself, beside one that does not."""

        async def receive(delay: float, path: str, **options: Any) -> list[str]:
            await asyncio.sleep(delay)
            indexes = Indexes()
            async with websockets.connect(self.server.ws + path, **options) as client:
                while indexes.count < COUNT:
                    text = await asyncio.wait_for(client.recv(), TIMEOUT)
                    assert isinstance(text, str)
                    indexes.add(json.loads(text))
                # It would wait for an answer that stands behind messages which nobody reads.
                client.transport.abort()
                return [extension.name for extension in client.protocol.extensions]

        async def all_of_them() -> list[list[str]]:
            return await asyncio.gather(
                *(receive(0.1 * i, path) for i, path in enumerate(("/", "/", "/full-stream", "/"))),
                receive(0.05, "/", compression=None),
            )

        *compressed, plain = asyncio.run(all_of_them())
        self.assertEqual(compressed, [["permessage-deflate"]] * 4)
        self.assertEqual(plain, [])

    def check_events(self) -> None:
        """An event stream as gzip, each event there when its bytes are."""
        for _ in range(2):
            site = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT)
            site.request("GET", "/sse", headers={"Accept-Encoding": "gzip, deflate"})
            answer = site.getresponse()
            self.assertEqual(answer.getheader("Content-Encoding"), "gzip")
            inflator = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            indexes, text, received = Indexes(), b"", 0
            while indexes.count < COUNT:
                data = answer.read1(65536)
                received += len(data)
                *events, text = (text + inflator.decompress(data)).split(b"\n\n")
                for event in events:
                    if event.startswith(b"id: "):
                        indexes.add(json.loads(event.partition(b"\ndata: ")[2]))
            self.assertLess(received, 700 * indexes.count)
            site.close()

    def check_javascript(self) -> None:
        """``ws`` and the WebSocket of node, which is a browser's."""
        if NODE is None:
            return
        script = """
const Socket = process.argv[2] ? require(process.argv[2]) : WebSocket;
const socket = new Socket(process.argv[1]);
const newest = {};
let count = 0;
socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.message_type === 'heartbeat') return;
    const { source, cert_index } = message.data;
    if (source.url in newest && cert_index !== newest[source.url] + 1) process.exit(3);
    newest[source.url] = cert_index;
    if (++count === %d) {
        console.log(typeof socket.extensions === 'string'
            ? socket.extensions : Object.keys(socket.extensions).join());
        process.exit(0);
    }
};
socket.onerror = () => process.exit(2);
"""
        runs = []
        if (NODE_MODULES / "ws").is_dir():
            runs.append(
                [NODE, "-e", script % COUNT, self.server.ws + "/", str(NODE_MODULES / "ws")]
            )
        for flags in ([], ["--experimental-websocket"]):
            probe = [NODE, *flags, "-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"]
            if subprocess.run(probe, capture_output=True, timeout=TIMEOUT).returncode == 0:
                runs.append([NODE, *flags, "-e", script % COUNT, self.server.ws + "/"])
                break
        for run in runs:
            done = subprocess.run(run, capture_output=True, text=True, timeout=TIMEOUT)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(done.stdout.strip(), "permessage-deflate")
