"""The published schemas: what the code says, and what the expected messages are."""

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from certstream_tx.hub.notices import lost
from certstream_tx.message.documents import MAX_DOCUMENT_BYTES, Message, heartbeat
from certstream_tx.message.examples import EXAMPLES
from certstream_tx.message.schema import FIELDS, MEANINGS, schemas
from tests.checkout import DOCS
from tests.message.test_documents import NAMED, SOURCE, TILED, entry
from tests.test_golden import expected

FOLDER = DOCS / "schema"
SCHEMAS = schemas()
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
STREAMS = {"full": "full", "lite": "lite", "domains-only": "domains_only"}
"""by schema: the key of the stream's expected document"""


def errors(name: str, document: Any) -> list[str]:
    """What a schema has against a document."""
    return [f"{each.json_path}: {each.message}" for each in VALIDATORS[name].iter_errors(document)]


def places(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every value within objects."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield (*path, key)
            yield from places(value, (*path, key))


def changed(document: Any, path: tuple[str, ...], value: Any) -> Any:
    """A copy with another value at a place, or without one when it is `places`."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if value is places:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


class PublishedTests(SynchronousTestCase):
    """docs/schema."""

    def test_files_are_those_of_the_code(self) -> None:
        """``make docs`` has been run since messages were changed."""
        self.assertEqual({path.stem for path in FOLDER.glob("*.json")}, set(SCHEMAS))
        for name, schema in SCHEMAS.items():
            self.assertEqual(json.loads((FOLDER / f"{name}.json").read_text("utf-8")), schema, name)

    def test_are_schemas(self) -> None:
        """They are what they say, JSON Schema 2020-12, and complete: no reference leads nowhere."""
        for name, schema in SCHEMAS.items():
            Draft202012Validator.check_schema(schema)
            defined = set(schema["$defs"])
            text = json.dumps(schema)
            for part in defined:
                self.assertIn(f'"#/$defs/{part}"', text, (name, part))
            self.assertNotIn('"default"', text)

    def test_meanings_are_of_what_there_is(self) -> None:
        """No meaning is left of a part or a field that is gone, and no part is without one."""
        parts = {n: p for schema in SCHEMAS.values() for n, p in schema["$defs"].items()}
        self.assertEqual(set(parts), set(MEANINGS))
        fields = {
            name: {key for schema in SCHEMAS.values() for key in _properties(schema, name)}
            for name in FIELDS
        }
        for name, meanings in FIELDS.items():
            self.assertLessEqual(set(meanings), fields[name])


def _properties(schema: dict[str, Any], part: str) -> dict[str, Any]:
    properties: dict[str, Any] = schema["$defs"].get(part, {}).get("properties", {})
    return properties


class DocumentTests(SynchronousTestCase):
    """Messages, and what is none."""

    def test_expected_messages(self) -> None:
        """Every expected message of real and made certificates is as its schema says."""
        count = 0
        for name in ("live", "made", "made_tile", "navigli"):
            for of, documents in expected(name).items():
                for schema, key in STREAMS.items():
                    document = documents.get(key)
                    if document is not None:
                        self.assertEqual(errors(schema, document), [], (name, of, schema))
                        count += 1
        self.assertGreater(count, 700)

    def test_own_messages(self) -> None:
        """So is what the server sends: examples, late, unreadable, too large, heartbeats."""
        large = entry(b"\x30" * MAX_DOCUMENT_BYTES)
        messages = [
            Message(entry(NAMED, chain=(NAMED,)), TILED, 1.5, late=True),
            Message(entry(b"no certificate"), SOURCE, 2.0),
            Message(entry(b"leaf", error="broken leaf"), SOURCE, 2.0),
            Message(large, SOURCE, 2.0),
        ]
        for message in messages:
            self.assertEqual(errors("full", json.loads(message.full())), [])
            self.assertEqual(errors("lite", json.loads(message.lite())), [])
        for name, example in EXAMPLES.items():
            self.assertEqual(errors(name, json.loads(example)), [])
        self.assertEqual(errors("heartbeat", json.loads(heartbeat(17))), [])
        self.assertEqual(errors("notice", json.loads(lost(3, "e-1", "e-3"))), [])

    def test_each_is_none_of_the_others(self) -> None:
        """A schema tells its message from those of the others; full is lite with more."""
        documents = {name: json.loads(example) for name, example in EXAMPLES.items()}
        documents["heartbeat"] = json.loads(heartbeat(17))
        documents["notice"] = json.loads(lost(3, "e-1", "e-3"))
        for name, document in documents.items():
            fitting = {schema for schema in SCHEMAS if not errors(schema, document)}
            self.assertEqual(fitting, {"full", "lite"} if name == "full" else {name})

    def test_missing_field(self) -> None:
        """Without any one of its fields a message is none; extensions may be absent."""
        document = json.loads(EXAMPLES["full"])
        for path in places(document):
            absent = errors("full", changed(document, path, places))
            self.assertEqual(absent == [], path[-2] == "extensions" if path[1:] else False, path)

    def test_other_type(self) -> None:
        """Nor is it one with a value of another type in any place."""
        document = json.loads(EXAMPLES["full"])
        for path in places(document):
            for wrong in ([1], {"x": 1}, 1.5, "\0", True):
                value = document
                for key in path:
                    value = value[key]
                text_or_null = {"subject", "issuer", "operator", "log_id"} & set(path[-2:])
                if not isinstance(wrong, str if text_or_null else type(value)):
                    self.assertNotEqual(errors("full", changed(document, path, wrong)), [], path)

    def test_more_fields(self) -> None:
        """A message may gain fields anywhere."""
        document = json.loads(EXAMPLES["full"])
        for path in places(document):
            value = document
            for key in path:
                value = value[key]
            if isinstance(value, dict):
                self.assertEqual(errors("full", changed(document, (*path, "new"), 1)), [], path)
