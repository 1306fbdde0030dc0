"""A Jupyter kernel in a forked task: the ordinary one, less what a fork has done already."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from cps.runner.warm.folders import private_folder
from cps.runner.warm.preload import SETTINGS_OF_IMPORTS

_CONTROL_SECONDS = 5.0


def run_kernel(payload: bytes) -> int:
    """Serve as the kernel that ``python -m ipykernel_launcher`` would be, to its end.

    Parameters
    ----------
    payload : bytes
        JSON list of the launcher's arguments.
    """
    arguments: list[str] = json.loads(payload)
    _look_like_the_launcher(arguments)

    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    # What imports set in the environment of the warm process, they would have set here.
    for name, value in SETTINGS_OF_IMPORTS.items():
        os.environ.setdefault(name, value)
    config = Config()
    # What is typed into a notebook stays in the notebook.
    config.HistoryManager.hist_file = ":memory:"
    # The warm process watches over the client; 1 means a parent that needs no watching.
    config.IPKernelApp.parent_handle = 1
    _settle_ipython_folder()
    app = IPKernelApp.instance(config=config)
    _spare_the_parser(app, arguments)
    try:
        with _modules_unlisted():
            app.initialize(arguments)
        _forget_numpy(app.shell)
        app.start()
    finally:
        _let_control_finish(app)
    return 0


def _spare_the_parser(app: Any, arguments: list[str]) -> None:
    """Take the ordinary arguments as they are: a parser of all options takes long to build."""
    if len(arguments) != 2 or arguments[0] != "-f" or not Path(arguments[1]).is_absolute():
        return

    def parse(argv: list[str] | None = None) -> None:
        app.argv = list(argv or arguments)
        app.cli_config.IPKernelApp.connection_file = arguments[1]
        app.update_config(app.cli_config)

    app.parse_command_line = parse


@contextlib.contextmanager
def _modules_unlisted() -> Iterator[None]:
    """Spare a kernel without a debugger the list that it makes, for that alone, of all modules.

    To ask each module for its file copies most of the memory shared with the warm process.
    """
    from ipykernel import debugger, ipkernel

    own = ipkernel.sys
    if not debugger._is_debugpy_available:
        ipkernel.sys = _FewModules("sys")
    try:
        yield
    finally:
        ipkernel.sys = own


class _FewModules(ModuleType):
    """As ``sys``, but without modules."""

    modules: dict[str, ModuleType] = {}  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def _forget_numpy(shell: Any) -> None:
    # IPython prints numpy's float64 otherwise (under %precision) if numpy was imported before it.
    numpy = sys.modules.get("numpy")
    if numpy is not None and shell is not None:
        shell.display_formatter.formatters["text/plain"].type_printers.pop(numpy.float64, None)


def _let_control_finish(app: Any) -> None:
    # Its last reply goes out by way of a thread that the exit handler stops first; an ordinary
    # process takes long enough to get there, a forked one does not.
    if app.control_thread is not None and app.control_thread.is_alive():
        app.control_thread.stop()
        app.control_thread.join(_CONTROL_SECONDS)


def _look_like_the_launcher(arguments: list[str]) -> None:
    launcher = importlib.util.find_spec("ipykernel_launcher")
    name = launcher.origin if launcher is not None and launcher.origin else "ipykernel_launcher"
    sys.argv[:] = [name, *arguments]
    sys.orig_argv[:] = [sys.executable, "-m", "ipykernel_launcher", *arguments]


def _settle_ipython_folder() -> None:
    """Give IPython another folder where its own can't be written; without one it does not start."""
    given = os.environ.get("IPYTHONDIR")
    own = Path(given).expanduser() if given else Path.home() / ".ipython"
    with contextlib.suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        if os.access(own, os.W_OK | os.X_OK):
            return
    folder = private_folder()
    if folder is not None:
        (folder / "ipython").mkdir(mode=0o700, exist_ok=True)
        os.environ["IPYTHONDIR"] = str(folder / "ipython")
