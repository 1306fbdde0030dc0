"""A papermill engine that keeps the notebook however it ends, and stops where a cell calls exit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import write_ipynb

ENGINE = "cps"


class ExitAskedError(Exception):
    """A cell called ``exit()``: the kernel goes on for a moment, and what follows is a race."""


def register_engine(output: Path) -> str:
    """Register the engine for one notebook; give its name.

    Without request_save_on_cell_execute papermill saves nothing when a kernel dies or is too slow.

    Parameters
    ----------
    output : Path
        Where the notebook is saved as far as it came.
    """

    class SavingEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            try:
                return super().execute_managed_notebook(
                    nb_man, kernel_name, on_cell_executed=_refuse_exit, **kwargs
                )
            except BaseException:
                write_ipynb(nb_man.nb, str(output))
                raise

    papermill_engines.register(ENGINE, SavingEngine)
    return ENGINE


def _refuse_exit(*, cell: Any, cell_index: int, execute_reply: Any) -> None:
    payload = execute_reply["content"].get("payload") or ()
    if any(one.get("source") == "ask_exit" for one in payload):
        raise ExitAskedError
