"""The page for people: what it may do, and what it does with hostile text."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.demo.log import NAMES
from certstream_tx.serve.access.tokens import in_subprotocols
from certstream_tx.serve.pages.landing import landing_page
from tests.serve.wires.test_websocket import HouseTestCase

NODE = shutil.which("node")

# As much of a browser as the page's script touches; it records whatever becomes markup.
BROWSER = """
const made = [];
function element(name) {
  const it = { name, children: [], dataset: { path: "/" }, text: "", listeners: {},
    append(...more) { this.children.push(...more); },
    prepend(one) {
      this.children.unshift(one);
      one.remove = () => this.children.splice(this.children.indexOf(one), 1);
    },
    get lastChild() { return this.children[this.children.length - 1]; },
    addEventListener(kind, f) { this.listeners[kind] = f; } };
  return new Proxy(it, { set(target, key, value) {
    if (!["textContent", "remove"].includes(key)) throw new Error("the page sets " + String(key));
    if (key === "textContent") { target.text = value; made.push(value); } else target[key] = value;
    return true; } });
}
const byId = { rows: element("tbody"), state: element("output"), toggle: element("button"),
  note: element("p") };
const shown = {};
globalThis.document = { hidden: false, querySelectorAll: () => [], getElementById: (id) => byId[id],
  createElement: (name) => element(name), addEventListener(kind, f) { shown[kind] = f; } };
globalThis.location = { protocol: "http:", host: "server.example:8080" };
let socket, paint;
globalThis.WebSocket = class {
  constructor(url, protocols) { this.url = url; this.protocols = protocols; socket = this; }
  close() {} };
globalThis.setInterval = (f) => { paint = f; return 1; };
globalThis.clearInterval = () => {};
let later = null;
globalThis.setTimeout = (f, ms) => { later = { f, ms }; return 1; };
globalThis.clearTimeout = () => { later = null; };
"""

DRIVE = r"""
const sendText = (data) => socket.onmessage({ data });
const send = (message) => sendText(JSON.stringify(message));
const update = (CN, all_domains, name) => ({ message_type: "certificate_update", data: {
  seen: 1.5, leaf_cert: { subject: { CN }, all_domains }, source: { name } } });
send(update("x", ["<img src=x onerror=alert(1)>"], "log\u202egol"));
send(update("<script>alert(1)<" + "/script>", [], "y".repeat(5000)));
send(update("a", ["evil\u200b\u0000.example", "b"], "s"));
sendText("not json"); sendText("null");
send({ message_type: "heartbeat" }); send({ message_type: "certificate_update" });
send(update(undefined, "not a list", undefined));
send(update("x", [{ toString: "x" }], "s"));
paint();
for (let i = 0; i < 1000; i++) send(update("n", ["n"], "s"));
paint();
console.log(JSON.stringify({ url: socket.url, made, rows: byId.rows.children.length }));
"""


class PolicyTests(HouseTestCase):
    """What a browser is told."""

    def test_policy_allows_the_page_and_nothing_else(self) -> None:
        """The script and style inside run by their hashes; nothing is loaded or sent elsewhere."""
        answer = self.house.get(b"/")
        policy = dict(
            part.strip().split(b" ", 1)
            for part in answer.headers[b"content-security-policy"].split(b";")
        )
        for kind in (b"script", b"style"):
            (text,) = re.findall(rb"<%s>(.*?)</%s>" % (kind, kind), answer.body, re.DOTALL)
            digest = b"'sha256-" + b64encode(sha256(text).digest()) + b"'"
            self.assertEqual(policy.pop(kind + b"-src"), digest)
        self.assertEqual(policy.pop(b"connect-src"), b"'self'")
        self.assertEqual(set(policy.values()), {b"'none'"})
        self.assertIn(b"default-src", policy)
        self.assertIn(b"frame-ancestors", policy)

    def test_page_is_self_contained(self) -> None:
        """It names no other host and has no attribute that could run or load anything."""
        body = landing_page().body.decode("utf-8")
        self.assertNotIn("://", re.sub(r"wss?://", "", body))
        self.assertEqual(re.findall(r"<(?:script|link|img|iframe|style)\s[^>]*>", body), [])
        self.assertEqual(re.findall(r"\son\w+=", body), [])
        self.assertEqual(re.findall(r"\sstyle=", body), [])

    def test_page_is_small(self) -> None:
        """It is a few kilobytes."""
        self.assertLess(len(landing_page().body), 10_000)

    def test_links_are_served(self) -> None:
        """Every link on it leads to something."""
        body = self.house.get(b"/").body
        links = re.findall(rb'href="([^"]+)"', body)
        self.assertEqual(len(links), 3)
        for link in links:
            self.assertEqual(self.house.get(b"/" + link).status, 200, link)


class ScriptTests(SynchronousTestCase):
    """What the script does with what certificates say, and with what its address says."""

    def run_page(self, before: str, after: str) -> Any:
        """What ``after`` prints, in a browser of which ``before`` changes something."""
        if NODE is None:
            raise SkipTest("node is not installed")
        body = landing_page().body.decode("utf-8")
        (script,) = re.findall(r"<script>(.*?)</script>", body, re.DOTALL)
        done = subprocess.run(
            [NODE, "-e", BROWSER + before + script + after],
            capture_output=True,
            text=True,
            timeout=20,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_token(self) -> None:
        """A token in the page's address goes on as a subprotocol that the server reads."""
        token = "a+b/c?d>>>~~~ÿ"
        before = f"location.search = '?token=' + encodeURIComponent({json.dumps(token)});"
        offered = self.run_page(before, "console.log(JSON.stringify(socket.protocols));")
        read = in_subprotocols([", ".join(offered).encode("ascii")])
        self.assertEqual(read.token, token.encode("latin-1"))
        self.assertEqual(read.rest, (b"certstream",))

    def test_tries_again(self) -> None:
        """After a lost connection, each time after longer, until it is stopped; a message makes it
        quick again. A page that was hidden goes on when it is shown."""
        after = """
        const waits = [], states = [];
        const lose = () => { socket.onclose(); waits.push(later.ms); const { f } = later; f(); };
        for (let i = 0; i < 9; i++) lose();
        socket.onmessage({ data: '{"message_type":"certificate_update","data":{}}' });
        lose();
        socket.onclose(); byId.toggle.listeners.click(); states.push(later, byId.state.text);
        byId.toggle.listeners.click(); states.push(byId.state.text);
        document.hidden = true; shown.visibilitychange(); states.push(byId.state.text);
        document.hidden = false; shown.visibilitychange(); states.push(byId.state.text);
        console.log(JSON.stringify({ waits, states }));
        """
        result = self.run_page("Math.random = () => 0.5;", after)
        self.assertEqual(
            result["waits"], [1000 * each for each in (1, 2, 4, 8, 16, 32, 60, 60, 60, 1)]
        )
        self.assertEqual(
            result["states"], [None, "stopped", "connecting", "stopped while hidden", "connecting"]
        )

    def test_demonstration(self) -> None:
        """The page says what comes from the demonstration logs, and says it of no other."""
        after = """
        const send = (name) => { socket.onmessage({ data: JSON.stringify({
          message_type: "certificate_update", data: { seen: 1, source: { name } } }) }); paint(); };
        const notes = [];
        for (const name of ["Public log", ...NAMES]) {
          byId.note.textContent = "";
          send(name); notes.push(byId.note.text);
        }
        console.log(JSON.stringify({ notes, time: byId.rows.children[0].children[0].text }));
        """
        result = self.run_page(f"const NAMES = {json.dumps(list(NAMES.values()))};", after)
        public, *own = result["notes"]
        self.assertEqual(public, "")
        self.assertEqual(len(own), len(NAMES))
        for note in own:
            self.assertIn("made up", note)
        self.assertRegex(result["time"], r"^\d\d:\d\d:\d\d$")

    def test_hostile_names(self) -> None:
        """Whatever a certificate contains becomes text of a bounded length, without characters
        that hide or reorder; broken messages are passed over; the table stays short."""
        result = self.run_page("", DRIVE)
        self.assertEqual(result["url"], "ws://server.example:8080/")
        self.assertEqual(result["rows"], 16)
        made = result["made"]
        for expected in (
            "<img src=x onerror=alert(1)>",
            "log\ufffdgol",
            "<script>alert(1)</script>",
            "y" * 200,
            "evil\ufffd\ufffd.example  +1",
        ):
            self.assertIn(expected, made)
        self.assertEqual([text for text in made if len(text) > 200], [])
        self.assertEqual(made.count("n"), 16)
