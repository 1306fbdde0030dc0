"""What the warm process imports, and proof that nothing of it started a thread."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

# Public names, all of which must be there.
PRELOAD: tuple[str, ...] = (
    "numpy",
    "polars",
    "scipy",
    "statsmodels",
    "jinja2",
    "IPython",
    "ipykernel.kernelapp",
    "jupyter_client",
    "nbclient",
    "nbformat",
    "papermill",
    "cps",
)

# What notebooks of one's own often need beside these; a run's notebooks don't.
FOR_ANALYSTS: tuple[str, ...] = (*PRELOAD, "altair", "scipy.stats", "statsmodels.api")

# What these import on first use, as found by running notebooks: names of other projects' insides
# come and go, so one that is missing is passed over.
ON_FIRST_USE: tuple[str, ...] = (
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.magics.namespace",
    "IPython.core.magics.osm",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "encodings.cp437",
    "faulthandler",
    "ipykernel.debugger",
    "ipykernel_launcher",
    "numpy.ctypeslib",
    "numpy.fft",
    "numpy.ma",
    "numpy.polynomial",
    "numpy.random",
    "numpy.typing",
    "papermill.clientwrap",
    "pdb",
    "pexpect",
    "pygments.formatters.html",
    "pygments.formatters.terminal256",
    "pygments.lexers.python",
    "pygments.styles.default",
    "polars._utils.parquet",
    "psutil",
    "resource",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "scipy.special",
    "stack_data",
    "statistics",
    "tomllib",
    "tornado.locks",
    "tornado.platform.asyncio",
    "tornado.queues",
    "zmq.asyncio",
)
# Parts of this package that no notebook and no task needs.
_NOT_OURS = ("cps.__main__", "cps.demo", "cps.runner.warm.server")

_ONE_THREAD = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

# polars' allocator would start threads of its own; children never had them, with or without.
_ALLOCATOR = "_RJEM_MALLOC_CONF"
# Threads that a library starts when it is imported and that do nothing but sleep until its first
# query: they hold no lock, and a child, which does not have them, does not need them.
_SLEEPERS = frozenset({"polars-ooc-clea"})
# Environment variables that imports set, as the debugger's does; filled once, before the fork.
SETTINGS_OF_IMPORTS: dict[str, str] = {}
_SETTLE_SECONDS = 1.0  # for a thread that is about to end, or to sleep


class PreloadError(Exception):
    """A module that can't be imported here, or that leaves a thread behind."""


def prepare_interpreter() -> None:
    """Set what must be set before the first import of a numerical library."""
    # A second of CPU in every process that imports jsonschema; only needed to validate IRIs.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    given = os.environ.get(_ALLOCATOR)
    os.environ[_ALLOCATOR] = ",".join(filter(None, (given, "background_thread:false")))
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # else it warns when imported
    # ipykernel reads it when imported, and would then watch for the wrong parent.
    for name in ("JPY_PARENT_PID", "JPY_INTERRUPT_EVENT"):
        os.environ.pop(name, None)


def preload(modules: Sequence[str]) -> None:
    """Import ``modules`` one by one, and what they would import on first use.

    Raises
    ------
    PreloadError
        If one can't be imported, or started a thread; names it.
    """
    check_threads("the interpreter")
    before = dict(os.environ)
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise PreloadError(f"{name}: {type(error).__name__}: {error}") from error
        check_threads(name)
    if "cps" in modules:
        for name in (*ON_FIRST_USE, *_own_modules()):
            try:
                importlib.import_module(name)
            except Exception as error:  # whoever needs it will see the same, in a place of its own
                print(f"not preloaded: {name}: {error!r}", file=sys.stderr)
            check_threads(name)
        _fill_caches()
        check_threads("a cache")
    SETTINGS_OF_IMPORTS.update(
        {name: value for name, value in os.environ.items() if before.get(name) != value}
    )


def _fill_caches() -> None:
    """Compute what every notebook would compute first: pure Python, the same each time."""
    import nbformat
    from jupyter_client.provisioning import KernelProvisionerFactory

    for minor in range(nbformat.current_nbformat_minor + 1):
        notebook = nbformat.v4.new_notebook(nbformat_minor=minor)
        nbformat.validate(notebook)  # compiles the schema of this version
    KernelProvisionerFactory.instance()  # reads the entry points of every installed package
    for name in ("code_sha256", "library_versions"):  # of the code that is loaded here
        getattr(importlib.import_module("cps.runs.origin"), name)()
    for name, module in list(sys.modules.items()):
        if name.startswith("cps.") and hasattr(module, "fill_caches"):
            module.fill_caches()


def _own_modules() -> list[str]:
    import cps

    names = [one.name for one in pkgutil.walk_packages(cps.__path__, "cps.", onerror=print)]
    return [name for name in names if not name.startswith(_NOT_OURS)]


def check_threads(culprit: str) -> None:
    """Refuse a second thread, of Python or of a library: a fork would lose it with its locks."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while others := [name for name, state in _threads() if name not in _SLEEPERS or state != "S"]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    if others or threading.active_count() > 1:
        raise PreloadError(f"{culprit} started a thread ({', '.join(others) or 'python'})")


def _threads() -> list[tuple[str, str]]:
    """Give name and state of each thread but the first."""
    found = []
    for thread in os.listdir("/proc/self/task"):
        if int(thread) != os.getpid():
            with contextlib.suppress(OSError):  # ended meanwhile
                stat = Path(f"/proc/self/task/{thread}/stat").read_bytes().decode(errors="replace")
                head, _, rest = stat.rpartition(")")
                found.append((head.partition("(")[2], rest.split()[0]))
    return found
