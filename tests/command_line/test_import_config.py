"""Tests of :mod:`certstream_tx.command_line.import_config` and of what it translates from."""

import re
import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from certstream_tx.command_line import from_go, from_rust
from certstream_tx.command_line.imported import Imported
from certstream_tx.config import MAX_BYTES, Config, load
from certstream_tx.config.foreign import IGNORED
from certstream_tx.config.reading import LEAVES
from certstream_tx.config.yaml_text import read_yaml
from tests.command_line.terminal import CommandTestCase

GO = """\
webserver:
  listen_addr: "127.0.0.1"
  listen_port: 8081
  real_ip: false
  full_url: "/full-stream"
  lite_url: "/"
  domains_only_url: "/domains-only"
  cert_path: ""
  cert_key_path: ""
  compression_enabled: false
prometheus:
  enabled: true
  listen_addr: "127.0.0.1"
  listen_port: 8081
  metrics_url: "/metrics"
  expose_system_metrics: false
  real_ip: false
general:
  disable_default_logs: false
  additional_logs:
    - url: https://ct.example/log2026
      operator: "Example"
      description: "Example 'log2026'"
    - url: plain.example/log
  additional_tiled_logs:
    - url: https://tiles.example/2026/
      operator: "Example"
      description: "Example tiles"
  excluded_logs:
    - operator: "Other"
    - url: "https://ct.example/old/"
  buffer_sizes: {websocket: 300, ctlog: 1000, dispatcher: 10000}
  drop_old_logs: true
  recovery:
    enabled: true
    ct_index_file: "./ct_index.json"
"""


class ImportTestCase(CommandTestCase):
    """A file, and what becomes of it."""

    def imported(self, text: str, status: int = 0) -> tuple[Config, list[str], list[str]]:
        """The configuration that comes out, notes, decisions."""
        ran = self.run_command("import-config", self.file("theirs.yaml", text))
        self.assertEqual(ran.status, status, ran.err)
        lines = ran.err.splitlines()
        notes = [line for line in lines if line.startswith("note: ")]
        decisions = [line for line in lines if line.startswith("decide: ")]
        self.assertEqual(len(notes) + len(decisions), len(lines), ran.err)
        self.assertEqual(bool(decisions), status == 3)
        self.text = ran.out
        files = {"ours": ran.out.encode()}
        return load({"config": "ours"}, {}, read_file=files.get).config, notes, decisions

    def decided(self, text: str) -> str:
        """The one decision that a file needs."""
        _, _, decisions = self.imported(text, status=3)
        self.assertEqual(len(decisions), 1)
        return decisions[0]


class GoTests(ImportTestCase):
    """Files of certstream-server-go."""

    def test_all_that_has_an_equal(self) -> None:
        """Every key that means something here, under its name here."""
        config, notes, _ = self.imported(GO)
        self.assertEqual((config.host, config.port), ("127.0.0.1", 8081))
        self.assertTrue(config.protocols.metrics)
        custom, plain = config.custom_logs
        self.assertEqual(
            (custom.name, custom.url, custom.operator),
            ("Example 'log2026'", "https://ct.example/log2026", "Example"),
        )
        self.assertEqual(
            (plain.name, plain.url, plain.operator),
            ("plain.example/log", "https://plain.example/log", None),
        )
        (static,) = config.static_logs
        self.assertEqual((static.name, static.url), ("Example tiles", "https://tiles.example/2026"))
        self.assertEqual(config.ct_log.excluded_operators, ("Other",))
        self.assertEqual(config.ct_log.excluded_logs, ("https://ct.example/old/",))
        self.assertEqual(config.ct_log.state_file, "./ct_index.json")
        self.assertEqual(config.buffer_size, Config().buffer_size)
        self.assertEqual(len(notes), 3, notes)

    def test_compression(self) -> None:
        """It is told where it was off, which it cannot be here."""
        for text, told in (("true", 0), ("false", 1)):
            _, notes, _ = self.imported(f"webserver: {{compression_enabled: {text}}}\n")
            self.assertEqual(sum("compression_enabled" in note for note in notes), told, text)

    def test_tls(self) -> None:
        """Certificate and key."""
        config, _, _ = self.imported(
            "webserver: {listen_port: 443, cert_path: /etc/c.pem, cert_key_path: /etc/k.pem}\n"
        )
        self.assertEqual((config.tls_cert, config.tls_key), ("/etc/c.pem", "/etc/k.pem"))

    def test_only_own_logs(self) -> None:
        """Without the default logs no list is read."""
        config, _, _ = self.imported(
            "general: {disable_default_logs: true, additional_logs: [{url: https://a.example/}]}\n"
        )
        self.assertIsNone(config.ct_logs_url)

    def test_metrics_are_off_unless_they_were_on(self) -> None:
        """A server that showed none does not begin to."""
        for text in ("webserver: {}\n", "prometheus: {enabled: false}\n", "general:\n"):
            config, _, _ = self.imported(text)
            self.assertFalse(config.protocols.metrics, text)

    def test_without_recovery(self) -> None:
        """Positions are kept all the same, and it is said where."""
        config, notes, _ = self.imported("general: {recovery: {enabled: false}}\n")
        self.assertEqual(config.ct_log.state_file, Config().ct_log.state_file)
        self.assertIn("certstream_state.json", notes[-1])

    def test_recovery_without_a_file(self) -> None:
        """The file that it keeps by default."""
        config, _, _ = self.imported("general: {recovery: {enabled: true}}\n")
        self.assertEqual(config.ct_log.state_file, "./ct_index.json")

    def test_own_buffer(self) -> None:
        """A size of somebody's own choice is kept."""
        config, _, _ = self.imported("general: {buffer_sizes: {websocket: 5000}}\n")
        self.assertEqual(config.buffer_size, 5000)

    def test_proxies(self) -> None:
        """Those it trusts are trusted here; whoever trusted everybody has to name them."""
        config, _, _ = self.imported(
            "webserver: {real_ip: true, trusted_proxies: [172.16.0.0/12]}\n"
        )
        self.assertEqual([str(one) for one in config.trusted_proxies], ["172.16.0.0/12"])
        self.assertIn("trusted_proxies", self.decided("webserver: {real_ip: true}\n"))
        config, _, _ = self.imported(
            "webserver: {real_ip: false, trusted_proxies: [172.16.0.0/12]}\n"
        )
        self.assertEqual(config.trusted_proxies, ())

    def test_what_needs_a_decision(self) -> None:
        """All that would be lost without anybody noticing, each named by its key."""
        for key, text in (
            ("webserver.whitelist", "webserver: {whitelist: [127.0.0.0/8]}"),
            ("webserver.full_url", "webserver: {full_url: /full}"),
            ("webserver.lite_url", "webserver: {lite_url: /lite}"),
            ("webserver.domains_only_url", "webserver: {domains_only_url: /names}"),
            ("prometheus.metrics_url", "prometheus: {enabled: true, metrics_url: /m}"),
            ("prometheus.whitelist", "prometheus: {enabled: true, whitelist: [127.0.0.1]}"),
            (
                "prometheus.listen_addr",
                "{webserver: {listen_addr: 0.0.0.0},"
                " prometheus: {enabled: true, listen_addr: 127.0.0.1}}",
            ),
            (
                "prometheus.listen_port",
                "{webserver: {listen_port: 80}, prometheus: {enabled: true, listen_port: '81'}}",
            ),
            ("general.drop_old_logs", "general: {drop_old_logs: false}"),
            ("streamprocessing", "{streamprocessing: {kafka: {enabled: true}}, general: {}}"),
            ("general.excluded_logs", "general: {excluded_logs: [a]}"),
            ("webserver.new", "webserver: {new: 1}"),
            ("new", "{webserver: {}, new: {}}"),
            ("webserver", "{webserver: [1]}"),
        ):
            self.assertIn(f"decide: {key}: ", self.decided(text + "\n"))

    def test_exclusion_by_url_and_operator(self) -> None:
        """The narrower one, and a note."""
        config, notes, _ = self.imported(
            "general: {excluded_logs: [{url: https://a.example/, operator: A}]}\n"
        )
        self.assertEqual(config.ct_log.excluded_logs, ("https://a.example/",))
        self.assertEqual(config.ct_log.excluded_operators, ())
        self.assertIn("excluded by its URL", "".join(notes))

    def test_keys_in_any_case(self) -> None:
        """That server does not mind, so this does not either."""
        config, _, _ = self.imported("Webserver: {Listen_Port: '8082'}\n")
        self.assertEqual(config.port, 8082)


class RustTests(ImportTestCase):
    """Files of certstream-server-rust."""

    def test_keys_are_kept(self) -> None:
        """What both have, with its value, in the order of the reference page."""
        config, notes, decisions = self.imported(
            "port: 8090\nct_log:\n  state_file: /data/state.json\n  batch_size: 512\nhost: '::'\n"
        )
        self.assertEqual((config.host, config.port), ("::", 8090))
        self.assertEqual(config.ct_log.batch_size, 512)
        self.assertEqual((notes, decisions), ([], []))
        keys = [line.split(":")[0].strip() for line in self.text.splitlines()[1:]]
        self.assertEqual(keys, ["host", "port", "ct_log", "state_file", "batch_size"])

    def test_later_names(self) -> None:
        """A key that was renamed gets the name that it has here."""
        config, notes, _ = self.imported(
            "rate_limit: {max_tokens: 100, refill_rate: 7.5, burst: 20}\n"
        )
        self.assertEqual(config.rate_limit.per_second, 8)
        self.assertEqual(config.rate_limit.burst_size, 100)
        self.assertEqual(len(notes), 3)

    def test_no_equal(self) -> None:
        """What has none is left out, and it is said why."""
        tree: dict[str, Any] = {"port": 1}
        for path in IGNORED:
            section, _, name = path.rpartition(".")
            if section:
                tree.setdefault(section, {})[name] = None
            else:
                tree[name] = {}
        _, notes, _ = self.imported(str(tree).replace("None", "null"))
        self.assertEqual(len(notes), len(IGNORED))
        for note in notes:
            self.assertRegex(note, r"^note: [\w.]+: has no equal here, left out: ")

    def test_unknown_keys(self) -> None:
        """Left out, but never in silence: they may have kept somebody out."""
        for text, key in (
            ("auth: {allowed_addresses: [10.0.0.1]}", "auth.allowed_addresses"),
            ("{port: 1, firewall: {}}", "firewall"),
            ("{port: 1, auth: true}", "auth"),
            ("{port: 1, auth.enabled: true}", "auth.enabled"),
            ("ct_log: {'a b': 1}", 'ct_log."a b"'),
        ):
            self.assertIn(f"decide: {key}: ", self.decided(text + "\n"))

    def test_refused_values_stay(self) -> None:
        """A value that is refused here is not replaced by a default that may be open to all."""
        path = self.file("theirs.yaml", "host: 'nobody here'\nct_log: {batch_size: 99999}\n")
        ran = self.run_command("import-config", path)
        self.assertEqual(ran.status, 3)
        self.assertIn('host: "nobody here"', ran.out)
        self.assertIn("batch_size: 99999", ran.out)
        self.assertEqual(
            [line.split(": ")[:3] for line in ran.err.splitlines()],
            [
                ["decide", "refused as it is", "host"],
                ["decide", "refused as it is", "ct_log.batch_size"],
            ],
        )

    def test_secrets_are_not_repeated(self) -> None:
        """Tokens are in the file that comes out, and nowhere else."""
        text = "auth: {enabled: true, tokens: [secret-token-1, 'bad token'], header_name: X-T}\n"
        ran = self.run_command("import-config", self.file("theirs.yaml", text))
        self.assertIn("secret-token-1", ran.out)
        self.assertNotRegex(ran.err, "secret-token|bad token")

    def test_again(self) -> None:
        """What came out goes in unchanged."""
        self.imported("port: 8090\nct_log: {state_file: 'a: b # c', excluded_logs: [x, 'y']}\n")
        first = self.text
        self.imported(first)
        self.assertEqual(self.text, first)


class FileTests(ImportTestCase):
    """What cannot be imported: one line, status 1, nothing written."""

    def test_refused(self) -> None:
        """Each with its reason."""
        missing = str(self.folder / "missing.yaml")
        for path, reason in (
            (missing, "No such file"),
            (str(self.folder), "directory"),
            (self.file("empty.yaml", "# nothing\n"), "it is empty"),
            (self.file("list.yaml", "- 1\n"), "expected a mapping"),
            (self.file("broken.yaml", "a: [1\n"), "line 2"),
            (self.file("twice.yaml", "port: 1\nport: 2\n"), "a second time"),
            (self.file("other.yaml", "services: {web: {}}\n"), "neither a configuration of"),
            (self.file("large.yaml", "#" * (MAX_BYTES + 1)), "larger than"),
        ):
            ran = self.run_command("import-config", path)
            self.assertEqual((ran.status, ran.out), (1, ""), path)
            self.assertEqual(ran.err.count("\n"), 1)
            self.assertTrue(ran.err.startswith(f"certstream-tx: {path}: "), ran.err)
            self.assertIn(reason, ran.err)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(string.printable, max_size=20)
)
names = st.text(string.ascii_letters + " .:#'\"-é", min_size=1, max_size=10)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


class WritingTests(CommandTestCase):
    """The YAML that comes out."""

    @settings(deadline=None, max_examples=200)
    @given(st.dictionaries(st.sampled_from(sorted(LEAVES)), trees, max_size=5))
    def test_any_value_comes_back(self, values: dict[str, Any]) -> None:
        """Whatever stood in the file, our reader finds it again."""
        written = Imported("somebody", dict(values)).yaml()
        found: dict[str, Any] = {}
        for name, value in read_yaml(written.encode()).items():
            if name in LEAVES:
                found[name] = value
            else:
                assert isinstance(value, dict)
                found |= {f"{name}.{inner}": one for inner, one in value.items()}
        self.assertEqual(found, values)

    documents = st.dictionaries(
        st.sampled_from(["webserver", "prometheus", "general", "auth", "ct_log", "port", "x"]),
        st.recursive(
            scalars,
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            *sorted({key for keys in from_go.KNOWN.values() for key in keys}),
                            *("url", "operator", "websocket", "enabled", "ct_index_file"),
                            "tokens",
                        ]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
        max_size=4,
    )

    @settings(deadline=None, max_examples=300)
    @given(documents)
    def test_any_document(self, document: dict[str, Any]) -> None:
        """Nothing in a file makes the translation fail, and what comes out is YAML."""
        for translate in (from_go.translate, from_rust.translate):
            imported = translate(document)
            imported.judge()
            read_yaml(imported.yaml().encode())
            for line in (*imported.notes, *imported.decisions):
                self.assertIsNone(re.search(r"[\n\r]", line))
