"""Checkpoints: the real one, ones with many signatures, and malformed ones."""

from base64 import b64decode, b64encode
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ct.checkpoint import (
    MAX_CHECKPOINT_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    CheckpointError,
    NoteSignature,
    head_signature,
    key_id,
    read_checkpoint,
    signed_head,
    write_checkpoint,
)
from certstream_tx.ct.signatures import LogKey, SignedHead, digitally_signed, head_input
from tests.ct.samples import FEW, PROPERTY, damaged, fixture, fixture_json, hashes

REAL = fixture("static/checkpoint")
REAL_ORIGIN = "rome2026h1.example.org"
REAL_KEY = LogKey(b64decode(fixture_json("static/log.v3.json")["key"]))

ORIGIN = "log.example/2026"
ROOT = sha256(b"root").digest()

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def signer() -> ec.EllipticCurvePrivateKey:
    """The key of the log in these tests."""
    return ec.generate_private_key(ec.SECP256R1())


def log_key(key: PrivateKey) -> LogKey:
    """What the log's readers know of its key."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return LogKey(der)


def head_line(key: PrivateKey, size: int = 5, origin: str = ORIGIN) -> NoteSignature:
    """The signature line of a log with this key."""
    signed = digitally_signed(key, head_input(size, 1234, ROOT))
    return head_signature(origin, log_key(key).log_id, SignedHead(size, 1234, ROOT, signed))


def names() -> st.SearchStrategy[str]:
    """Names that a key may have."""
    text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=12)
    return text.filter(lambda name: "+" not in name and not any(map(str.isspace, name)))


def note_signatures() -> st.SearchStrategy[NoteSignature]:
    """Signature lines of any kind of key."""
    return st.builds(
        NoteSignature,
        names(),
        st.binary(min_size=4, max_size=4),
        st.binary(min_size=1, max_size=20),
    )


def checkpoints() -> st.SearchStrategy[Checkpoint]:
    """Checkpoints as any log may publish them."""
    return st.builds(
        Checkpoint,
        names(),
        st.integers(0, 2**64 - 1),
        hashes(),
        st.lists(note_signatures(), min_size=1, max_size=4).map(tuple),
    )


def written(checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint."""
    return write_checkpoint(
        checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.signatures
    )


class RealCheckpointTests(SynchronousTestCase):
    """The checkpoint of a real log, with its real key."""

    def test_read(self) -> None:
        """Origin, size, root, and the one signature with the log's key id."""
        checkpoint = read_checkpoint(REAL)
        final = fixture_json("static/log.v3.json")["final_tree_head"]
        self.assertEqual(checkpoint.origin, REAL_ORIGIN)
        self.assertEqual(checkpoint.size, final["tree_size"])
        self.assertEqual(checkpoint.root, b64decode(final["sha256_root_hash"]))
        ((name, identity, signature),) = checkpoint.signatures
        self.assertEqual(name, REAL_ORIGIN)
        self.assertEqual(identity.hex(), "91507526")
        self.assertEqual(identity, key_id(REAL_ORIGIN, REAL_KEY.log_id))
        self.assertEqual(len(signature), 83)

    def test_verified(self) -> None:
        """The head is signed by the log's key, at the time it says."""
        head = signed_head(read_checkpoint(REAL), REAL_ORIGIN, REAL_KEY)
        self.assertEqual((head.size, head.timestamp), (300, 1767139200000))
        self.assertEqual(head.signature[:4].hex(), "04030047")
        REAL_KEY.verify_head(head)
        self.assertEqual(signed_head(read_checkpoint(REAL), None, REAL_KEY), head)

    def test_unverified(self) -> None:
        """Without a key the same head is taken from the line's name and form."""
        verified = signed_head(read_checkpoint(REAL), REAL_ORIGIN, REAL_KEY)
        self.assertEqual(signed_head(read_checkpoint(REAL)), verified)

    def test_another_size_is_refused(self) -> None:
        """300 entries changed to 301 fail."""
        changed = read_checkpoint(REAL.replace(b"\n300\n", b"\n301\n"))
        self.assertRaises(CheckpointError, signed_head, changed, REAL_ORIGIN, REAL_KEY)

    def test_every_truncation_is_refused(self) -> None:
        """A checkpoint that ends anywhere before its end is none."""
        for end in range(len(REAL)):
            self.assertRaises(CheckpointError, read_checkpoint, REAL[:end])

    def test_every_changed_byte_is_refused(self) -> None:
        """One bit changed anywhere: not readable, or not signed by the log."""
        for place in range(len(REAL)):
            changed = REAL[:place] + bytes([REAL[place] ^ 1]) + REAL[place + 1 :]
            with self.assertRaises(CheckpointError):
                signed_head(read_checkpoint(changed), REAL_ORIGIN, REAL_KEY)


class SignedHeadTests(SynchronousTestCase):
    """Picking the right line."""

    def test_ignores_other_lines(self) -> None:
        """Lines of other names, and of other keys under the log's own name, do not matter."""
        (_, identity, signature) = head_line(signer())
        others = [
            NoteSignature("grease.invalid", b"\x01\x02\x03\x04", b"noise"),
            NoteSignature(ORIGIN, b"\x05\x06\x07\x08", b"an Ed25519 signature of the same log"),
            NoteSignature("witness.example", identity, signature),
            NoteSignature(ORIGIN, b"\x09\x0a\x0b\x0c", b"a cosignature"),
        ]
        for place in range(5):
            lines = [*others[:place], head_line(signer()), *others[place:]]
            checkpoint = read_checkpoint(write_checkpoint(ORIGIN, 5, ROOT, lines))
            for key in (log_key(signer()), None):
                head = signed_head(checkpoint, ORIGIN, key)
                self.assertEqual((head.size, head.timestamp, head.root), (5, 1234, ROOT))

    def test_rsa(self) -> None:
        """A log with an RSA key."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        body = write_checkpoint(ORIGIN, 5, ROOT, [head_line(key)])
        self.assertEqual(signed_head(read_checkpoint(body), ORIGIN, log_key(key)).size, 5)

    def test_no_line_of_the_log(self) -> None:
        """Only lines of others: no head, with a key and without."""
        other = ec.generate_private_key(ec.SECP256R1())
        for line in (
            head_line(signer(), origin="other.example"),
            NoteSignature(ORIGIN, key_id(ORIGIN, b"other"), b"no head"),
        ):
            checkpoint = read_checkpoint(write_checkpoint(ORIGIN, 5, ROOT, [line]))
            self.assertRaises(CheckpointError, signed_head, checkpoint, ORIGIN, log_key(signer()))
            self.assertRaises(CheckpointError, signed_head, checkpoint)
        checkpoint = read_checkpoint(write_checkpoint(ORIGIN, 5, ROOT, [head_line(signer())]))
        self.assertRaises(CheckpointError, signed_head, checkpoint, ORIGIN, log_key(other))

    def test_another_origin(self) -> None:
        """A checkpoint of another origin than the configured one says both names."""
        checkpoint = read_checkpoint(write_checkpoint(ORIGIN, 5, ROOT, [head_line(signer())]))
        failure = self.assertRaises(
            CheckpointError, signed_head, checkpoint, "other.example", log_key(signer())
        )
        self.assertIn("other.example", str(failure))
        self.assertIn(ORIGIN, str(failure))

    def test_signature_of_another_head(self) -> None:
        """The right line with a signature over something else is refused."""
        checkpoint = read_checkpoint(write_checkpoint(ORIGIN, 6, ROOT, [head_line(signer(), 5)]))
        self.assertRaises(CheckpointError, signed_head, checkpoint, ORIGIN, log_key(signer()))

    @PROPERTY
    @given(st.binary(min_size=1, max_size=90))
    def test_any_signature(self, noise: bytes) -> None:
        """A line with the right name and key id and any signature raises CheckpointError."""
        line = NoteSignature(ORIGIN, key_id(ORIGIN, log_key(signer()).log_id), noise)
        checkpoint = Checkpoint(ORIGIN, 5, ROOT, (line,))
        self.assertRaises(CheckpointError, signed_head, checkpoint, ORIGIN, log_key(signer()))


class ReaderTests(SynchronousTestCase):
    """The strict form of a checkpoint."""

    @PROPERTY
    @given(checkpoints())
    def test_read_undoes_write(self, checkpoint: Checkpoint) -> None:
        """What is written is read as it was, whatever the names and however many signatures."""
        self.assertEqual(read_checkpoint(written(checkpoint)), checkpoint)

    @FEW
    @given(checkpoints())
    def test_truncations(self, checkpoint: Checkpoint) -> None:
        """Cut anywhere it is none, but for whole signature lines, each of which may be left out."""
        body = written(checkpoint)
        read = 0
        for end in range(len(body)):
            try:
                cut = read_checkpoint(body[:end])
            except CheckpointError:
                continue
            read += 1
            self.assertEqual(cut.signatures, checkpoint.signatures[:read])
            self.assertEqual(
                (cut.origin, cut.size, cut.root),
                (checkpoint.origin, checkpoint.size, checkpoint.root),
            )
        self.assertEqual(read, len(checkpoint.signatures) - 1)

    @PROPERTY
    @given(
        st.one_of(
            st.binary(max_size=100),
            st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
            damaged(REAL),
        )
    )
    def test_any_bytes(self, body: bytes) -> None:
        """Bytes of any kind are a checkpoint written as it was, or raise CheckpointError."""
        try:
            checkpoint = read_checkpoint(body)
        except CheckpointError:
            return
        self.assertEqual(written(checkpoint), body)

    def test_numbers_have_one_form(self) -> None:
        """No sign, space, leading zero, other digits, or more than 64 bits."""
        line = head_line(signer())
        for size in (0, 1, 2**64 - 1):
            body = write_checkpoint(ORIGIN, size, ROOT, [line])
            self.assertEqual(read_checkpoint(body).size, size)
        good = write_checkpoint(ORIGIN, 5, ROOT, [line])
        for wrong in (
            "",
            "05",
            "+5",
            "-5",
            " 5",
            "5 ",
            "5_0",
            "\u0665",
            "5.0",
            "0x5",
            str(2**64),
            "9" * 40,
            "9" * 60000,
        ):
            self.refused(good.replace(b"\n5\n", b"\n" + wrong.encode() + b"\n", 1))

    def test_base64_has_one_form(self) -> None:
        """Stray bits, missing padding, other alphabets and spaces are refused."""
        good = write_checkpoint(ORIGIN, 5, ROOT, [head_line(signer())])
        root = b64encode(ROOT)
        for wrong in (
            root.rstrip(b"="),
            root + b"=",
            root[:-2] + bytes([root[-2] + 1]) + b"=",
            root.replace(b"+", b"-").replace(b"/", b"_")[:-1] + b"!",
            root[:10] + b" " + root[10:],
            b64encode(ROOT[:31]),
            b64encode(ROOT + b"\x00"),
            b"",
            "\u00e9".encode() * 22,
        ):
            self.refused(good.replace(root, wrong))

    def test_lines(self) -> None:
        """Extension lines, missing lines, doubled blank lines and carriage returns are refused."""
        good = write_checkpoint(ORIGIN, 5, ROOT, [head_line(signer())])
        head, signatures = good.split(b"\n\n")
        for wrong in (
            head + b"\nextension\n\n" + signatures,
            head.split(b"\n", 1)[1] + b"\n\n" + signatures,
            head + b"\n" + signatures,
            head + b"\n\n\n" + signatures,
            b"\n" + good,
            good + b"\n",
            good + b"\n\n",
            head + b"\n\n",
            good.replace(b"\n", b"\r\n"),
            good.replace(ORIGIN.encode(), b"log\x00"),
            good.replace(ORIGIN.encode(), b"log\x1b"),
            good.replace(ORIGIN.encode(), b"", 1),
            good.replace(ORIGIN.encode(), b"two words", 1),
            good.replace(ORIGIN.encode(), b"log\xff", 1),
        ):
            self.refused(wrong)

    def test_signature_lines(self) -> None:
        """A malformed signature line, of whoever it is, makes the note a malformed one."""
        good = write_checkpoint(ORIGIN, 5, ROOT, [head_line(signer())])
        for wrong in (
            "- name AAAAAAA=",
            "\u2014name AAAAAAA=",
            "\u2014 name",
            "\u2014 name ",
            "\u2014  AAAAAAA=",
            "\u2014 AAAAAAA=",
            "\u2014 two names AAAAAAA=",
            "\u2014 a+b AAAAAAA=",
            "\u2014 a\u00a0b AAAAAAA=",
            "\u2014 name AAAA",
            "\u2014 name AAAAAA==",
            "\u2014 name AAAAAAA",
            "\u2014 name AAAAAAB=",
            "\u2014 name AAAAAAA= ",
        ):
            self.refused(good + wrong.encode() + b"\n")
        self.assertEqual(
            len(read_checkpoint(good + "\u2014 name AAAAAAA=\n".encode()).signatures), 2
        )

    def test_bounds(self) -> None:
        """At most 100 signatures and 64 KiB."""
        line = head_line(signer())
        most = write_checkpoint(ORIGIN, 5, ROOT, [line] * MAX_SIGNATURES)
        self.assertEqual(len(read_checkpoint(most).signatures), MAX_SIGNATURES)
        self.refused(write_checkpoint(ORIGIN, 5, ROOT, [line] * (MAX_SIGNATURES + 1)))
        self.refused(write_checkpoint(ORIGIN, 5, ROOT, [line] * 1000))
        name = "n" * (MAX_CHECKPOINT_BYTES - len(write_checkpoint("", 5, ROOT, [line])))
        self.assertEqual(read_checkpoint(write_checkpoint(name, 5, ROOT, [line])).origin, name)
        self.refused(write_checkpoint(name + "n", 5, ROOT, [line]))

    def refused(self, body: bytes) -> None:
        """This is no checkpoint."""
        self.assertRaises(CheckpointError, read_checkpoint, body)
