"""From ledger files to published pages: every initiative's notebook, the overview, the pages."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cps.errors import RunError, Text
from cps.report.render import write_report
from cps.runner.execute import Outcome, execute_notebook
from cps.runner.prepare import Inputs, read_inputs, save_inputs
from cps.runner.publish import LATEST, building, hold, keep_failed, publish
from cps.runs import load_run, load_runs, save_failure

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
Say = Callable[[Text], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of runs gave.

    Parameters
    ----------
    folder : Path
        The published folder: ``{zh,en}/*.html``, ``notebooks/``, ``runs/`` and ``panel/``.
    latest : Path
        The pointer to the newest one.
    failures : dict of str to Text
        Initiative id -> why it failed; empty if all went well.
    seconds : dict of str to float
        Wall time by stage.
    """

    folder: Path
    latest: Path
    failures: dict[str, Text]
    seconds: dict[str, float] = field(default_factory=dict)


def run_batch(
    data: Path | str,
    out: Path | str = "reports",
    *,
    initiatives: Path | None = None,
    only: Sequence[str] = (),
    units: Path | None = None,
    outcome: str = "income_yuan",
    seed: int = 0,
    languages: Sequence[str] = ("zh", "en"),
    workers: int = 2,
    timeout_seconds: float = 600,
    say: Say = lambda text: None,
) -> Batch:
    """Evaluate initiatives from ledger files and publish their pages, whole or not at all.

    Parameters
    ----------
    data : path
        Ledger file, or folder of them.
    out : path
        Folder of reports; ``out/latest`` points at what was published last.
    only : sequence of str
        Initiative ids; all if empty.
    workers : int
        Notebooks at a time, each in processes of its own.
    timeout_seconds : float
        For one notebook.
    say : callable
        Takes each line of progress.

    Raises
    ------
    UsageError, LedgerError, PanelError, InitiativeError
        If the input is refused; nothing is written.
    LockedError
        If another batch holds ``out``.
    RunError
        If no initiative could be evaluated, or the overview failed; ``out/latest`` stays as it was.
    """
    clock = _Clock()
    folder = Path(out).resolve()
    with hold(folder), building(folder) as work:
        inputs = read_inputs(Path(data), initiatives=initiatives, only=only, units=units)
        save_inputs(inputs, work / "panel", initiatives=initiatives)
        clock.lap("panel")
        say(_read_line(inputs))
        common: dict[str, str | int] = {
            "panel": str(work / "panel"),
            "outcome": outcome,
            "seed": seed,
        }
        failures = _run_initiatives(
            inputs, work, common, workers=workers, timeout_seconds=timeout_seconds, say=say
        )
        clock.lap("initiatives")
        if len(failures) == len(inputs.chosen):
            raise _nothing_left(failures, keep_failed(work, folder))
        overview = _run_overview(work, common, timeout_seconds)
        clock.lap("overview")
        if overview.message is not None:
            raise _failed(overview.name, overview.message, keep_failed(work, folder))
        _render(work, languages)
        clock.lap("pages")
        published = publish(work, folder)
        return Batch(published, folder / LATEST, failures, clock.seconds)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = now - self._last
        self._last = now


def _run_initiatives(
    inputs: Inputs,
    work: Path,
    common: dict[str, str | int],
    *,
    workers: int,
    timeout_seconds: float,
    say: Say,
) -> dict[str, Text]:
    names = {one.id: one.name for one in inputs.initiatives}
    failures: dict[str, Text] = {}

    def run(name: str) -> Outcome:
        outcome = execute_notebook(
            NOTEBOOKS / "initiative.ipynb",
            work / "notebooks" / f"{name}.ipynb",
            name=name,
            parameters={**common, "initiative": name, "out": str(work / "runs" / name)},
            timeout_seconds=timeout_seconds,
        )
        if outcome.message is not None:
            shutil.rmtree(work / "runs" / name, ignore_errors=True)
            save_failure(name, outcome.message, work / "runs" / name)
        return outcome

    (work / "notebooks").mkdir()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for place, ended in enumerate(pool.map(run, inputs.chosen), start=1):
            say(_progress_line(place, len(inputs.chosen), names[ended.name], ended))
            if ended.message is not None:
                failures[ended.name] = ended.message
    return failures


def _run_overview(work: Path, common: dict[str, str | int], timeout_seconds: float) -> Outcome:
    return execute_notebook(
        NOTEBOOKS / "overview.ipynb",
        work / "notebooks" / "overview.ipynb",
        name="overview",
        parameters={**common, "runs": str(work / "runs"), "out": str(work / "overview")},
        timeout_seconds=timeout_seconds,
    )


def _render(work: Path, languages: Sequence[str]) -> None:
    for run in (*load_runs(work / "runs"), load_run(work / "overview")):
        write_report(run, work, languages=languages)


def _read_line(inputs: Inputs) -> Text:
    frame = inputs.panel.frame
    n_units, n_periods = frame["unit"].n_unique(), frame["period"].n_unique()
    n_files, n_findings = len(inputs.panel.sources), len(inputs.panel.findings)
    return Text(
        f"已读 {n_files} 个台账文件：{n_units} 个单位 × {n_periods} 期，提示 {n_findings} 条",
        f"read {n_files} ledger files: {n_units} units × {n_periods} periods, "
        f"{n_findings} findings",
    )


def _progress_line(place: int, total: int, name: Text, ended: Outcome) -> Text:
    head = f"[{place}/{total}]"
    if ended.message is None:
        return Text(
            f"{head} {name.zh}：{ended.seconds:.1f} 秒", f"{head} {name.en}: {ended.seconds:.1f} s"
        )
    return Text(
        f"{head} {name.zh}：未完成\n{ended.message.zh}",
        f"{head} {name.en}: failed\n{ended.message.en}",
    )


def _nothing_left(failures: dict[str, Text], kept: Path) -> RunError:
    names = ", ".join(failures)
    return RunError(
        Text(
            f"{len(failures)} 个项目全部未能完成，未发布页面（{names}）",
            f"all {len(failures)} runs failed and nothing was published ({names})",
        ),
        where=str(kept),
        mend=Text(
            "按上面各项目的提示修改；已执行的 notebook 保存在该文件夹",
            "mend what the messages above say; the executed notebooks are kept there",
        ),
    )


def _failed(name: str, message: Text, kept: Path) -> RunError:
    return RunError(
        Text(f"{name} 未能完成：{message.zh}", f"{name} failed: {message.en}"),
        where=str(kept / "notebooks" / f"{name}.ipynb"),
        mend=Text("打开该 notebook 查看出错的单元格", "open the notebook at the cell that failed"),
    )
