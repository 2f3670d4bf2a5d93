"""The server as a part of somebody else's application."""

import os
from collections.abc import Mapping
from typing import Any

from twisted.application.service import IService

from certstream_tx.config import Loaded
from certstream_tx.events import logger, set_level
from certstream_tx.library.settings import loaded
from certstream_tx.service.options import Options
from certstream_tx.tap import compose

log = logger("certstream_tx")


def make_server(
    reactor: Any, *, config_file: "str | os.PathLike[str] | None" = None, **settings: object
) -> IService:
    """The whole server, following and streaming, as one service::

        application = service.Application("mine")
        make_server(reactor, port=8080).setServiceParent(application)

    Logging is the application's own. While the server runs, SIGHUP makes it read ``config_file``
    and its TLS files again, and names are looked up in threads of its own.

    :param config_file: a configuration file, as of ``twistd certstream --config``
    :param settings: in its place, keys of the configuration (docs/configuration.md), a section as
        a dictionary: ``ct_log={"state_file": None}``. The environment is not looked at.
    :raises ConfigError: there is no such file, or a setting is wrong
    :raises StartError: all else that is wrong (ConfigError is one kind of it): the state file or a
        TLS file cannot be used, what is to be listened on makes no sense
    """
    if config_file is not None and settings:
        raise TypeError("either config_file or settings")
    options = _Given(None if config_file is None else os.fspath(config_file), settings)
    set_level(options.config.log_level)
    for warning in options.warnings:
        log.warn("{text}", text=warning)
    return compose(options, reactor)


class _Given(Options):
    """What was given by a program, not on a command line."""

    def __init__(self, config_file: str | None, settings: Mapping[str, object]) -> None:
        super().__init__(environment={})
        self._settings = settings
        self.config_path = config_file and os.path.abspath(config_file)
        self._command_line = {"config": self.config_path}
        self.demo_rate = float(self["demo-rate"])
        found = self.load_again()
        self.config, self.warnings = found.config, found.warnings

    def load_again(self) -> Loaded:
        """The file as it is now, or the same settings."""
        return super().load_again() if self.config_path else loaded(self._settings)
