"""Tests of :mod:`certstream_tx.config.reading`: which source says what, what can be wrong."""

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import MAX_BYTES, Config, ConfigError, Loaded, load
from certstream_tx.config.reading import LEAVES, MAX_PROBLEMS, USUAL_PATHS


class LoadTestCase(SynchronousTestCase):
    """Loads from files in memory."""

    def load(
        self,
        yaml: str | None = None,
        environment: Mapping[str, str] | None = None,
        **command_line: str | Sequence[str] | None,
    ) -> Loaded:
        """``yaml`` is config.yaml; a double underscore stands for the dot in a key."""
        files = {} if yaml is None else {"config.yaml": yaml.encode()}
        given = {name.replace("__", "."): value for name, value in command_line.items()}
        return load(given, environment or {}, read_file=files.get)

    def problems(
        self,
        yaml: str | None = None,
        environment: Mapping[str, str] | None = None,
        **command_line: str | Sequence[str] | None,
    ) -> tuple[str, ...]:
        with self.assertRaises(ConfigError) as refused:
            self.load(yaml, environment, **command_line)
        for problem in refused.exception.problems:
            self.assertNotIn("\n", problem)
        return refused.exception.problems


class PrecedenceTests(LoadTestCase):
    """Command line over environment over file over default."""

    def test_defaults(self) -> None:
        """Nothing said is the default tree, without warnings."""
        loaded = self.load()
        self.assertEqual(loaded.config, Config())
        self.assertEqual(
            (loaded.warnings, loaded.source_path, dict(loaded.origins)), ((), None, {})
        )

    def test_each_overrides_the_next(self) -> None:
        """One key is taken away from the top, source by source."""
        yaml, environment = "ct_log: {batch_size: 3}", {"CERTSTREAM_BATCH_SIZE": "2"}
        for loaded, value, origin in (
            (self.load(yaml, environment, ct_log__batch_size="1"), 1, "command line"),
            (self.load(yaml, environment, ct_log__batch_size=None), 2, "CERTSTREAM_BATCH_SIZE"),
            (self.load(yaml, {}), 3, "config.yaml"),
        ):
            self.assertEqual(loaded.config.ct_log.batch_size, value)
            self.assertEqual(loaded.origins["ct_log.batch_size"], origin)

    def test_only_what_is_said_is_overridden(self) -> None:
        """A section of the file keeps the keys that the environment does not name."""
        config = self.load(
            "ct_log: {batch_size: 3, poll_interval_ms: 50}", {"CERTSTREAM_CT_LOG_BATCH_SIZE": "4"}
        ).config
        self.assertEqual((config.ct_log.batch_size, config.ct_log.poll_interval_ms), (4, 50))

    def test_empty_overrides(self) -> None:
        """An empty environment value is null or the empty list, not nothing said."""
        config = self.load(
            "ct_log: {state_file: a, excluded_logs: [x], list_cache: b}\nct_logs_url: http://a/b\n"
            "custom_logs: [{name: a, url: 'http://a'}]",
            {
                "CERTSTREAM_STATE_FILE": "",
                "CERTSTREAM_CT_LOGS_URL": " ",
                "CERTSTREAM_CT_LOG_EXCLUDED_LOGS": "",
                "CERTSTREAM_CT_LOG_LIST_CACHE": "",
            },
        ).config
        self.assertEqual(
            (config.ct_log.state_file, config.ct_logs_url, config.list_cache), (None, None, None)
        )
        self.assertEqual(config.ct_log.excluded_logs, ())

    def test_command_line_lists(self) -> None:
        """A repeated option is a list; its items may hold commas."""
        self.assertEqual(
            self.load(listen=["tcp:1", "unix:a,b"]).config.listen, ("tcp:1", "unix:a,b")
        )
        self.assertEqual(self.load(listen="tcp:1,tcp:2").config.listen, ("tcp:1", "tcp:2"))
        self.assertEqual(self.load(port=["81"]).config.port, 81)
        self.assertEqual(
            self.problems(port=["81", "82"]),
            ("port: expected an integer from 0 to 65535, once, got it 2 times (command line)",),
        )


class FileTests(LoadTestCase):
    """Which file is read."""

    def test_lookup(self) -> None:
        """Command line, then the environment, then the first of the usual ones."""
        files = {path: f"port: {i}".encode() for i, path in enumerate(USUAL_PATHS)}
        files |= {"a.yaml": b"port: 70", "b.yaml": b"port: 71"}
        environment = {"CERTSTREAM_CONFIG": "b.yaml"}
        for command_line, env, port, source in (
            ({"config": "a.yaml"}, environment, 70, "a.yaml"),
            ({"config": None}, environment, 71, "b.yaml"),
            ({}, {"CERTSTREAM_CONFIG": ""}, 0, "config.yaml"),
        ):
            loaded = load(command_line, env, read_file=files.get)
            self.assertEqual((loaded.config.port, loaded.source_path), (port, source))
        for i, path in enumerate(USUAL_PATHS):
            self.assertEqual(load({}, {}, read_file=files.get).config.port, i)
            del files[path]
        self.assertIsNone(load({}, {}, read_file=files.get).source_path)

    def test_missing(self) -> None:
        """A file that was asked for must be there."""
        self.assertEqual(self.problems(config="x.yaml"), ("x.yaml: there is no such file",))

    def test_unreadable(self) -> None:
        """Also a usual one: the defaults would turn off what it turns on."""

        def read_file(path: str) -> bytes:
            raise PermissionError(13, "Permission denied")

        with self.assertRaises(ConfigError) as refused:
            load({}, {}, read_file=read_file)
        self.assertEqual(
            refused.exception.problems, ("config.yaml: cannot be read: Permission denied",)
        )

    def test_malformed(self) -> None:
        """The file and the line are named; other sources are judged as well."""
        self.assertEqual(
            self.problems("a: [", {"CERTSTREAM_PORT": "x"})[1:],
            ('port: expected an integer from 0 to 65535, got "x" (CERTSTREAM_PORT)',),
        )
        self.assertRegex(self.problems("a: [")[0], r"^config\.yaml: line 1, column 5: ")

    def test_too_large(self) -> None:
        """It is not even looked at."""
        self.assertEqual(
            self.problems("#" * (MAX_BYTES + 1)), (f"config.yaml: larger than {MAX_BYTES} bytes",)
        )


class ProblemTests(LoadTestCase):
    """Every problem in a line of its own, all at once."""

    def test_all_together(self) -> None:
        """Of all sources and keys."""
        self.assertEqual(
            self.problems(
                "port: true\nstreams: [full]\n"
                "custom_logs:\n- {name: a, url: 'ftp://a'}\n"
                "- {name: b, url: 'http://b', ke: x}\n- c\n"
                "ct_log: {batch_size: many, list_key: 7}\n",
                {"CERTSTREAM_BUFFER_SIZE": "huge"},
                host="[::]",
            ),
            (
                "streams: expected a mapping of keys, got a list",
                "port: expected an integer from 0 to 65535, got true",
                "custom_logs[0].url: expected an http:// or https:// URL without user, password"
                ' and query, got "ftp://a"',
                "custom_logs[1].ke: unknown key, known are name, url, operator, key,"
                " expected_log_id, poll_interval_ms, batch_size",
                'custom_logs[2]: expected a mapping that describes an RFC 6962 log, got "c"',
                'ct_log.batch_size: expected an integer from 1 to 4096, got "many"',
                "ct_log.list_key: expected a path, or null, got 7",
                'buffer_size: expected an integer from 1 to 1000000, got "huge"'
                " (CERTSTREAM_BUFFER_SIZE)",
                'host: expected an IP address or host name ("::" for IPv4 and IPv6), got "[::]"'
                " (command line)",
            ),
        )

    def test_surprises_of_yaml(self) -> None:
        """What looks like a number is not taken for one, nor the other way round."""
        for yaml in ("port: 08080", "port: 1e3", "port: 2026-01-01", "port: '8080'", "port: 80.0"):
            self.assertRegex(self.problems(yaml)[0], "^port: expected an integer")
        for yaml in ("streams: {full: 1}", "streams: {full: 'true'}"):
            self.assertRegex(self.problems(yaml)[0], "^streams.full: expected true or false")
        self.assertRegex(
            self.problems("custom_logs: [{name: 7, url: http://a}]")[0], "a name, got 7"
        )
        self.assertFalse(self.load("streams: {full: off}").config.streams.full)

    def test_null(self) -> None:
        """Empty sections, lists and mappings are empty; a number must be said."""
        config = self.load("ct_log:\ncustom_logs:\nlisten: ~\n").config
        self.assertEqual(config, Config())
        self.assertRegex(self.problems("port:")[0], "^port: expected an integer .* got null")

    def test_unknown_keys(self) -> None:
        """Named with the nearest known one."""
        for yaml, line in {
            "ct_log: {batch_sise: 1}": "ct_log.batch_sise: unknown key, nearest known is"
            " ct_log.batch_size",
            "batch_size: 1": "batch_size: unknown key, nearest known is ct_log.batch_size",
            "ct_logs: {}": "ct_logs: unknown key, nearest known is ct_log",
            "prot: 1": "prot: unknown key, nearest known is port",
            "zzzzzz: 1": "zzzzzz: unknown key",
            "ct_log: {zzzzzz: 1}": "ct_log.zzzzzz: unknown key",
            "ct_log: {bogus: 1}": "ct_log.bogus: unknown key",
            r'"a\nb\e[2J": 1': r'"a\nb\u001b[2J": unknown key',
            "ct_log.batch_size: 5": "ct_log.batch_size: unknown key, nearest known is"
            " ct_log.batch_size (in a file each level is a mapping)",
        }.items():
            self.assertEqual(self.problems(yaml), (line,))

    def test_number_of_problems_is_bounded(self) -> None:
        """A file of another kind does not fill the screen."""
        problems = self.problems("\n".join(f"key{i}: 1" for i in range(500)))
        self.assertEqual(len(problems), MAX_PROBLEMS + 1)
        self.assertEqual(problems[-1], "... and 450 more problems")

    def test_tokens_are_never_shown(self) -> None:
        """Not even wrong ones."""
        for yaml in (
            "auth: {tokens: [70007]}",
            "auth: {tokens: ['70007 x']}",
            "auth: {tokens: 70007}",
        ):
            problems = self.problems(yaml)
            self.assertNotIn("70007", str(problems).replace("got 70007", ""))

    def test_unknown_command_line_key(self) -> None:
        """An option that sets any key by its path is judged like the file."""
        self.assertEqual(
            self.problems(ct_log__bach_size="1"),
            ("ct_log.bach_size: unknown key, nearest known is ct_log.batch_size",),
        )

    @settings(deadline=None, max_examples=60)
    @given(
        st.dictionaries(
            st.sampled_from(sorted(name for leaf in LEAVES.values() for name in leaf.env_names)),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
            | st.sampled_from(["1", "true", "0.5", "a=1", "tcp://10.0.0.1:80", "::", "info"]),
            max_size=4,
        )
    )
    def test_any_environment(self, environment: dict[str, str]) -> None:
        """A configuration, or lines that name a key each."""
        try:
            load({}, environment, read_file=lambda path: None)
        except ConfigError as error:
            for problem in error.problems:
                self.assertIn(problem.split("[")[0].split(":")[0], LEAVES)


class EnvironmentTests(LoadTestCase):
    """Which variables are meant."""

    def test_both_names(self) -> None:
        """The short one and the one made of the path."""
        for name in ("CERTSTREAM_STATE_FILE", "CERTSTREAM_CT_LOG_STATE_FILE"):
            loaded = self.load(None, {name: "x.json"})
            self.assertEqual((loaded.config.ct_log.state_file, loaded.warnings), ("x.json", ()))

    def test_two_names_that_contradict(self) -> None:
        """Nobody can know which is meant; the same value twice is none."""
        environment = {"CERTSTREAM_STATE_FILE": "a", "CERTSTREAM_CT_LOG_STATE_FILE": "b"}
        self.assertEqual(
            self.problems(None, environment),
            (
                "ct_log.state_file: CERTSTREAM_CT_LOG_STATE_FILE and CERTSTREAM_STATE_FILE"
                " contradict each other",
            ),
        )
        environment["CERTSTREAM_STATE_FILE"] = "b"
        self.assertEqual(self.load(None, environment).config.ct_log.state_file, "b")

    def test_service_links(self) -> None:
        """What Kubernetes says of a Service named certstream is ignored, in one line."""
        environment = {
            "CERTSTREAM_SERVICE_HOST": "10.0.0.1",
            "CERTSTREAM_SERVICE_PORT": "80",
            "CERTSTREAM_SERVICE_PORT_HTTP": "80",
            "CERTSTREAM_PORT": "tcp://10.0.0.1:80",
            "CERTSTREAM_PORT_80_TCP": "tcp://10.0.0.1:80",
            "CERTSTREAM_PORT_80_TCP_PROTO": "tcp",
            "CERTSTREAM_PORT_80_TCP_PORT": "80",
            "CERTSTREAM_PORT_80_TCP_ADDR": "10.0.0.1",
            "CERTSTREAM_TCP_PORT": "tcp://10.0.0.2:81",
        }
        loaded = self.load(None, environment)
        self.assertEqual(loaded.config, Config())
        self.assertEqual(len(loaded.warnings), 1)
        for name in environment:
            self.assertIn(name, loaded.warnings[0])
        self.assertEqual(self.load(None, {"CERTSTREAM_PORT": "80"}).config.port, 80)

    def test_unknown(self) -> None:
        """A warning with the nearest known name; what is not ours is none of our business."""
        environment = {
            "CERTSTREAM_BACH_SIZE": "1",
            "CERTSTREAM_CUSTOM_LOGS": "x",
            "CERTSTREAM_QQQQ": "x",
            "PORT": "80",
            "CERTSTREAMPORT": "81",
        }
        self.assertEqual(
            self.load(None, environment).warnings,
            (
                "CERTSTREAM_BACH_SIZE: unknown, ignored, nearest known is CERTSTREAM_BATCH_SIZE",
                "CERTSTREAM_CUSTOM_LOGS: ignored, only the file can say it",
                "CERTSTREAM_QQQQ: unknown, ignored",
            ),
        )

    def test_values(self) -> None:
        """Every kind of value as text."""
        config = self.load(
            None,
            {
                "CERTSTREAM_HOST": "::",
                "CERTSTREAM_LISTEN": "tcp:1, unix:/a",
                "CERTSTREAM_STREAM_FULL_ENABLED": "0",
                "CERTSTREAM_CT_LOG_OPERATOR_RATE_LIMITS": "Let's Encrypt=500, digicert=1000",
                "CERTSTREAM_AUTH_TOKENS": "a,b",
                "CERTSTREAM_LOG_LEVEL": "WARNING",
                "CERTSTREAM_USER_AGENT": "mine/1 (me@example.org)",
                "CERTSTREAM_CT_LOG_REFRESH_INTERVAL_SECS": "600",
                "CERTSTREAM_CT_LOG_CONTACT": "me@example.org",
            },
        ).config
        self.assertEqual(config.host, "::")
        self.assertEqual(config.listen, ("tcp:1", "unix:/a"))
        self.assertFalse(config.streams.full)
        self.assertEqual(
            dict(config.ct_log.operator_rate_limits), {"Let's Encrypt": 500, "digicert": 1000}
        )
        self.assertEqual([token.text for token in config.auth.tokens], ["a", "b"])
        self.assertEqual(config.log_level, "warn")
        self.assertEqual(config.user_agent, "mine/1 (me@example.org)")
        self.assertEqual(config.ct_log.log_refresh_interval_secs, 600)


class ContradictionTests(LoadTestCase):
    """Values that are good alone and not together."""

    def test_nothing_to_follow(self) -> None:
        """Both kinds off, and no list, is for those who name logs of their own."""
        self.assertEqual(
            self.problems("ct_logs_url: null"),
            (
                "ct_logs_url: expected a URL, because no log is named by custom_logs or"
                " static_logs, nor a list by additional_log_lists, got null",
            ),
        )
        self.load("ct_logs_url: null\nadditional_log_lists: ['https://a/b.json']")
        off = "ct_log: {rfc6962_enabled: false, static_ct_enabled: false}\n"
        self.assertRegex(self.problems(off)[0], "^ct_log.rfc6962_enabled: expected true")
        for section in ("custom_logs", "static_logs"):
            own = section + ": [{name: a, url: 'http://a'}]\n"
            self.load(off + own)
            self.load("ct_logs_url: null\n" + own)

    def test_retry_delays(self) -> None:
        """The first is not longer than the longest."""
        self.assertEqual(
            self.problems("ct_log: {retry_initial_delay_ms: 9000}"),
            (
                "ct_log.retry_initial_delay_ms: expected at most ct_log.retry_max_delay_ms (5000),"
                " got 9000",
            ),
        )

    def test_pairs(self) -> None:
        """A certificate needs its key, access a token, the TCP stream a port that exists."""
        for yaml, start in {
            "tls_cert: a": "tls_key: expected a path",
            "tls_key: a": "tls_cert: expected a path",
            "auth: {enabled: true}": "auth.tokens: expected at least one token",
            "port: 65535\nprotocols: {tcp: true}": "protocols.tcp_port: expected a port",
        }.items():
            self.assertTrue(any(p.startswith(start) for p in self.problems(yaml)), yaml)

    def test_tls_that_no_port_uses(self) -> None:
        """Not in clear where TLS was asked for; with endpoints that bring their own, a warning."""
        pair = "tls_cert: a\ntls_key: b\n"
        for yaml in (
            "listen: ['systemd:domain=INET6:name=http']",
            "listen: ['ssl:1', 'haproxy:tcp:2']",
            "listen: ['ssl:1']\nlisten_tcp: ['tcp:2']\nprotocols: {tcp: true}",
        ):
            (problem,) = self.problems(pair + yaml)
            self.assertRegex(problem, "^tls_cert: no port would use it, .*(systemd|tcp):.*proxy")
        for yaml, used in (
            ("listen_tcp: ['tcp:2']\nprotocols: {tcp: true}", True),
            ("listen: ['unix:a']\nprotocols: {tcp: true}", True),
            ("listen: ['ssl:1', 'haproxy:ssl:2']\nlisten_tcp: ['tcp:2']", False),
        ):
            loaded = self.load(pair + yaml)
            self.assertEqual(loaded.config.tls_used, used)
            self.assertEqual(len(loaded.warnings), 1, loaded.warnings)
            self.assertRegex(loaded.warnings[0], "^tls_cert, tls_key: .* nothing about listen")

    def test_overridden(self) -> None:
        """What was given and is not used is named, and only that."""
        loaded = self.load("host: 127.0.0.1\nport: 80\n", listen="tcp:1")
        self.assertEqual([line.split(":")[0] for line in loaded.warnings], ["host", "port"])
        self.assertEqual(self.load("port: 80").warnings, ())
        self.assertEqual(self.load("listen: ['tcp:1']").warnings, ())
        loaded = self.load("protocols: {tcp: true, tcp_port: 3}\nlisten_tcp: ['tcp:1']")
        self.assertEqual(len(loaded.warnings), 1)

    def test_beside_unknown_keys(self) -> None:
        """They are told together, but not of values of which one cannot be read."""
        problems = self.problems("bogus_key: 1\ntls_cert: a\nauth: {enabled: true}\n")
        self.assertEqual(
            [problem.split(":")[0] for problem in problems], ["bogus_key", "tls_key", "auth.tokens"]
        )
        problems = self.problems("bogus_key: 1\nauth: {enabled: true, tokens: 7.5}\n")
        self.assertEqual(
            [problem.split(":")[0] for problem in problems], ["bogus_key", "auth.tokens"]
        )

    def test_doubled_logs(self) -> None:
        """Two entries for one log would move one saved position."""
        key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" + "A" * 86 + "=="
        self.assertEqual(
            self.problems(
                "custom_logs: [{name: a, url: 'http://a/'}, {name: b, url: 'http://a'}]\n"
                f"static_logs: [{{name: c, url: 'http://c', key: {key}}},"
                f" {{name: d, url: 'http://d', key: {key}}}]\n"
            ),
            (
                "custom_logs[1].url: expected a log of its own, got that of custom_logs[0]",
                "static_logs[1].key: expected a log of its own, got the key of static_logs[0]",
            ),
        )

    def test_log_id_of_another_key(self) -> None:
        """The expected log id is a check of the key."""
        key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" + "A" * 86 + "=="
        own = f"name: a, url: 'http://a', key: {key}, expected_log_id: {'A' * 43}="
        self.assertEqual(
            self.problems(f"custom_logs: [{{{own}}}]"),
            ("custom_logs[0].expected_log_id: expected the SHA-256 of its key, got another",),
        )


class LogListTests(LoadTestCase):
    """Further lists, and who signs them."""

    def lists(self, yaml: str) -> list[tuple[str, str | None, bool]]:
        found = self.load(f"additional_log_lists: {yaml}").config.additional_log_lists
        return [(each.url, each.key, each.signed) for each in found]

    def test_forms(self) -> None:
        """A URL, or a mapping; Apple's list is known to have no signature."""
        apple = "https://valid.apple.com/ct/log_list/current_log_list.json"
        self.assertEqual(
            self.lists(
                f"['http://a/l', '{apple}', {{url: 'http://b', key: b.pem}},"
                " {url: 'https://c', signed: false}]"
            ),
            [
                ("http://a/l", None, True),
                (apple, None, False),
                ("http://b", "b.pem", True),
                ("https://c", None, False),
            ],
        )
        self.assertEqual(self.lists(f"[{{url: '{apple}'}}]"), [(apple, None, False)])
        self.assertEqual(self.lists(f"[{{url: '{apple}', key: k}}]"), [(apple, "k", True)])

    def test_environment(self) -> None:
        """Addresses alone."""
        given = {"CERTSTREAM_ADDITIONAL_LOG_LISTS": "https://a,https://valid.apple.com/x"}
        found = load({}, given, read_file=lambda path: None).config.additional_log_lists
        self.assertEqual(
            [(each.url, each.signed) for each in found],
            [("https://a", True), ("https://valid.apple.com/x", False)],
        )

    def test_problems(self) -> None:
        """Each names its place."""
        for yaml, problem in (
            ("[7]", "[0]: expected a URL, or {url: URL, key: PEM file, signed: true or"),
            ("[{key: a}]", "[0].url: expected an http:// or"),
            ("[{url: 'https://a', keys: b}]", "[0].keys: unknown key"),
            ("[{url: 'https://a', signed: perhaps}]", "[0].signed: expected true or false"),
            ("[{url: 'http://a', signed: false}]", "[0].url: expected https://, because nothing"),
            ("[{url: 'https://a', key: k, signed: false}]", "[0].key: expected nothing"),
            ("['https://a', 'https://a']", "[1].url: expected a list of its own, got that of"),
        ):
            (told,) = self.problems(f"additional_log_lists: {yaml}")
            self.assertTrue(told.startswith("additional_log_lists" + problem), told)


class SupportTests(LoadTestCase):
    """What this version cannot honour."""

    def test_ignored(self) -> None:
        """Where it does none, a warning."""
        loaded = self.load("static_logs: [{name: a, url: 'http://a', batch_size: 5}]")
        self.assertEqual(loaded.warnings, ("static_logs[0].batch_size: no effect yet",))
        self.assertEqual(loaded.config.static_logs[0].batch_size, 5)

    def test_defaults_are_fine(self) -> None:
        """A file may write down what is off anyway."""
        loaded = self.load(
            "auth: {enabled: false, tokens: [a]}\ndedup: {enabled: false, ttl_secs: 5}"
        )
        self.assertEqual(loaded.warnings, ())


class RustFileTests(LoadTestCase):
    """Files of certstream-server-rust."""

    def test_first_version(self) -> None:
        """Its keys are ours."""
        config = self.load(
            """
host: "0.0.0.0"
port: 8080
log_level: "info"
buffer_size: 1000
protocols: {websocket: true, sse: false, tcp: false, tcp_port: 8081, metrics: true, health: true}
ct_log:
  retry_max_attempts: 3
  retry_initial_delay_ms: 100
  retry_max_delay_ms: 5000
  request_timeout_secs: 30
  healthy_threshold: 3
  unhealthy_threshold: 5
  health_check_interval_secs: 60
  state_file: "/data/state.json"
connection_limit: {enabled: false, max_connections: 10000, per_ip_limit: null}
rate_limit: {enabled: false, per_second: 10, burst_size: 20}
auth: {enabled: false, tokens: ["secret-token-1"], header_name: "Authorization"}
hot_reload: {enabled: false}
custom_logs: [{name: "My log", url: "https://log.example/2026/"}]
"""
        ).config
        self.assertEqual(config.ct_log.state_file, "/data/state.json")
        self.assertEqual(config.list_cache, "/data/log_lists")
        self.assertIsNone(config.connection_limit.per_ip_limit)
        self.assertEqual(config.custom_logs[0].url, "https://log.example/2026")

    def test_later_versions(self) -> None:
        """Mapped where there is an equal, else named in a warning; the file starts."""
        loaded = self.load(
            """
rate_limit: {enabled: false, max_tokens: 100.0, refill_rate: 12.4, burst: 20, window_seconds: 60}
ct_log:
  checkpoint_signature_mode: warn
  catalog_authority_overrides: {apple: true}
  force_http1_operators: [digicert]
  names_tiles: off
  log_refresh_interval_secs: 0
nats: {enabled: false, url: "nats://127.0.0.1"}
static_logs:
- {name: a, url: "https://a", expected_log_id: "pcl4kl1XRheChw3YiWYLXFVki30AQPLsB2hR0YhpGfc=",
   batch_size: 128, tree_size_source: checkpoint}
"""
        )
        limits = loaded.config.rate_limit
        self.assertEqual((limits.per_second, limits.burst_size), (12, 100))
        self.assertEqual(loaded.config.ct_log.log_refresh_interval_secs, 0)
        self.assertEqual(len(loaded.config.static_logs[0].expected_log_id or b""), 32)
        for key in (
            "rate_limit.window_seconds",
            "ct_log.checkpoint_signature_mode",
            "ct_log.catalog_authority_overrides",
            "ct_log.force_http1_operators",
            "ct_log.names_tiles",
            "nats",
            "static_logs[0].batch_size",
        ):
            self.assertTrue(any(w.startswith(f"{key}: ") for w in loaded.warnings), key)

    def test_mapped_value_is_judged(self) -> None:
        """Under the name it has in the file as well; our own key has the last word."""
        self.assertEqual(
            self.problems("rate_limit: {refill_rate: fast}"),
            ('rate_limit.per_second: expected a number, got "fast" (rate_limit.refill_rate)',),
        )
        self.assertEqual(
            self.problems("rate_limit: {refill_rate: 1e9}"),
            (
                "rate_limit.per_second: expected an integer from 1 to 1000000, got 1000000000"
                " (rate_limit.refill_rate)",
            ),
        )
        both = self.load("rate_limit: {max_tokens: 5, burst_size: 7}").config
        self.assertEqual(both.rate_limit.burst_size, 7)
