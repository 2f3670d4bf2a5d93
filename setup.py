"""How certstream-tx is built and what it needs. Tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"', (HERE / "certstream_tx" / "__init__.py").read_text(), re.M
).group(1)

TEST = [
    "hypothesis>=6.100",  # property tests of every reader of foreign bytes
    "coverage[toml]>=7.4",
    "certstream>=1.12",  # the field's Python client, run unmodified against the server
    "websockets>=12",  # an independent WebSocket client
    "jsonschema>=4.20",  # the published schemas against the expected messages
    "build>=1.2",  # the packaging test builds a wheel and an sdist ...
    "setuptools>=70",  # ... without fetching a build environment of its own
    "wheel>=0.43",
]
DEV = [
    *TEST,
    "ruff>=0.9",
    "mypy>=1.15",
    "mypy-zope>=1.0.11",
    "types-PyYAML",
]
RELEASE = [
    "build>=1.2",
    "twine>=6.1",  # looks at what was built as an index would
    "pip-audit>=2.7",
]

setup(
    name="certstream-tx",
    version=VERSION,
    description="Certificate Transparency stream server: every log, every entry, nothing lost.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # Twisted finds plugins by walking sys.path. Naming the root makes an editable install write a
    # plain .pth file instead of an import hook, which that walk would never see.
    package_dir={"": "."},
    packages=[
        *find_packages(include=["certstream_tx", "certstream_tx.*"]),
        "twisted.plugins",
    ],
    package_data={"certstream_tx": ["py.typed", "data/*"]},
    zip_safe=False,
    install_requires=[
        "Twisted>=24.11",  # services, endpoints, web server and client
        "autobahn>=24.4",  # the WebSocket protocol
        "treq>=24.9",  # reading the logs over HTTP
        "pyOpenSSL>=24.3",  # TLS, to the logs and to the clients
        "service-identity>=24.2",  # checks the names of the logs' TLS certificates
        "cryptography>=44",  # signatures of logs and of the log list
        "msgspec>=0.19",  # reads pages and writes messages several times faster than json
        "PyYAML>=6.0.2",  # the configuration file
        "prometheus-client>=0.21",  # metric families and the process metrics
    ],
    extras_require={"test": TEST, "dev": DEV, "release": RELEASE},
    entry_points={"console_scripts": ["certstream-tx = certstream_tx.command_line.main:main"]},
    classifiers=[
        "Framework :: Twisted",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Security",
    ],
)
