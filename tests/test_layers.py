"""The layers of the architecture, held by a test: imports point down only."""

import ast
import re
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.checkout import DOCS, PACKAGE

PURE, CORE, EDGE, TOP = range(4)
LAYER = {
    "ct": PURE,
    "x509": PURE,
    "config": PURE,
    "certificate": PURE,
    "message": PURE,
    "framing": PURE,
    "deflate": PURE,
    "start_error": PURE,
    "hub": CORE,
    "events": CORE,
    "stats": CORE,
    "watched": CORE,
    "ingest": EDGE,
    "serve": EDGE,
    "demo": EDGE,
    "service": TOP,
    "library": TOP,
    "command_line": TOP,
    "tap": TOP,
}
WITHIN = {
    "ingest": [
        "wakeup",
        "turns",
        "poll_settings",
        "http",
        "pacing",
        "clients",
        "state",
        "condition",
        "trust",
        "polling",
        "lists",
    ],
    "serve": [
        "answers",
        "access",
        "bounded",
        "writing",
        "wires",
        "metrics",
        "pages",
        "ports",
        "site",
    ],
}
"""The parts of an edge: each knows those before it."""
PURE_MAY_IMPORT = {"cryptography", "msgspec", "yaml"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Dotted name below the package, parsed source; of every module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix(".__init__") or "__init__", ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Every imported module, and whether it is imported when this module is."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in inside
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", id(node) not in inside
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) not in inside


def layer_of(name: str) -> tuple[str, int] | None:
    """The part a module belongs to and its layer; None for the package itself."""
    part = name.split(".")[0]
    return None if part in ("__init__", "__main__", "__version__") else (part, LAYER[part])


class LayerTests(SynchronousTestCase):
    """Pure code knows nobody, edges do not know each other, only the composition knows all."""

    def test_every_part_has_a_layer(self) -> None:
        """A new file at the top of the package has been given its place here."""
        parts = {name.split(".")[0] for name, _ in modules()} - {"__init__"}
        self.assertEqual(parts - set(LAYER), set())

    def test_imports_point_down(self) -> None:
        """Nobody imports a higher layer, nor another edge."""
        wrong = []
        for name, tree in modules():
            here = layer_of(name)
            if here is None:
                continue
            for imported, _ in imports(tree):
                if not imported.startswith("certstream_tx."):
                    continue
                there = layer_of(imported.removeprefix("certstream_tx."))
                if there is None or there[0] == here[0]:
                    continue
                if there[1] > here[1] or (there[1] == here[1] == EDGE):
                    wrong.append(f"{name} imports {imported}")
        self.assertEqual(wrong, [])

    def test_parts_of_an_edge_know_those_before_them(self) -> None:
        """Within an edge, too, imports point one way."""
        wrong = []
        for name, tree in modules():
            edge, _, place = name.partition(".")
            if edge not in WITHIN or not place:
                continue
            order = WITHIN[edge]
            for imported, _ in imports(tree):
                there = imported.removeprefix("certstream_tx.").split(".")
                if there[0] != edge or there[1:2] == [] or there[1] not in order:
                    continue
                if order.index(there[1]) > order.index(place.split(".")[0]):
                    wrong.append(f"{name} imports {imported}")
        self.assertEqual(wrong, [])

    def test_the_page_lists_them_in_this_order(self) -> None:
        """docs/architecture.md has the folders of each edge, as they know each other."""
        page = (DOCS / "architecture.md").read_text(encoding="utf-8")
        for edge, order in WITHIN.items():
            table = page.partition(f"| `{edge}/` | ")[2].partition("\n\n")[0]
            folders = [name for name in order if (PACKAGE / edge / name).is_dir()]
            self.assertEqual(re.findall(r"^\| `(\w+)/`", table, re.M), folders)

    def test_pure_code_does_no_io(self) -> None:
        """Pure modules import the standard library and few named packages, never Twisted."""
        import sys

        allowed = PURE_MAY_IMPORT | set(sys.stdlib_module_names) | {"certstream_tx"}
        forbidden = {"socket", "asyncio", "threading", "subprocess", "urllib.request", "os"}
        wrong = [
            f"{name} imports {imported}"
            for name, tree in modules()
            if (here := layer_of(name)) and here[1] == PURE
            for imported, _ in imports(tree)
            if imported.split(".")[0] not in allowed or imported in forbidden
        ]
        self.assertEqual(wrong, [])

    def test_nobody_imports_the_reactor_with_a_module(self) -> None:
        """The global reactor is imported inside tap's functions only (and the demo's main)."""
        wrong = [
            f"{name} imports {imported}"
            for name, tree in modules()
            for imported, at_import in imports(tree)
            if imported == "prometheus_client.twisted"
            or (
                imported == "twisted.internet.reactor"
                and (at_import or name not in ("tap", "demo.__main__"))
            )
        ]
        self.assertEqual(wrong, [])

    def test_cancellation_passes(self) -> None:
        """In coroutines, ``except Exception`` looks out for ``CancelledError`` first."""
        wrong = []
        for name, tree in modules():
            for function in ast.walk(tree):
                if not isinstance(function, ast.AsyncFunctionDef):
                    continue
                for node in ast.walk(function):
                    if isinstance(node, ast.Try) and not _cancel_first(node):
                        wrong.append(f"{name}.{function.name}, line {node.lineno}")
        self.assertEqual(wrong, [])

    def test_no_module_is_called_by_an_empty_word(self) -> None:
        """Names are the field's terms."""
        empty = {"manager", "handler", "util", "utils", "helper", "helpers", "processor", "common"}
        self.assertEqual([n for n, _ in modules() if n.split(".")[-1] in empty], [])

    def test_ports_are_bound_in_one_place(self) -> None:
        """A taken port must end the program: ``Listening`` sees to that."""
        binds = {"listen", "listenTCP", "listenSSL", "listenUNIX", "serverFromString"}
        binds |= {"StreamServerEndpointService", "adoptStreamPort"}
        found = {
            name
            for name, tree in modules()
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) in binds
        }
        self.assertEqual(found, {"serve.ports.listening", "demo.service"})


def _cancel_first(node: ast.Try) -> bool:
    """Whether a broad handler, if there is one, follows or tests for CancelledError."""
    names = [ast.unparse(h.type) if h.type else "BaseException" for h in node.handlers]
    for i, name in enumerate(names):
        if name in ("Exception", "BaseException"):
            own = ast.unparse(node.handlers[i])
            return any("CancelledError" in text for text in (*names[:i], own))
    return True
