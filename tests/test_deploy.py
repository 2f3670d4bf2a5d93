"""What deploy/ and the Dockerfile say, held to the code and to each other.

Where a file has a checker of its own, that is asked too, if it is installed.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import ProcessCollector
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from certstream_tx.config import Config
from certstream_tx.config.reading import LEAVES
from certstream_tx.serve.metrics.table import HISTOGRAMS, METRICS
from certstream_tx.stats import LogStatus, Trust
from tests.checkout import DEPLOY, ROOT

PORT = Config().port
LINES_PORT = Config().tcp_port

METRIC = re.compile(r"\b(?:certstream|process)_[a-z0-9_]+\b(?!\")")
LABELS = re.compile(
    r"(?:by|on|ignoring|without) \(([^)]*)\)|[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)\s*\""
)


def read_yaml(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text())


def panels() -> list[dict[str, Any]]:
    """Of the dashboard, without the rows' titles."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "certstream.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def alerts() -> list[dict[str, Any]]:
    return [
        rule for group in read_yaml("prometheus/alerts.yml")["groups"] for rule in group["rules"]
    ]


def queries() -> Iterator[tuple[str, str]]:
    """Where it stands, and the PromQL."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in alerts():
        yield rule["alert"], rule["expr"]


def checker(name: str) -> str:
    """The path of a program that checks; skips the test where there is none."""
    found = shutil.which(name)
    if found is None:
        raise SkipTest(f"{name} is not installed")
    return found


class MetricTests(SynchronousTestCase):
    """Dashboard and alerts ask for what there is."""

    def test_metrics_exist(self) -> None:
        """Every metric that a query names is one of the code's, or of the process collector."""
        known = {row.name for row in METRICS}
        known |= {f"{row.name}_{part}" for row in HISTOGRAMS for part in ("bucket", "sum", "count")}
        known |= {
            sample.name
            for family in ProcessCollector(registry=None).collect()
            for sample in family.samples
        }
        asked = 0
        for where, query in queries():
            names = set(METRIC.findall(query))
            self.assertEqual(names - known, set(), where)
            asked += len(names)
        self.assertGreater(asked, 50)

    def test_labels_exist(self) -> None:
        """So is every label; Prometheus adds two of its own."""
        known = {label for row in METRICS for label in row.labels} | {"job", "instance", "le"}
        asked = set()
        for where, query in queries():
            for listed, matched in LABELS.findall(query):
                names = {name.strip() for name in (listed or matched).split(",") if name.strip()}
                self.assertEqual(names - known, set(), where)
                asked |= names
        self.assertGreater(len(asked), 5)

    def test_states_exist(self) -> None:
        """A state that a query asks for is one that a log can be in."""
        states = {"status": set(LogStatus), "verification": set(Trust)}
        asked = 0
        for where, query in queries():
            for label, value in re.findall(r'(status|verification)="([^"]*)"', query):
                self.assertIn(value, states[label], where)
                asked += 1
        self.assertGreater(asked, 3)

    def test_every_alert_says_what_it_is(self) -> None:
        """A severity, a summary that names whom it is about, and what to do in the handbook."""
        handbook = (ROOT / "docs" / "operations.md").read_text()
        names = [rule["alert"] for rule in alerts()]
        self.assertEqual(len(set(names)), len(names))
        for rule in alerts():
            self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
            self.assertRegex(rule["annotations"]["summary"], r"\{\{ \$labels\.(instance|log) \}\}")
            self.assertIn(f"`{rule['alert']}`", handbook)

    def test_alerts_in_prometheus(self) -> None:
        """Configuration and rules are valid, and the rules fire when they should."""
        promtool = checker("promtool")
        for arguments in (
            ("check", "config", "prometheus.yml"),
            ("check", "rules", "alerts.yml"),
            ("test", "rules", "alerts_test.yml"),
        ):
            done = subprocess.run(
                [promtool, *arguments],
                cwd=DEPLOY / "prometheus",
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class DashboardTests(SynchronousTestCase):
    """What Grafana asks of a file."""

    def test_panels(self) -> None:
        """Each has its id and place; none lies over another; each query its letter."""
        dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "certstream.json").read_text())
        every = dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in every}), len(every))
        taken: set[tuple[int, int]] = set()
        for panel in every:
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            self.assertEqual(cells & taken, set(), panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells
        for panel in panels():
            letters = [target["refId"] for target in panel["targets"]]
            self.assertEqual(letters, list("ABCDEFGH"[: len(letters)]), panel["title"])

    def test_variables(self) -> None:
        """What the queries replace is what the dashboard lets one choose."""
        text = (DEPLOY / "grafana" / "dashboards" / "certstream.json").read_text()
        chosen = {one["name"] for one in json.loads(text)["templating"]["list"]}
        used = set(re.findall(r"\$\{?([a-z_]+)\}?", "".join(query for _, query in queries())))
        self.assertLessEqual(used, chosen)
        self.assertEqual(set(re.findall(r"\$\{([a-z_]+)\}", text)), {"datasource"})


class ComposeTests(SynchronousTestCase):
    """compose.yaml and what its services are given."""

    def setUp(self) -> None:
        self.compose = read_yaml("compose.yaml")
        self.services = self.compose["services"]

    def test_ports_agree(self) -> None:
        """Everybody is asked where it listens."""
        self.assertEqual(self.services["certstream"]["ports"], [f"{PORT}:{PORT}"])
        prometheus = read_yaml("prometheus/prometheus.yml")
        (job,) = prometheus["scrape_configs"]
        self.assertEqual(job["static_configs"], [{"targets": [f"certstream:{PORT}"]}])
        self.assertEqual(job.get("metrics_path", "/metrics"), "/metrics")
        (source,) = read_yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        for name in ("prometheus", "grafana"):
            (port,) = self.services[name]["ports"]
            self.assertTrue(port.startswith("127.0.0.1:"), f"{name} is open to the world")

    def test_jobs_agree(self) -> None:
        """Queries that name a job name the one that there is."""
        (job,) = read_yaml("prometheus/prometheus.yml")["scrape_configs"]
        for where, query in queries():
            for name in re.findall(r'job="([^"]*)"', query):
                self.assertEqual(name, job["job_name"], where)

    def test_files_are_there(self) -> None:
        """What is mounted exists, and rules and dashboards lie where they are looked for."""
        mounted: dict[str, Path] = {}
        for service in self.services.values():
            for volume in service.get("volumes", ()):
                source, target = volume.split(":")[:2]
                if source.startswith("."):
                    mounted[target] = (DEPLOY / source).resolve()
                    self.assertTrue(mounted[target].exists(), volume)
                    self.assertTrue(volume.endswith(":ro"), volume)
                else:
                    self.assertIn(source, self.compose["volumes"])
        for name in read_yaml("prometheus/prometheus.yml")["rule_files"]:
            self.assertTrue((mounted["/etc/prometheus"] / name).is_file())
        (provider,) = read_yaml("grafana/provisioning/dashboards/certstream.yml")["providers"]
        folder = mounted[provider["options"]["path"]]
        self.assertEqual([path.name for path in folder.iterdir()], ["certstream.json"])
        home = self.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertEqual(home, f"{provider['options']['path']}/certstream.json")

    def test_server_is_confined(self) -> None:
        """It can write its state and nothing else, and has no rights."""
        server = self.services["certstream"]
        self.assertIs(server["read_only"], True)
        self.assertEqual(server["cap_drop"], ["ALL"])
        self.assertEqual([one.split(":")[1] for one in server["volumes"]], ["/data"])


class ImageTests(SynchronousTestCase):
    """The Dockerfile. Docker is not asked: it needs a daemon."""

    def setUp(self) -> None:
        text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.steps = [line.split(maxsplit=1) for line in lines]

    def said(self, word: str) -> list[str]:
        return [rest for first, rest in self.steps if first == word]

    def test_sources(self) -> None:
        """What is copied exists and is not ignored; what is ignored is everything else."""
        ignored = (ROOT / ".dockerignore").read_text().splitlines()
        rules = [line for line in ignored if line and not line.startswith("#")]
        kept = {line.removeprefix("!") for line in rules if line.startswith("!")}
        self.assertEqual(rules[0], "*")
        copied = {
            source
            for line in self.said("COPY")
            if not line.startswith("--from")
            for source in line.split()[:-1]
        }
        self.assertEqual(copied, kept)
        for name in copied:
            self.assertTrue((ROOT / name).exists(), name)

    def test_stages(self) -> None:
        """What builds is left behind: of the first stage only what it installed goes on."""
        build, final = self.said("FROM")
        _, _, stage = build.partition(" AS ")
        self.assertTrue(stage)
        self.assertEqual(final, build.partition(" ")[0])
        last = [each for each, _ in self.steps].index("FROM", 2)
        copied = [rest for word, rest in self.steps[last:] if word == "COPY"]
        self.assertEqual([rest.split()[0] for rest in copied], [f"--from={stage}"])

    def test_as_the_release_notes_say(self) -> None:
        """State in /data, ports 8080 and 8081, no root."""
        (environment,) = self.said("ENV")
        self.assertIn("CERTSTREAM_CT_LOG_STATE_FILE=/data/state.json", environment.split())
        self.assertEqual(self.said("VOLUME"), ["/data"])
        self.assertEqual(self.said("EXPOSE"), [f"{PORT} {LINES_PORT}"])
        self.assertEqual(self.said("USER"), ["10001:10001"])
        self.assertEqual(self.steps[-1][0], "ENTRYPOINT")
        self.assertEqual(json.loads(self.steps[-1][1])[0], "twistd")

    def test_health_check(self) -> None:
        """Our own command, which exists."""
        (check,) = self.said("HEALTHCHECK")
        from certstream_tx.command_line.main import COMMANDS

        program, command = json.loads(check.partition("CMD ")[2])
        self.assertEqual(program, "certstream-tx")
        self.assertIn(command, COMMANDS)


class UnitTests(SynchronousTestCase):
    """The systemd units."""

    def unit(self, name: str) -> dict[str, list[str]]:
        """Key to values of a unit."""
        found: dict[str, list[str]] = {}
        for line in (DEPLOY / "systemd" / name).read_text().splitlines():
            key, separator, value = line.partition("=")
            if separator and not line.startswith("#"):
                found.setdefault(key, []).append(value)
        return found

    def test_socket_is_handed_over(self) -> None:
        """The service asks for the socket by the name that it has, and by its family."""
        socket, service = self.unit("certstream.socket"), self.unit("certstream.service")
        (name,) = socket["FileDescriptorName"]
        (command,) = service["ExecStart"]
        self.assertIn(f"--listen systemd:domain=INET6:name={name}", command)
        self.assertEqual(socket["ListenStream"], [f"[::]:{PORT}"])
        self.assertEqual(service["Type"], ["notify"])

    def test_systemd_agrees(self) -> None:
        """Nothing in them is unknown to it."""
        program = checker("systemd-analyze")
        with tempfile.TemporaryDirectory() as folder:
            for path in (DEPLOY / "systemd").iterdir():
                # It looks whether the program is there.
                here = str(Path(sys.executable).parent / "twistd")
                text = path.read_text().replace("/opt/certstream/bin/twistd", here)
                (Path(folder) / path.name).write_text(text)
            done = subprocess.run(
                [program, "verify", *map(str, sorted(Path(folder).iterdir()))],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        if "Failed to initialize manager" in done.stderr:
            raise SkipTest("systemd-analyze cannot run here")
        ours = [line for line in done.stderr.splitlines() if "certstream" in line]
        self.assertEqual((done.returncode, ours), (0, []))


class VariableTests(SynchronousTestCase):
    """Settings that are made in these files."""

    def test_variables_are_known(self) -> None:
        """Each is one that the server reads."""
        known = {name for leaf in LEAVES.values() for name in leaf.env_names}
        files = [ROOT / "Dockerfile", *(path for path in DEPLOY.rglob("*") if path.is_file())]
        used = {
            name
            for path in files
            for name in re.findall(r"\bCERTSTREAM_[A-Z0-9_]+", path.read_text())
        }
        self.assertEqual(used - known, set())
        self.assertGreater(len(used), 1)
