"""Tests of certstream_tx.library.serving."""

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx import ConfigError, StartError, make_server
from certstream_tx.serve.ports.tls_files import TLSFiles
from certstream_tx.service.server import Server
from tests.serve.certificates import make_pair


class MakeServerTests(SynchronousTestCase):
    """A server by settings, or by a file."""

    def setUp(self) -> None:
        before = reactor.nameResolver  # type: ignore[attr-defined]
        self.addCleanup(reactor.installNameResolver, before)  # type: ignore[attr-defined]
        self.state = str(Path(self.mktemp()).absolute())

    def test_settings(self) -> None:
        """A service with its ports; sections are dictionaries."""
        server = make_server(
            reactor,
            listen=["tcp:0:interface=127.0.0.1"],
            ct_logs_url=None,
            custom_logs=[{"name": "a", "url": "http://127.0.0.1:9"}],
            protocols={"tcp": True},
            ct_log={"state_file": None},
        )
        assert isinstance(server, Server)
        ports = [part for part in server if hasattr(part, "description")]
        self.assertEqual(len(ports), 2)
        self.assertIsNone(server.log_observer)

    def test_certificate_that_no_port_uses(self) -> None:
        """It is not read, and nothing is said of how long it is valid."""
        pair = make_pair("localhost")
        key, chain = Path(self.mktemp()).absolute(), Path(self.mktemp()).absolute()
        key.write_bytes(pair.key_pem())
        chain.write_bytes(pair.pem)
        tls = {"tls_cert": "/nowhere/c.pem", "tls_key": "/nowhere/k.pem"}
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={chain}"
        server = make_server(reactor, listen=[endpoint], ct_log={"state_file": None}, **tls)
        assert isinstance(server, Server)
        self.assertEqual([part for part in server if isinstance(part, TLSFiles)], [])
        with self.assertRaises(ConfigError) as refused:
            make_server(reactor, listen=["tcp:0"], ct_log={"state_file": None}, **tls)
        self.assertIn("no port would use it", str(refused.exception))

    def test_environment_is_not_looked_at(self) -> None:
        """An application says itself how its parts are."""
        self.patch(__import__("os"), "environ", {"CERTSTREAM_PORT": "nonsense"})
        make_server(reactor, ct_log={"state_file": None})

    def test_file(self) -> None:
        """As the server's own, and found again wherever the process goes."""
        path = Path(self.mktemp())
        path.write_text("ct_log: {state_file: null}\nlisten: ['tcp:0']\n")
        make_server(reactor, config_file=path)

    def test_refusals(self) -> None:
        """What is wrong is raised, naming the key or the file."""
        for settings, text in (
            ({"prot": 1}, "prot"),
            ({"port": "many"}, "port"),
            ({"ct_log": {"batch_size": 0}}, "ct_log.batch_size"),
            ({"config_file": "/nowhere/a.yaml"}, "/nowhere/a.yaml"),
        ):
            error = self.assertRaises(ConfigError, make_server, reactor, **settings)
            self.assertIn(text, str(error))
        for settings, text in (
            ({"listen": ["nonsense:1"]}, "nonsense:1"),
            ({"tls_cert": "/nowhere/c.pem", "tls_key": "/nowhere/k.pem"}, "tls_cert /nowhere"),
            ({"ct_log": {"state_file": "/nowhere/state.json"}}, "/nowhere does not exist"),
            ({"port": "many"}, "port"),
        ):
            error = self.assertRaises(
                StartError, make_server, reactor, **{"ct_log": {"state_file": None}, **settings}
            )
            self.assertIn(text, str(error))
        self.assertRaises(TypeError, make_server, reactor, config_file="a.yaml", port=1)
