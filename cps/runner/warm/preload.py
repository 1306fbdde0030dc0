"""What the warm process imports, and proof that nothing of it started a thread."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import FileFinder
from pathlib import Path

from cps.runner.warm.later import hidden, put_off

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

_DEBUGGER = "ipykernel.debugger"
# What notebooks of one's own often need beside these; a run's notebooks don't.
FOR_ANALYSTS: tuple[str, ...] = (
    *PRELOAD,
    _DEBUGGER,
    "altair",
    "scipy.stats",
    "statsmodels.api",
)

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
    "sqlite3",
    "stack_data",
    "statistics",
    "tomllib",
    "tornado.locks",
    "tornado.platform.asyncio",
    "tornado.queues",
    "zmq.asyncio",
)
# Parts of this package that no notebook and no task needs, and those of them that one does.
_NOT_OURS = ("cps.__main__", "cps.commands", "cps.demo", "cps.ledger", "cps.runner")
_OURS = (
    "cps.runner.pages",
    "cps.runner.saving",
    "cps.runner.warm.kernel",
    "cps.runner.warm.provisioner",
    "cps.runner.worker",
)
# Imported by others for the sake of what no run does: papermill reads notebooks from the web,
# scipy takes hold of whatever numpy has.
_PUT_OFF = ("requests", "numpy.f2py")

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
_passed: list[str] = []  # ids of the threads that were found to be harmless last
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
    gc.disable()  # of what is imported, nearly all stays
    check_threads("the interpreter")
    before = dict(os.environ)
    for name in modules:
        try:
            # jsonschema would import a whole calendar to know the format "duration".
            with hidden("isoduration"):
                importlib.import_module(name)
        except Exception as error:
            raise PreloadError(f"{name}: {type(error).__name__}: {error}") from error
        check_threads(name)
        if name == "numpy":
            for other in _PUT_OFF:
                put_off(other)
    if "cps" in modules:
        _settle_debugger()
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


def _settle_debugger() -> None:
    """Have kernels do without a debugger, unless it was imported for them already."""
    if _DEBUGGER not in sys.modules:
        with hidden("debugpy"), contextlib.suppress(ImportError):
            importlib.import_module(_DEBUGGER)
        os.environ.setdefault("PYDEVD_USE_FRAME_EVAL", "NO")  # as its import would


def _fill_caches() -> None:
    """Compute what every notebook would compute first: pure Python, the same each time."""
    import nbformat
    from jupyter_client.provisioning import KernelProvisionerFactory

    nbformat.validate(nbformat.v4.new_notebook())  # compiles the schema of this version
    KernelProvisionerFactory.instance()  # reads the entry points of every installed package
    for name in ("code_sha256", "library_versions"):  # of the code that is loaded here
        getattr(importlib.import_module("cps.runs.origin"), name)()
    for name, module in list(sys.modules.items()):
        if name.startswith("cps.") and hasattr(module, "fill_caches"):
            module.fill_caches()


def _own_modules() -> list[str]:
    import cps

    return [*_OURS, *_within(cps.__path__, "cps.")]


def _within(folders: Iterable[str], prefix: str) -> Iterator[str]:
    """Name the modules below ``prefix`` that are to be imported; imports none."""
    for one in pkgutil.iter_modules(folders, prefix):
        if not one.name.startswith(_NOT_OURS):
            yield one.name
            if one.ispkg and isinstance(one.module_finder, FileFinder):
                below = os.path.join(one.module_finder.path, one.name.rpartition(".")[2])
                yield from _within([below], f"{one.name}.")


def check_threads(culprit: str) -> None:
    """Refuse a second thread, of Python or of a library: a fork would lose it with its locks."""
    if threading.active_count() == 1 and os.listdir("/proc/self/task") == _passed:
        return
    deadline = time.monotonic() + _SETTLE_SECONDS
    while others := [name for name, state in _threads() if name not in _SLEEPERS or state != "S"]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    if others or threading.active_count() > 1:
        raise PreloadError(f"{culprit} started a thread ({', '.join(others) or 'python'})")
    _passed[:] = os.listdir("/proc/self/task")


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
