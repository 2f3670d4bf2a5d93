"""Tests of certstream_tx.ingest.http.proxies: which variable counts, for which host."""

from base64 import b64decode

from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.ingest.http.proxies import Proxies, Proxy, ProxySettingError

PROXY = "http://proxy.example:3128"


class VariableTests(SynchronousTestCase):
    """What the environment says."""

    def proxy(self, scheme: str = "https", **environment: str) -> Proxy | None:
        return Proxies.of(environment).for_host(scheme, "log.example", 443)

    def variable(self, scheme: str = "https", **environment: str) -> str | None:
        proxy = self.proxy(scheme, **environment)
        return proxy and proxy.variable

    def test_which_counts(self) -> None:
        """That of the scheme before that of all, small letters before capitals, empty is none."""
        self.assertIsNone(self.proxy())
        every = {"ALL_PROXY": PROXY}
        for name in ("all_proxy", "HTTPS_PROXY", "https_proxy"):
            every[name] = PROXY
            self.assertEqual(self.variable(**every), name)
        self.assertEqual(self.variable("http", **every), "all_proxy")
        self.assertEqual(self.variable("http", HTTP_PROXY=PROXY, ALL_PROXY=PROXY), "HTTP_PROXY")
        self.assertIsNone(self.proxy("http", HTTPS_PROXY=PROXY))
        self.assertIsNone(self.proxy(https_proxy="", HTTPS_PROXY=PROXY, ALL_PROXY=PROXY))

    def test_spellings(self) -> None:
        """With and without scheme, port, login and path; addresses in brackets."""
        for value, expected in (
            (PROXY, ("http", "proxy.example", 3128)),
            ("proxy.example:3128", ("http", "proxy.example", 3128)),
            ("Proxy.Example", ("http", "proxy.example", 80)),
            ("https://proxy.example/", ("https", "proxy.example", 443)),
            ("http://[2001:db8::1]:8080", ("http", "2001:db8::1", 8080)),
            (" http://192.0.2.1:8080 ", ("http", "192.0.2.1", 8080)),
        ):
            proxy = self.proxy(HTTPS_PROXY=value)
            assert proxy is not None, value
            self.assertEqual((proxy.scheme, proxy.host, proxy.port), expected)
            self.assertIsNone(proxy.authorization)

    def test_login(self) -> None:
        """Its escapes are undone for the proxy; nobody else is shown it."""
        proxy = self.proxy(HTTPS_PROXY="http://me:hunter%3A%402@proxy.example:3128")
        assert proxy is not None
        assert proxy.authorization is not None
        self.assertEqual(b64decode(proxy.authorization.removeprefix(b"Basic ")), b"me:hunter:@2")
        self.assertEqual(proxy.name, "proxy.example:3128 (HTTPS_PROXY)")
        self.assertNotIn("Basic", f"{proxy} {proxy!r}")

    def test_none_that_can_be_used(self) -> None:
        """The variable is named, and not what it says."""
        for value in (
            "socks5://me:hunter2@proxy.example:1080",
            "http://me:hunter2@",
            "http://me:hunter2@proxy.example:0",
            "http://me:hunter2@proxy.example:many",
            "http://me:hunter2@proxy.example:99999",
            "http://me:hunter2@proxy example",
            "http://me:hunter2@[::1",
            "http://me:12/34hunter2@proxy.example:3128",
            "http://me:12?hunter2@proxy.example:3128",
            "http://me:12#hunter2@proxy.example:3128",
            "me:12/34hunter2@proxy.example:3128",
            "http://me:hunter2@proxy.example:" + "1" * 5000,
            "hunter2://me@proxy.example",
            "://hunter2",
        ):
            error = self.assertRaises(ProxySettingError, self.proxy, HTTPS_PROXY=value)
            self.assertTrue(str(error).startswith("HTTPS_PROXY: expected http://"), error)
            self.assertNotIn("hunter2", str(error))
        self.assertRaises(ProxySettingError, self.proxy, ALL_PROXY="socks5://proxy.example")
        both = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, "ALL_PROXY": "socks5://proxy.example"}
        self.assertEqual(self.variable(**both), "HTTPS_PROXY")


class LeftOutTests(SynchronousTestCase):
    """Hosts that are reached directly."""

    def direct(self, left_out: str, host: str, port: int = 443) -> bool:
        proxies = Proxies.of({"HTTPS_PROXY": PROXY, "NO_PROXY": left_out})
        return proxies.for_host("https", host, port) is None

    def test_names(self) -> None:
        """A host, what is below it, with or without a dot, a star, a port, in any case."""
        for left_out in ("log.example", ".log.example", "*.log.example", "a, LOG.example ,b"):
            for host in ("log.example", "a.log.example", "LOG.EXAMPLE", "log.example."):
                self.assertTrue(self.direct(left_out, host), (left_out, host))
            for host in ("other.example", "mylog.example", "log.example.org", "example"):
                self.assertFalse(self.direct(left_out, host), (left_out, host))
        self.assertTrue(self.direct("*", "log.example"))
        self.assertTrue(self.direct("log.example:443", "log.example"))
        self.assertTrue(self.direct("log.example:0443", "log.example"))
        self.assertFalse(self.direct("log.example:444", "log.example"))
        self.assertFalse(self.direct("log.example:" + "4" * 5000, "log.example"))
        self.assertFalse(self.direct(" , .,:", "log.example"))

    def test_addresses(self) -> None:
        """Addresses and networks mean addresses."""
        self.assertTrue(self.direct("192.0.2.0/24", "192.0.2.7"))
        self.assertFalse(self.direct("192.0.2.0/24", "192.0.3.7"))
        self.assertTrue(self.direct("192.0.2.7:8443", "192.0.2.7", 8443))
        self.assertTrue(self.direct("2001:db8::/32", "2001:db8::1"))
        self.assertTrue(self.direct("[2001:db8::1]:443", "2001:db8::1"))
        self.assertFalse(self.direct("192.0.2.0/24", "log.example"))

    def test_this_machine(self) -> None:
        """Needs no proxy."""
        for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1", "LOCALHOST"):
            self.assertTrue(self.direct("", host), host)
        self.assertFalse(self.direct("", "192.0.2.1"))
