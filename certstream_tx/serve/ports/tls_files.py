"""TLS from a certificate file and a key file, which may be replaced while the server runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from OpenSSL.crypto import Error as CryptoError
from twisted.application.service import Service
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.task import LoopingCall
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from certstream_tx.events import logger
from certstream_tx.serve.ports.listening import ListenError
from certstream_tx.watched import Mark, mark_of_file

log = logger("certstream_tx.serve")

LOOK_SECONDS: Final = 2.0
"""between two looks at the files; a change is taken over once it has rested that long"""
MAX_FILE_BYTES: Final = 1024 * 1024
"""of each file; a chain takes some 5 KB"""


class TLSFileError(ListenError):
    """The files cannot be used; the text names the one and says why."""


@implementer(IOpenSSLServerConnectionCreator)
class TLSFiles(Service):
    """The TLS side of every new connection, and a look at the files from time to time.

    Both files are read, and the key held against the certificate, before either is used: a pair
    that is half written, or of which only one file is there yet, changes nothing. Connections that
    exist keep what they began with.

    :param certificate: PEM file of the certificate, followed by those that lead to its root
    :param key: PEM file of the private key, without a password
    """

    def __init__(self, certificate: str, key: str, clock: IReactorTime) -> None:
        """Read both files. Raises TLSFileError."""
        self._certificate = certificate
        self._key = key
        # What is looked at may change while it is read: then the next look sees it.
        self._used = self._seen = self._marks()
        self._options, self.valid_until = read_pair(certificate, key)
        self._watch = LoopingCall(self.look)
        self._watch.clock = clock
        self._clock = clock

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """The TLS side of one new connection; all of one pair share a context."""
        connection: SSL.Connection = self._options.serverConnectionForTLS(protocol)
        return connection

    def startService(self) -> None:
        """Begin to watch."""
        super().startService()
        self._tell("TLS certificate {certificate} is valid until {until}")
        self._watch.start(LOOK_SECONDS, now=False)

    def stopService(self) -> None:
        """Watch no more."""
        super().stopService()
        if self._watch.running:
            self._watch.stop()

    def look(self) -> None:
        """Take the files over if they have changed, and not since the last look."""
        marks = self._marks()
        rested = marks == self._seen
        self._seen = marks
        if rested and marks != self._used:
            self._used = marks
            try:
                self.reload()
            except Exception:
                log.failure("Reading the TLS files failed; the former ones stay.")

    def reload(self) -> bool:
        """Read the files now, whether they changed or not; True if what they hold is used now."""
        marks = self._marks()
        try:
            self._options, self.valid_until = read_pair(self._certificate, self._key)
        except TLSFileError as error:
            log.warn("TLS files were not taken over, the former ones stay: {error}", error=error)
            return False
        self._used = marks
        self._tell("TLS certificate {certificate} was taken over; it is valid until {until}")
        return True

    def prepare(self, certificate: str, key: str) -> Callable[[], None]:
        """Read two other files; what is returned puts them in force. Raises TLSFileError."""
        marks = mark_of_file(certificate), mark_of_file(key)
        options, valid_until = read_pair(certificate, key)

        def use() -> None:
            self._certificate, self._key = certificate, key
            self._options, self.valid_until = options, valid_until
            self._used = self._seen = marks
            self._tell("TLS certificate {certificate} was taken over; it is valid until {until}")

        return use

    def _tell(self, text: str) -> None:
        until = self.valid_until
        shown = f"{until:%Y-%m-%d %H:%M} UTC"
        if until.timestamp() <= self._clock.seconds():
            log.warn(
                "TLS certificate {certificate} has expired on {until}: clients will refuse it",
                certificate=self._certificate,
                until=shown,
            )
        else:
            log.info(text, certificate=self._certificate, until=shown)

    def _marks(self) -> tuple[Mark, Mark]:
        return mark_of_file(self._certificate), mark_of_file(self._key)


def read_pair(certificate: str, key: str) -> tuple[CertificateOptions, datetime]:
    """What connections need, and the end of the certificate's validity. Raises TLSFileError."""
    chain_pem, key_pem = _read("tls_cert", certificate), _read("tls_key", key)
    try:
        first, *others = x509.load_pem_x509_certificates(chain_pem)
        public = first.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TLSFileError(
            f"tls_cert {certificate}: no certificate chain in PEM: {_line(error)}"
        ) from error
    try:
        private = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a password
        raise TLSFileError(f"tls_key {key}: no private key in PEM: {_line(error)}") from error
    if private.public_key() != public:
        raise TLSFileError(f"tls_key {key}: not the key of the first certificate in {certificate}")
    try:
        options = CertificateOptions(
            privateKey=PKey.from_cryptography_key(private),  # type: ignore[arg-type]
            certificate=X509.from_cryptography(first),
            extraCertChain=[X509.from_cryptography(each) for each in others],
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        options.getContext()  # OpenSSL judges the pair here, and not at the first connection
    except (SSL.Error, CryptoError, TypeError, ValueError) as error:
        raise TLSFileError(f"tls_cert {certificate}: OpenSSL refuses it: {_line(error)}") from error
    return options, first.not_valid_after_utc.astimezone(UTC)


def _read(name: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TLSFileError(f"{name} {path}: {error.strerror or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise TLSFileError(f"{name} {path}: larger than {MAX_FILE_BYTES} bytes")
    return data


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
