"""What is built installs and runs: wheel, sdist, ``pip install .`` and ``pip install -e .``."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.checkout import ROOT
from tests.integration.server_process import ServerProcess, clean_environment

SITE_PACKAGES = Path(subprocess.__file__).parent / "site-packages"
IGNORED = shutil.ignore_patterns(
    "_trial_temp*",
    ".git",
    ".venv",
    "build",
    "dist",
    "*.egg-info",
    "__pycache__",
    "node_modules",
    ".*_cache",
    "tests",
)


def run(*command: object, cwd: Path | None = None) -> str:
    """What the command printed; fails with it when the command fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command} exited {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class PackagingTests(SynchronousTestCase):
    """Each in a virtual environment of its own, with links to the libraries of this one.

    So nothing is fetched, and what runs is what was installed there.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="packaging"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.source = self.folder / "source"
        shutil.copytree(ROOT, self.source, ignore=IGNORED)
        self.venv = self.folder / "venv"
        run(sys.executable, "-m", "venv", "--without-pip", self.venv)
        (site_packages,) = self.venv.glob("lib/python*/site-packages")
        libraries = Path(sys.prefix) / site_packages.relative_to(self.venv)
        # A plain copy of links, not a .pth to the folder: its own .pth files must not come along,
        # or the editable install of this checkout would be found instead of what is tested.
        for entry in libraries.iterdir():
            name = entry.name.lower()
            if name.endswith(".pth") or name.startswith(("__editable__", "certstream_tx", "pip")):
                continue
            target = site_packages / entry.name
            if name == "twisted":
                shutil.copytree(entry, target, ignore=shutil.ignore_patterns("certstream_tx_*"))
            elif not target.exists():
                target.symlink_to(entry)

    def install(self, *what: object) -> None:
        run(
            sys.executable, "-m", "pip", "--python", self.venv / "bin" / "python",
            "--disable-pip-version-check", "install", "--quiet", "--no-deps",
            "--no-build-isolation", "--no-index", *what,
        )  # fmt: skip

    def assert_runs(self) -> None:
        """Found by twistd and twist from a foreign directory, serves, streams, ends."""
        python = str(self.venv / "bin" / "python")
        twistd = (
            python, "-c",
            "from twisted.scripts.twistd import run; import sys; sys.argv[0] = 'twistd'; run()",
        )  # fmt: skip
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        found = run(
            python, "-c", "import certstream_tx; print(certstream_tx.__file__)", cwd=elsewhere
        )
        self.assertNotIn(str(ROOT), found)
        listed = run(python, "-m", "twisted", "--help", cwd=elsewhere)
        self.assertIn("certstream", listed)
        command = self.venv / "bin" / "certstream-tx"
        self.assertEqual(run(command, "version", cwd=elsewhere).split()[0], "certstream-tx")
        with ServerProcess(
            "--demo",
            launcher=(*twistd, "--nodaemon", "--pidfile="),
            directory=str(elsewhere),
        ) as server:
            with urllib.request.urlopen(server.url + "/", timeout=10) as page:
                self.assertIn(b"<html", page.read())
            server.wait_for("demonstration")

    def test_wheel(self) -> None:
        """The wheel carries package, data, plugin and type marker, and runs."""
        run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", self.folder,
            self.source)  # fmt: skip
        (wheel,) = self.folder.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        for name in (
            "certstream_tx/py.typed",
            "certstream_tx/data/log_list.json",
            "twisted/plugins/certstream_tx_plugin.py",
            "certstream_tx/command_line/main.py",
        ):
            self.assertIn(name, names)
        self.assertNotIn("twisted/__init__.py", names)
        self.install(wheel)
        self.assert_runs()

    def test_sdist(self) -> None:
        """The source archive has all that the package needs, and installs."""
        run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", self.folder,
            self.source)  # fmt: skip
        (sdist,) = self.folder.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        for name in ("README.md", "LICENSE", "certstream.tac", "certstream_tx/data/log_list.sig"):
            self.assertIn(name, names)
        self.install(sdist)
        self.assert_runs()

    def test_folder(self) -> None:
        """``pip install .``"""
        self.install(self.source)
        self.assert_runs()

    def test_editable(self) -> None:
        """``pip install -e .``: twistd finds the plugin from anywhere."""
        self.install("--editable", self.source)
        self.assert_runs()
