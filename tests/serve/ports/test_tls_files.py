"""Tests of :mod:`certstream_tx.serve.ports.tls_files`."""

import contextlib
import datetime
import os
import tempfile
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.serve.ports import tls_files
from certstream_tx.serve.ports.tls_files import LOOK_SECONDS, MAX_FILE_BYTES, TLSFileError, TLSFiles
from tests.events import collected_events
from tests.serve.certificates import Pair, make_pair


class Echo(Protocol):
    """Sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Visit:
    """A TLS client's connection to a server with these files, in memory."""

    def __init__(self, files: TLSFiles, clock: Clock, version: int | None = None) -> None:
        self.clock = clock
        wrapper = TLSMemoryBIOFactory(files, False, Factory.forProtocol(Echo), clock=clock)
        self.server = wrapper.buildProtocol(None)
        self.wire = StringTransport()
        self.server.makeConnection(self.wire)
        context = SSL.Context(SSL.TLS_METHOD)
        if version is not None:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
        self.client = SSL.Connection(context, None)
        self.client.set_connect_state()
        try:
            self.client.do_handshake()
        except SSL.WantReadError:
            self.exchange()
        self.client.do_handshake()

    def exchange(self) -> None:
        """Pass on what both sides have to say, until neither has any more."""
        for _ in range(5):
            with contextlib.suppress(SSL.WantReadError):
                self.server.dataReceived(self.client.bio_read(1 << 16))
            self.clock.advance(0)
            if self.wire.value():
                self.client.bio_write(self.wire.value())
                self.wire.clear()
            with contextlib.suppress(SSL.WantReadError):
                self.client.do_handshake()

    def echo(self, data: bytes) -> bytes:
        """What comes back."""
        self.client.send(data)
        self.exchange()
        return self.client.recv(1 << 16)

    @property
    def names(self) -> list[str]:
        """Of the chain that the server showed, its own first."""
        return [each.get_subject().CN for each in self.client.get_peer_cert_chain() or ()]


class TLSFilesTestCase(SynchronousTestCase):
    """A folder with the files of a pair called ``first``."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.certificate = self.folder / "chain.pem"
        self.key = self.folder / "key.pem"
        self.clock = Clock()
        self.clock.advance(datetime.datetime.now(datetime.UTC).timestamp())
        self.first = make_pair("first")
        self.write(self.first)

    def write(self, pair: Pair, *others: Pair) -> None:
        """Put a pair there, with the rest of its chain."""
        self.certificate.write_bytes(b"".join(each.pem for each in (pair, *others)))
        self.key.write_bytes(pair.key_pem())

    def files(self) -> TLSFiles:
        return TLSFiles(str(self.certificate), str(self.key), self.clock)

    def started(self) -> TLSFiles:
        files = self.files()
        files.startService()
        self.addCleanup(files.stopService)
        return files

    def rest(self, looks: int = 2) -> None:
        """Let it look at the files."""
        for _ in range(looks):
            self.clock.advance(LOOK_SECONDS)

    def names(self, files: TLSFiles) -> list[str]:
        return Visit(files, self.clock).names


class ServingTests(TLSFilesTestCase):
    """What clients see."""

    def test_chain(self) -> None:
        """The certificate and, in their order, those that lead to the root."""
        root = make_pair("root")
        middle = make_pair("middle", root)
        self.write(make_pair("leaf", middle), middle, root)
        self.assertEqual(self.names(self.files()), ["leaf", "middle", "root"])

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3, nothing older."""
        files = self.files()
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertEqual(Visit(files, self.clock, version).echo(b"hello"), b"hello")
        for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
            with self.assertRaises(SSL.Error):
                Visit(files, self.clock, version)

    def test_one_context(self) -> None:
        """All connections share what was read once."""
        files = self.files()
        one, other = (Visit(files, self.clock).server._tlsConnection for _ in range(2))
        self.assertIs(one.get_context(), other.get_context())

    def test_one_file(self) -> None:
        """A file with both is taken for both."""
        self.certificate.write_bytes(self.first.key_pem() + self.first.pem)
        both = TLSFiles(str(self.certificate), str(self.certificate), self.clock)
        self.assertEqual(self.names(both), ["first"])


class ReloadTests(TLSFilesTestCase):
    """The files change."""

    def test_new_pair(self) -> None:
        """New connections get the new pair; those that there are go on."""
        files = self.started()
        before = Visit(files, self.clock)
        self.write(make_pair("second"))
        self.rest()
        self.assertEqual(self.names(files), ["second"])
        self.assertEqual(before.names, ["first"])
        self.assertEqual(before.echo(b"still here"), b"still here")

    def test_not_while_it_changes(self) -> None:
        """A chain that grows is taken when it has stopped growing."""
        files = self.started()
        middle = make_pair("middle")
        leaf = make_pair("leaf", middle)
        self.write(leaf)
        self.rest(1)
        self.write(leaf, middle)
        self.rest(1)
        self.assertEqual(self.names(files), ["first"])
        self.rest(1)
        self.assertEqual(self.names(files), ["leaf", "middle"])

    def test_one_file_after_the_other(self) -> None:
        """While only one of the files is new, the former pair is served."""
        for name in ("certificate", "key"):
            files = self.started()
            second = make_pair("second")
            before = self.names(files)
            halves = [(self.certificate, second.pem), (self.key, second.key_pem())]
            for path, data in halves if name == "certificate" else reversed(halves):
                self.assertEqual(self.names(files), before)
                path.write_bytes(data)
                self.rest(4)
            self.assertEqual(self.names(files), ["second"])

    def test_cut_anywhere(self) -> None:
        """A file that ends anywhere before its end is not taken over."""
        files = self.files()
        second = make_pair("second")
        for path, data, other, rest in (
            (self.certificate, second.pem, self.key, second.key_pem()),
            (self.key, second.key_pem(), self.certificate, second.pem),
        ):
            other.write_bytes(rest)
            for length in (*range(0, len(data) - 30, 23), *range(len(data) - 30, len(data) - 1)):
                path.write_bytes(data[:length])
                self.assertFalse(files.reload(), (path, length))
        self.assertEqual(self.names(files), ["first"])
        self.write(second)
        self.assertTrue(files.reload())
        self.assertEqual(self.names(files), ["second"])

    def test_swapped_links(self) -> None:
        """Links to a folder that is replaced, as Kubernetes mounts secrets."""
        for name, pair in (("one", self.first), ("two", make_pair("second"))):
            (self.folder / name).mkdir()
            (self.folder / name / "chain.pem").write_bytes(pair.pem)
            (self.folder / name / "key.pem").write_bytes(pair.key_pem())
        data = self.folder / "data"
        data.symlink_to("one")
        files = TLSFiles(str(data / "chain.pem"), str(data / "key.pem"), self.clock)
        files.startService()
        self.addCleanup(files.stopService)
        (self.folder / "next").symlink_to("two")
        os.replace(self.folder / "next", data)
        self.rest()
        self.assertEqual(self.names(files), ["second"])

    def test_gone_and_back(self) -> None:
        """Files that are not there change nothing until they are there again."""
        files = self.started()
        self.certificate.unlink()
        self.key.unlink()
        self.rest(3)
        self.assertEqual(self.names(files), ["first"])
        self.write(make_pair("second"))
        self.rest()
        self.assertEqual(self.names(files), ["second"])

    def test_told_once(self) -> None:
        """Files that cannot be used are a warning that names one, once for each change."""
        files = self.started()
        with collected_events() as events:
            for text in (b"nonsense", b"other nonsense"):
                self.key.write_bytes(text)
                self.rest(5)
        self.assertEqual(self.names(files), ["first"])
        told = [event["log_format"].format(**event) for event in events]
        self.assertEqual(len(told), 2)
        for text in told:
            self.assertIn(f"tls_key {self.key}", text)

    def test_mistake_of_ours(self) -> None:
        """Whatever goes wrong with one change, the next one is seen."""
        files = self.started()
        patch = self.patch(tls_files, "read_pair", None)
        self.write(make_pair("second"))
        self.rest()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual(self.names(files), ["first"])
        patch.restore()
        self.write(make_pair("third"))
        self.rest()
        self.assertEqual(self.names(files), ["third"])

    def test_unchanged(self) -> None:
        """Files that stay are not read again."""
        files = self.started()
        options = files._options
        self.rest(5)
        self.assertIs(files._options, options)

    def test_changed_while_it_starts(self) -> None:
        """What changes between the first reading and the first look is seen."""
        files = self.files()
        self.write(make_pair("second"))
        files.startService()
        self.addCleanup(files.stopService)
        self.rest()
        self.assertEqual(self.names(files), ["second"])

    def test_stopped(self) -> None:
        """It looks no more, and can be started again."""
        files = self.started()
        files.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        files.startService()
        self.write(make_pair("second"))
        self.rest()
        self.assertEqual(self.names(files), ["second"])


class RefusalTests(TLSFilesTestCase):
    """What does not let the server start."""

    def refusal(self) -> str:
        with self.assertRaises(TLSFileError) as refused:
            self.files()
        self.assertNotIn("\n", str(refused.exception))
        return str(refused.exception)

    def test_missing(self) -> None:
        """The file that is not there is named."""
        self.key.unlink()
        self.assertEqual(self.refusal(), f"tls_key {self.key}: No such file or directory")

    def test_another_key(self) -> None:
        """A key of another certificate."""
        self.key.write_bytes(make_pair("other").key_pem())
        self.assertIn("not the key of", self.refusal())

    def test_wrong_order(self) -> None:
        """A chain that does not begin with the certificate of the key."""
        issuer = make_pair("issuer")
        leaf = make_pair("leaf", issuer)
        self.certificate.write_bytes(issuer.pem + leaf.pem)
        self.key.write_bytes(leaf.key_pem())
        self.assertIn("not the key of", self.refusal())

    def test_password(self) -> None:
        """A key that nobody could open."""
        self.key.write_bytes(self.first.key_pem(b"secret"))
        self.assertIn("password", self.refusal().lower())

    def test_swapped_files(self) -> None:
        """Each in place of the other."""
        self.certificate, self.key = self.key, self.certificate
        self.assertIn(f"tls_cert {self.certificate}: no certificate", self.refusal())

    def test_too_large(self) -> None:
        """A file that cannot be meant."""
        self.certificate.write_bytes(self.first.pem + b"\n" * MAX_FILE_BYTES)
        self.assertIn("larger than", self.refusal())

    def test_expired(self) -> None:
        """It is served, and the operator told."""
        ended = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        self.write(make_pair("old", until=ended))
        with collected_events() as events:
            files = self.started()
        self.assertEqual(self.names(files), ["old"])
        self.assertIn("expired", events[-1]["log_format"])
        self.assertEqual(events[-1]["log_level"].name, "warn")
        self.assertEqual(events[-1]["until"], "2020-01-01 00:00 UTC")
