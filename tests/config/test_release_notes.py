"""The configuration of certstream-server-rust's release notes 1.0.0 to 1.0.3, as it stands there.

What this version does not support yet must be refused by its name, and by nothing else; the day it
is supported, the values below are what it has to come to.
"""

from collections.abc import Mapping
from functools import reduce

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config import Config, ConfigError, load
from certstream_tx.config.keys import Support
from certstream_tx.config.reading import LEAVES

EXAMPLES: dict[str, tuple[str, dict[str, object]]] = {
    "state persistence": (
        'ct_log:\n  state_file: "/data/state.json"\n',
        {"ct_log.state_file": "/data/state.json"},
    ),
    "rate limiting": (
        "rate_limit:\n  enabled: true\n  per_second: 10\n  burst_size: 20\n",
        {"rate_limit.enabled": True, "rate_limit.per_second": 10, "rate_limit.burst_size": 20},
    ),
    "connection limiting": (
        "connection_limit:\n  enabled: true\n  max_connections: 10000\n  per_ip_limit: 100\n",
        {
            "connection_limit.enabled": True,
            "connection_limit.max_connections": 10000,
            "connection_limit.per_ip_limit": 100,
        },
    ),
    "token authentication": (
        "auth:\n  enabled: true\n  tokens:\n"
        '    - "secret-token-1"\n    - "secret-token-2"\n  header_name: "Authorization"\n',
        {"auth.enabled": True, "auth.header_name": "Authorization"},
    ),
    "hot reload": ("hot_reload:\n  enabled: true\n", {"hot_reload.enabled": True}),
    "health of logs": (
        "ct_log:\n  retry_max_attempts: 3\n  retry_initial_delay_ms: 100\n"
        "  retry_max_delay_ms: 5000\n  request_timeout_secs: 30\n  healthy_threshold: 3\n"
        "  unhealthy_threshold: 5\n  health_check_interval_secs: 60\n",
        {
            "ct_log.retry_max_attempts": 3,
            "ct_log.retry_initial_delay_ms": 100,
            "ct_log.retry_max_delay_ms": 5000,
            "ct_log.request_timeout_secs": 30,
            "ct_log.healthy_threshold": 3,
            "ct_log.unhealthy_threshold": 5,
            "ct_log.health_check_interval_secs": 60,
        },
    ),
    "protocols": (
        "protocols:\n  websocket: true    # Default: true\n"
        "  sse: true          # Default: false\n  tcp: true          # Default: false\n"
        "  tcp_port: 8081     # Default: HTTP_PORT + 1\n",
        {
            "protocols.websocket": True,
            "protocols.sse": True,
            "protocols.tcp": True,
            "protocols.tcp_port": 8081,
        },
    ),
}

VARIABLES: dict[str, tuple[str, str, object]] = {
    "CERTSTREAM_CT_LOG_STATE_FILE": ("/data/state.json", "ct_log.state_file", "/data/state.json"),
    "CERTSTREAM_WS_ENABLED": ("true", "protocols.websocket", True),
    "CERTSTREAM_SSE_ENABLED": ("true", "protocols.sse", True),
    "CERTSTREAM_TCP_ENABLED": ("true", "protocols.tcp", True),
    "CERTSTREAM_TCP_PORT": ("8081", "protocols.tcp_port", 8081),
}


def all_examples() -> str:
    """As one file."""
    sections: dict[str, str] = {}
    for text, _ in EXAMPLES.values():
        name, _, body = text.partition("\n")
        sections[name] = sections.get(name, "") + body
    return "".join(f"{name}\n{body}" for name, body in sections.items())


def refused_yet(values: Mapping[str, object]) -> list[str]:
    """The problems that this version must have with these values, and no other."""
    return [
        f"{path}: {Support.REFUSED.value}"
        for path, value in values.items()
        if LEAVES[path].key.support is Support.REFUSED and value != LEAVES[path].default
    ]


class ReleaseNotesTests(SynchronousTestCase):
    """Each example alone, all together, and each variable."""

    def assert_read(
        self, text: str, environment: Mapping[str, str], expected: Mapping[str, object]
    ) -> Config | None:
        """The values are those; or the only problem is what is not supported yet."""
        refused = refused_yet(expected)
        files = {"config.yaml": text.encode()}
        try:
            loaded = load({}, environment, read_file=files.get)
        except ConfigError as error:
            self.assertEqual(sorted(error.problems), sorted(refused))
            return None
        self.assertEqual(refused, [])
        for path, value in expected.items():
            self.assertEqual(reduce(getattr, path.split("."), loaded.config), value, path)
        return loaded.config

    def test_each_example(self) -> None:
        """As a file of its own."""
        for text, expected in EXAMPLES.values():
            config = self.assert_read(text, {}, expected)
            if config is not None and "auth.enabled" in expected:
                tokens = [token.text for token in config.auth.tokens]
                self.assertEqual(tokens, ["secret-token-1", "secret-token-2"])

    def test_all_examples(self) -> None:
        """As one file."""
        everything: dict[str, object] = {}
        for _, expected in EXAMPLES.values():
            everything |= expected
        self.assert_read(all_examples(), {}, everything)

    def test_each_variable(self) -> None:
        """It sets its key, over the file."""
        for name, (text, path, expected) in VARIABLES.items():
            self.assert_read("", {name: text}, {path: expected})

    def test_variables_over_file(self) -> None:
        """What is refused in the file may be allowed by the environment, which says otherwise."""
        text, _ = EXAMPLES["protocols"]
        off = {"CERTSTREAM_SSE_ENABLED": "false", "CERTSTREAM_TCP_ENABLED": "false"}
        config = self.assert_read(text, off, {"protocols.sse": False, "protocols.tcp": False})
        assert config is not None
        self.assertEqual(config.protocols.tcp_port, 8081)
