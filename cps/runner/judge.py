"""Whether a notebook run succeeded, from what it left behind and never from papermill's record.

papermill marks every cell "completed" after a kernel's death, a time-out or an interrupt, and
calls ``sys.exit(0)`` in a cell a success. A run is good if the process ended well, every code cell
ran, none shows an error, and the run that the last cell saves is there and was made by this code.
"""

from __future__ import annotations

import json
import platform
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cps.errors import Text
from cps.runner.engine import Kind
from cps.runner.worker import EXIT_ASKED
from cps.runs import code_sha256

_TAIL_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a run is no good; ``cell`` counts code cells from 1."""

    kind: Kind
    message: Text
    cell: int | None = None


def judge(
    status: int, notebook: Path, run_folder: Path, *, printed: Path, versions: Mapping[str, str]
) -> Verdict | None:
    """Judge one run; None if it is good.

    Parameters
    ----------
    status : int
        Exit status of the process that ran papermill; negative for a signal.
    notebook : Path
        The executed copy.
    run_folder : Path
        Where the notebook saves its run.
    printed : Path
        What the process printed.
    versions : mapping of str to str
        Library versions that the run must have been made with.
    """
    cells = _code_cells(notebook)
    death = _kernel_death(printed)
    if cells is None:
        ended = _died(-status, None) if status < 0 else _never_started(status, printed)
        return Verdict("crashed", death or ended)
    error = _first_error(cells)
    if error is not None:
        return error
    unrun = [n for n, cell in enumerate(cells, start=1) if cell.get("execution_count") is None]
    if status < 0:
        return Verdict("crashed", _died(-status, len(unrun)), _stopped_at(cells))
    if death is not None:
        return Verdict("crashed", death, _stopped_at(cells))
    if tail(printed) == EXIT_ASKED:
        number = _stopped_at(cells) or 1
        return Verdict("incomplete", _exited(number, len(unrun)), number)
    if status != 0:
        return Verdict("crashed", _never_started(status, printed), _stopped_at(cells))
    if unrun:
        return Verdict(
            "incomplete",
            Text(f"有 {len(unrun)} 个单元格未执行", f"{len(unrun)} cells never ran"),
            unrun[0],
        )
    return _judge_saved(run_folder, versions)


def _judge_saved(run_folder: Path, versions: Mapping[str, str]) -> Verdict | None:
    path = run_folder / "run.json"
    if not path.exists():
        return Verdict(
            "incomplete",
            Text("notebook 执行完毕但没有保存结果", "the notebook ran but saved no run"),
        )
    manifest = json.loads(path.read_text(encoding="utf-8"))["run"]["manifest"]
    made_with = {
        **manifest["library_versions"],
        "cps": manifest["cps_version"],
    }
    ours = {**versions, "python": platform.python_version()}
    if "python_version" in manifest:  # what a notebook saves without make_run names neither
        made_with["python"] = manifest["python_version"]
    named = ", ".join(
        f"{name} {made_with[name]} ≠ {wanted}"
        for name, wanted in ours.items()
        if name in made_with and made_with[name] != wanted
    )
    if named:
        return Verdict(
            "refused",
            Text(
                f"内核所用的库版本与本次运行不同：{named}",
                f"the kernel has other library versions than this run: {named}",
            ),
        )
    # The key says whose code made what is kept under it.
    own = code_sha256()[:12]
    theirs = manifest.get("code_sha256", own)[:12]
    if theirs == own:
        return None
    return Verdict(
        "refused",
        Text(
            f"内核所用的 cps 代码与本次运行不同（{theirs} ≠ {own}）；"
            "若代码在运行期间改过，请重新运行，否则检查 --kernel",
            f"the kernel has other code of cps than this run ({theirs} ≠ {own}); run again if the "
            "code was changed meanwhile, else look at --kernel",
        ),
    )


def _code_cells(notebook: Path) -> list[dict[str, Any]] | None:
    try:
        stored = json.loads(notebook.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def _first_error(cells: list[dict[str, Any]]) -> Verdict | None:
    for number, cell in enumerate(cells, start=1):
        for shown in cell.get("outputs", ()):
            if shown.get("output_type") != "error":
                continue
            lines = shown.get("traceback", [])
            # Our own errors show themselves as two messages, zh and en, and no traceback.
            if len(lines) == 2 and "\x1b" not in "".join(lines):
                return Verdict("refused", Text(lines[0], lines[1]), number)
            name, value = shown.get("ename"), shown.get("evalue")
            if name == "SystemExit":
                return Verdict("incomplete", _exited(number, len(cells) - number), number)
            if name == "MemoryError":
                return Verdict("memory", _out_of_memory(number), number)
            return Verdict(
                "error",
                Text(
                    f"第 {number} 个代码单元格出错：{name}: {value}",
                    f"code cell {number} raised {name}: {value}",
                ),
                number,
            )
    return None


def stopped_at(notebook: Path) -> int | None:
    """Give the code cell that was begun last: there a kernel died, or ran out of time."""
    return _stopped_at(_code_cells(notebook) or [])


def _stopped_at(cells: list[dict[str, Any]]) -> int | None:
    # papermill notes when it begins a cell; that it calls every one "completed" is another thing.
    begun = [
        number
        for number, cell in enumerate(cells, start=1)
        if cell["metadata"].get("papermill", {}).get("start_time")
    ]
    return begun[-1] if begun else None


def _exited(number: int, n_unrun: int) -> Text:
    return Text(
        f"第 {number} 个代码单元格调用了 exit，其后 {n_unrun} 个单元格未执行",
        f"code cell {number} called exit; the {n_unrun} cells after it never ran",
    )


def _out_of_memory(number: int) -> Text:
    return Text(
        f"第 {number} 个代码单元格内存不足（--memory 可放宽上限）",
        f"code cell {number} ran out of memory (--memory raises the limit)",
    )


def _never_started(status: int, printed: Path) -> Text:
    last = tail(printed)
    return Text(
        f"notebook 未能运行（exit {status}）：{last or '没有输出'}",
        f"the notebook did not run (exit {status}): {last or 'nothing was printed'}",
    )


def _died(number: int, n_unrun: int | None) -> Text:
    name = _signal_name(number)
    memory_zh, memory_en = _perhaps_memory(number)
    left_zh = "未留下结果" if n_unrun is None else f"{n_unrun} 个单元格未执行"
    left_en = "nothing of it is left" if n_unrun is None else f"{n_unrun} cells never ran"
    return Text(
        f"执行进程被终止（信号 {number} {name}{memory_zh}），{left_zh}",
        f"the process was ended (signal {number} {name}{memory_en}); {left_en}",
    )


def _kernel_death(printed: Path) -> Text | None:
    """Read what the worker told of its kernel's death."""
    for line in _last_lines(printed):
        if line.startswith("kernel died: "):
            status = int(line.removeprefix("kernel died: "))
            if status < 0:
                name = _signal_name(-status)
                memory_zh, memory_en = _perhaps_memory(-status)
                return Text(
                    f"内核中途死亡（信号 {-status} {name}{memory_zh}）",
                    f"the kernel died (signal {-status} {name}{memory_en})",
                )
            return Text(f"内核中途死亡（退出码 {status}）", f"the kernel died (exit {status})")
    return None


def _perhaps_memory(number: int) -> tuple[str, str]:
    """Say so of the signals that systems and libraries end a process with for want of memory."""
    if number == signal.SIGKILL:
        return "，可能是内存不足", ", perhaps out of memory"
    if number == signal.SIGABRT:
        return (
            "，可能是内存不足，--memory 可放宽上限",
            ", perhaps out of memory: --memory raises the limit",
        )
    return "", ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "?"


def tail(printed: Path) -> str:
    """Give the last line that a process printed."""
    lines = _last_lines(printed)
    return lines[-1] if lines else ""


def _last_lines(printed: Path) -> list[str]:
    try:
        text = printed.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.strip().splitlines() if line.strip()]
