"""Tests of :mod:`certstream_tx.config.yaml_text`: what a file means, and what is none of ours."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.config.yaml_text import YamlError, read_yaml


def value_of(scalar: str) -> object:
    return read_yaml(f"a: {scalar}".encode())["a"]


class ScalarTests(SynchronousTestCase):
    """YAML 1.2's core schema, and none of YAML 1.1's surprises."""

    def test_plain(self) -> None:
        """Numbers, booleans and null as everyone expects them."""
        for scalar, value in {
            "8080": 8080,
            "-1": -1,
            "0": 0,
            "0.5": 0.5,
            "1e3": 1000.0,
            "1.5e-1": 0.15,
            "true": True,
            "FALSE": False,
            "null": None,
            "~": None,
            "": None,
            '"8080"': "8080",
            "'true'": "true",
            "text": "text",
        }.items():
            found = value_of(scalar)
            self.assertEqual((found, type(found)), (value, type(value)), scalar)

    def test_surprises_are_texts(self) -> None:
        """Octal, sexagesimal, dates, other spellings of true: all of them stay texts."""
        for scalar in (
            "08080",
            "0777",
            "0x1f",
            "0o17",
            "1_000",
            "12:30",
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "yes",
            "no",
            "on",
            "Off",
            ".inf",
            ".nan",
            "=",
            "9" * 40,
        ):
            self.assertEqual(value_of(scalar), scalar)

    def test_tags(self) -> None:
        """Explicit tags cannot smuggle in anything: neither objects nor exceptions."""
        self.assertEqual(value_of("!!str 8080"), "8080")
        self.assertEqual(value_of("!!int 8080"), 8080)
        for scalar in (
            "!!int abc",
            "!!int 0777",
            "!!float x",
            "!!timestamp x",
            "!!binary eA==",
            "!!set {x}",
            "!!python/object/apply:os.getpid []",
            "!own x",
            "!!map x",
            "!!seq {a: 1}",
            "!!str [x]",
        ):
            with self.assertRaises(YamlError, msg=scalar):
                value_of(scalar)


class DocumentTests(SynchronousTestCase):
    """Files as a whole."""

    def assert_error(self, data: bytes, message: str) -> None:
        with self.assertRaises(YamlError) as refused:
            read_yaml(data)
        text = str(refused.exception)
        self.assertIn(message, text)
        self.assertNotIn("\n", text)

    def test_empty(self) -> None:
        """Nothing, comments only, and a byte order mark are no configuration and no error."""
        for data in (b"", b"# nothing\n", b"\xef\xbb\xbf", b"---\n", b"null"):
            self.assertEqual(read_yaml(data), {})
        self.assertEqual(read_yaml(b"\xef\xbb\xbfa: 1\n"), {"a": 1})

    def test_nested(self) -> None:
        """Mappings, lists and anchors."""
        data = b"a: &x {b: [1, {c: d}]}\ne: *x\n"
        self.assertEqual(
            read_yaml(data), {"a": {"b": [1, {"c": "d"}]}, "e": {"b": [1, {"c": "d"}]}}
        )

    def test_keys_are_texts(self) -> None:
        """Also those that look like something else."""
        self.assertEqual(
            read_yaml(b"8080: x\ntrue: y\n~: z\n"), {"8080": "x", "true": "y", "~": "z"}
        )

    def test_duplicate_key(self) -> None:
        """One of two values would be lost in silence."""
        self.assert_error(b"a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' stands there")
        self.assert_error(b"x:\n  a: 1\n  'a': 3\n", "line 3, column 3")

    def test_merge_keys_are_keys(self) -> None:
        """They would be a way to say things twice, and to make a small file a large one."""
        self.assertEqual(read_yaml(b"a: {<<: {b: 1}}"), {"a": {"<<": {"b": 1}}})

    def test_no_mapping(self) -> None:
        """A list or a word is no configuration."""
        self.assert_error(b"- a\n", "expected a mapping of keys to values, got a list")
        self.assert_error(b"8080\n", "got a single value")

    def test_malformed(self) -> None:
        """Each with the place, in one line."""
        self.assert_error(b"a: [1,\n", "line 2")
        self.assert_error(b"a:\n\t- b\n", "line 2, column 1")
        self.assert_error(b"a: 1\n---\nb: 2\n", "line 2")
        self.assert_error(b"? [x]\n: 1\n", "a key must be a plain word")
        self.assert_error(b"ok: 1\na: \xff\n", "line 2: not UTF-8 text")
        self.assert_error(b"a: \x00\n", "special characters are not allowed")
        self.assert_error(b"a: *x\n", "undefined alias")
        self.assert_error(b"a: &x [*x]\n", "recursive")

    def test_depth_and_aliases_are_bounded(self) -> None:
        """Neither deep nesting nor aliases of aliases exhaust anything."""
        self.assert_error(b"a: " + b"[" * 50_000, "nested too deeply")
        bomb = "a0: &a0 [x, x]\n" + "".join(
            f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)
        )
        begun = time.process_time()
        self.assertEqual(len(read_yaml(bomb.encode())), 60)
        self.assertLess(time.process_time() - begun, 2)

    @settings(deadline=None, max_examples=150)
    @given(
        st.binary(max_size=60)
        | st.text(alphabet="ab:-[]{}&*!|>'\"#\n \t?,", max_size=60).map(str.encode)
    )
    def test_any_bytes(self, data: bytes) -> None:
        """A mapping with texts for keys, or YamlError in one line, and nothing else."""
        try:
            document = read_yaml(data)
        except YamlError as error:
            self.assertNotIn("\n", str(error))
        else:
            self.assertTrue(all(isinstance(key, str) for key in document))
