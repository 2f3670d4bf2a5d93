"""Who gets which sighting of a certificate that comes from several logs."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.certificate import Certificate, read_certificate, unread_certificate
from certstream_tx.config.serving import Dedup
from certstream_tx.framing import SSE, WEBSOCKET, WEBSOCKET_DEFLATE
from certstream_tx.hub import Hub, Newest, Stream, View, filters
from certstream_tx.hub.dedup import of_certificate, of_pair
from tests.hub.messages import Numbered, Sink, number_of
from tests.serve.memory import frames_of

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(
    serial: int = 1,
    *,
    name: str = "a.example",
    poison: bool = False,
    issuer_key: ec.EllipticCurvePrivateKey = KEY,
    says_key: bool = True,
) -> Certificate:
    """A certificate that was issued just now, or the precertificate of it."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Issuer")]))
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=90))
        .public_key(KEY.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    if says_key:
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(key_id, critical=False)
    if poison:
        builder = builder.add_extension(x509.PrecertPoison(), critical=True)
    return read_certificate(builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER))


CERTIFICATE, PRECERTIFICATE = made(), made(poison=True)


def of_a_name(name: str) -> Certificate:
    """Like the certificate, but another one."""
    return msgspec.structs.replace(CERTIFICATE, sha256=name, serial_number=name)


class IdentityTests(SynchronousTestCase):
    """What is the same."""

    def test_certificate(self) -> None:
        """The same bytes; a precertificate is another certificate."""
        again = msgspec.structs.replace(CERTIFICATE)
        self.assertEqual(of_certificate(CERTIFICATE), of_certificate(again))
        self.assertNotEqual(of_certificate(CERTIFICATE), of_certificate(PRECERTIFICATE))
        self.assertNotEqual(of_certificate(CERTIFICATE), of_certificate(made(2)))

    def test_pair(self) -> None:
        """The issuer's key and the serial number, and all else that both must say alike."""
        self.assertEqual(of_pair(CERTIFICATE), of_pair(PRECERTIFICATE))
        for other in (
            made(2, poison=True),
            made(name="b.example", poison=True),
            made(issuer_key=OTHER_KEY, poison=True),
        ):
            self.assertNotEqual(of_pair(CERTIFICATE), of_pair(other))

    def test_pair_without_a_key(self) -> None:
        """Who does not say which key signed it is paired with nobody but itself."""
        certificate, precertificate = made(says_key=False), made(says_key=False, poison=True)
        self.assertEqual(of_pair(certificate), of_certificate(certificate))
        self.assertNotEqual(of_pair(certificate), of_pair(precertificate))

    def test_unread(self) -> None:
        """What could not be read is never the same as anything."""
        unread = unread_certificate(b"broken", "broken")
        self.assertIsNone(of_certificate(unread))
        self.assertIsNone(of_pair(unread))

    def test_digests_are_keyed(self) -> None:
        """Two servers, and two views, remember the same certificate by other bytes."""
        kept = set()
        for _ in range(2):
            for view, each in filters(Dedup()).items():
                if view in (View.FIRST, View.PAIR):
                    each.withholds(made(says_key=False), 0)
                    (bucket,) = filter(None, each._recent._buckets)
                    kept.add(bytes(bucket[:16]))
        self.assertEqual(len(kept), 4)


class HubTestCase(SynchronousTestCase):
    """A hub on a clock that is moved by hand."""

    def setUp(self) -> None:
        self.numbers = count()
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.hub = self.make_hub()

    def make_hub(self, **options: Any) -> Hub:
        return Hub(self.clock, epoch="e", filters=filters(Dedup(**options)))

    def publish(self, *certificates: Certificate) -> list[Numbered]:
        messages = [Numbered(next(self.numbers), certificate=each) for each in certificates]
        for message in messages:
            self.hub.publish(message)
        self.hub.flush()
        return messages

    def subscribe(self, view: View | None = None, stream: Stream = Stream.LITE) -> Sink:
        sink = Sink()
        self.hub.subscribe(stream, WEBSOCKET, sink, view=view)
        return sink

    def taken(self, sink: Sink) -> list[int]:
        return [number_of(payload) for _, payload in frames_of(sink.taken)]


class ViewTests(HubTestCase):
    """Three views of each stream."""

    def test_views(self) -> None:
        """Every sighting, the first of each certificate, the first of each pair."""
        every, first, pair = map(self.subscribe, (View.EVERY, View.FIRST, View.PAIR))
        self.publish(PRECERTIFICATE, PRECERTIFICATE, CERTIFICATE, made(2), CERTIFICATE)
        self.assertEqual(self.taken(every), [0, 1, 2, 3, 4])
        self.assertEqual(self.taken(first), [0, 2, 3])
        self.assertEqual(self.taken(pair), [0, 3])

    def test_pair_the_other_way_round(self) -> None:
        """Whichever came first is sent."""
        pair = self.subscribe(View.PAIR)
        self.publish(CERTIFICATE, PRECERTIFICATE)
        self.assertEqual(self.taken(pair), [0])

    def test_who_asks_for_what(self) -> None:
        """Nothing, or what there is not, is as the server is configured."""
        for asked, view in {
            None: View.FIRST,
            "": View.FIRST,
            "on": View.FIRST,
            "1": View.FIRST,
            "off": View.EVERY,
            "pair": View.PAIR,
        }.items():
            self.assertIs(self.hub.view(asked), view)
        off = self.make_hub(enabled=False)
        for asked in (None, "on", "off", "pair"):
            self.assertIs(off.view(asked), View.EVERY)

    def test_switched_off(self) -> None:
        """Everybody gets everything, and nothing is remembered."""
        self.hub = self.make_hub(enabled=False)
        sink = self.subscribe()
        self.publish(CERTIFICATE, CERTIFICATE)
        self.assertEqual(self.taken(sink), [0, 1])
        self.assertEqual((self.hub.remembered, self.hub.counts.duplicates), (0, 0))

    def test_unreadable_ones_are_never_left_out(self) -> None:
        """Each of them may be something else."""
        unread = unread_certificate(b"broken", "broken")
        sinks = list(map(self.subscribe, View))
        self.publish(unread, unread)
        for sink in sinks:
            self.assertEqual(self.taken(sink), [0, 1])
        self.assertEqual(self.hub.remembered, 0)

    def test_time(self) -> None:
        """After a while it is news again."""
        self.hub = self.make_hub(ttl_secs=60)
        sink = self.subscribe()
        self.publish(CERTIFICATE)
        self.clock.advance(59)
        self.publish(CERTIFICATE)
        self.clock.advance(1)
        self.publish(CERTIFICATE)
        self.assertEqual(self.taken(sink), [0, 2])

    def test_capacity(self) -> None:
        """No more is remembered than is configured."""
        self.hub = self.make_hub(capacity=2)
        sink = self.subscribe()
        self.publish(*map(of_a_name, "abcabc"))
        self.assertEqual(self.taken(sink), [0, 1, 2, 3, 4, 5])
        self.assertEqual(self.hub.remembered, 2)
        self.publish(of_a_name("c"))
        self.assertEqual(len(self.taken(sink)), 6)

    def test_all_streams_agree(self) -> None:
        """A sighting is the first one for every stream, or for none."""
        sinks = [self.subscribe(stream=stream) for stream in Stream]
        self.publish(CERTIFICATE, CERTIFICATE, made(2))
        for sink in sinks:
            self.assertEqual(self.taken(sink), [0, 2])

    def test_newest_has_all(self) -> None:
        """What is kept for those who ask for one certificate, and the counts, know of no views."""
        self.hub = Hub(self.clock, newest=Newest(10, indexed=True), filters=filters(Dedup()))
        self.subscribe()
        self.publish(CERTIFICATE, CERTIFICATE)
        self.assertEqual(len(self.hub.newest), 2)
        self.assertEqual(self.hub.counts.published, 2)

    def test_counts(self) -> None:
        """A message that was left out counts once, from however many views."""
        for view in View:
            self.subscribe(view)
            self.subscribe(view, Stream.FULL)
        self.publish(PRECERTIFICATE, PRECERTIFICATE, CERTIFICATE, made(2))
        self.assertEqual(self.hub.counts.duplicates, 2)
        self.assertEqual(self.hub.remembered, 3 + 2)


class CostTests(HubTestCase):
    """Who pays for views."""

    def test_encoded_once(self) -> None:
        """A message has one document a stream, whatever views and wires there are; one that nobody
        gets has none."""
        for view in View:
            for wire in (WEBSOCKET, WEBSOCKET_DEFLATE, SSE):
                self.hub.subscribe(Stream.LITE, wire, Sink(), view=view)
        first, second = self.publish(CERTIFICATE, CERTIFICATE)
        self.assertEqual((first.encoded, second.encoded), (["lite"], ["lite"]))

        self.hub = self.make_hub()
        self.subscribe()
        first, second = self.publish(CERTIFICATE, CERTIFICATE)
        self.assertEqual((first.encoded, second.encoded), (["lite"], []))

    def test_nobody_nothing(self) -> None:
        """Without a client of a view that leaves something out, nothing is remembered."""
        self.publish(CERTIFICATE)
        self.subscribe(View.EVERY)
        self.publish(CERTIFICATE)
        self.assertEqual(self.hub.remembered, 0)
        self.subscribe(View.PAIR)
        self.publish(CERTIFICATE)
        self.assertEqual(self.hub.remembered, 1)
        self.assertEqual(len(list(self.hub.channels())), 2)

    def test_what_nobody_was_sent_is_news(self) -> None:
        """One that passed while nobody was there is not a repetition for who comes then."""
        self.publish(CERTIFICATE)
        sink = self.subscribe()
        self.publish(CERTIFICATE)
        self.assertEqual(self.taken(sink), [1])

    def test_it_could_not_be_encoded(self) -> None:
        """What was not sent has not been seen: the next sighting is."""

        class Broken(Numbered):
            def full(self) -> bytes:
                raise ValueError("broken")

        for view in (View.FIRST, View.PAIR):
            sink = self.subscribe(view, Stream.FULL)
            self.assertRaises(ValueError, self.hub.publish, Broken(7, certificate=CERTIFICATE))
            self.publish(CERTIFICATE, CERTIFICATE)
            self.assertEqual(len(self.taken(sink)), 1)
            self.hub = self.make_hub()


class SequenceTests(HubTestCase):
    """Numbers of messages are a view's own."""

    def test_views_count_for_themselves(self) -> None:
        """So that consecutive numbers say that nothing is missing."""
        for view in (View.EVERY, View.FIRST):
            self.subscribe(view)
        self.publish(CERTIFICATE, CERTIFICATE, made(2))
        self.assertEqual(self.hub.sequence(Stream.LITE, View.EVERY), 3)
        self.assertEqual(self.hub.sequence(Stream.LITE, View.FIRST), 2)

    def test_unused_view_moves_on(self) -> None:
        """Who returns sees that something passed, and numbers never come twice."""
        sink = Sink()
        subscription = self.hub.subscribe(Stream.LITE, WEBSOCKET, sink, view=View.FIRST)
        self.publish(CERTIFICATE, CERTIFICATE)
        subscription.close()
        self.assertEqual(self.hub.sequence(Stream.LITE, View.FIRST), 1)
        self.publish(made(2), made(3))
        self.assertEqual(self.hub.sequence(Stream.LITE, View.FIRST), 3)
        self.subscribe(View.FIRST)
        self.publish(made(4))
        self.assertEqual(self.hub.sequence(Stream.LITE, View.FIRST), 4)
        self.assertEqual(self.hub.sequence(Stream.LITE, View.PAIR), 5)

    def test_last_client_leaves_within_a_flush(self) -> None:
        """What is published for a view that has just lost its last client waits for nobody."""
        leaving, sinks = Sink(), [self.subscribe(View.EVERY)]
        subscription = self.hub.subscribe(Stream.LITE, WEBSOCKET, leaving, view=View.FIRST)
        leaving.on_take = subscription.close
        self.publish(CERTIFICATE)
        self.publish(made(2))
        late = self.subscribe(View.FIRST)
        self.publish(made(3))
        self.assertEqual(self.taken(sinks[0]), [0, 1, 2])
        self.assertEqual(self.taken(late), [2])
