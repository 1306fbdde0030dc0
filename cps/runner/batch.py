"""A whole run: plan, execute what is not there yet, render, publish whole or not at all."""

from __future__ import annotations

import contextlib
import datetime
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cps.errors import CpsError, StorageError, Text, UsageError, unknown_choice
from cps.panel.record import OUTCOME_MEASURES
from cps.runner.doctor import demand_versions
from cps.runner.edition import LATEST, mend_pointers
from cps.runner.local import demand_kernel
from cps.runner.lock import Held, hold
from cps.runner.means import Means
from cps.runner.order import Order, absolute
from cps.runner.prepare import scheme_outcomes
from cps.runner.record import Progress, Record, Say
from cps.runner.session import Session
from cps.runner.snapshot import NAMES
from cps.runner.summary import of_error, write_summary
from cps.runner.telling import place_refused
from cps.runner.work import Work, room_needed

# What the operating system says when a place can't be written; never a fault of the package.
_PLACE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EFBIG,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOENT,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENOTEMPTY,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EBUSY,
    errno.ENOLCK,
    errno.ESTALE,
    errno.ETIMEDOUT,
}


@dataclass(frozen=True, slots=True)
class Batch:
    """What a run gave.

    Parameters
    ----------
    folder : Path
        The published folder: ``{zh,en}/*.html``, ``notebooks/``, ``runs/``, ``overview/``,
        ``panel/`` and ``manifest.json``.
    latest : Path
        The pointer to the newest one.
    failures : dict of str to Text
        Initiative id -> why it failed; empty if all went well.
    ran, kept : tuple of str
        What was executed, and what was unchanged and taken from an earlier run.
    is_new : bool
        False if nothing had changed, so that the newest edition stays.
    warnings : tuple of Text
    seconds : dict of str to float
        Wall time by stage.
    """

    folder: Path
    latest: Path
    failures: dict[str, Text]
    ran: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    is_new: bool = True
    warnings: tuple[Text, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """Give 3 if an initiative failed, else 0."""
        return 3 if self.failures else 0


def run_batch(
    data: Path | str,
    out: Path | str = "reports",
    *,
    initiatives: Path | None = None,
    only: Sequence[str] = (),
    units: Path | None = None,
    notebooks: Path | None = None,
    outcome: str = "income_yuan",
    seed: int = 0,
    languages: Sequence[str] = ("zh", "en"),
    as_of: datetime.date | None = None,
    scheme: Path | None = None,
    workers: int = 2,
    timeout_seconds: float = 600,
    memory_bytes: int | None = None,
    is_cold: bool = False,
    kernel: str | None = None,
    cluster: str | None = None,
    resume: bool = False,
    again: bool = False,
    wait_seconds: float = 0,
    say: Say = lambda text: None,
    progress: Progress = lambda ended, total: None,
) -> Batch:
    """Evaluate initiatives from ledger files and publish their pages, whole or not at all.

    What depends on nothing that changed since an earlier run is taken from there. Two runs of the
    same inputs give the same bytes but for ``manifest.json``, ``circumstances.json`` and the
    executed notebooks, where times and hosts are kept.

    Parameters
    ----------
    data : path
        Ledger file, or folder of them.
    out : path
        Folder of reports; ``out/latest`` points at what was published last, ``out/complete`` at
        the last in which nothing failed.
    only : sequence of str
        Initiative ids; all if empty.
    notebooks : Path or None
        Folder with ``initiative.ipynb`` and ``overview.ipynb`` in place of the shipped ones.
    as_of : date or None
        Periods that end later are left out.
    scheme : Path or None
        File of another scheme, which is evaluated from its own ledgers in place of the initiatives.
    workers : int
        Notebooks at a time, each in processes of its own.
    timeout_seconds : float
        For one notebook.
    memory_bytes : int or None
        Address space of one kernel.
    is_cold : bool
        Start each kernel from nothing.
    kernel : str or None
        An installed kernelspec in place of this very Python; implies ``is_cold``.
    cluster : str or None
        Address of a dask.distributed scheduler whose workers run the notebooks.
    resume : bool
        Finish the run that was interrupted, from its own options and copies of its inputs; an
        ordinary run if there is none.
    again : bool
        Run everything, whatever is kept from earlier runs.
    wait_seconds : float
        How long to wait for another run on ``out``.
    say : callable
        Takes each line of progress.
    progress : callable
        Takes how many of how many initiatives have ended.

    Raises
    ------
    UsageError, LedgerError, PanelError, InitiativeError
        If the input is refused; nothing is published.
    LockedError
        If another run holds ``out``.
    StorageError
        If a folder, disk, kernel or cluster can't be used.
    RunError
        If no initiative could be evaluated, or the overview failed; ``out/latest`` stays as it was.
    """
    known = OUTCOME_MEASURES if scheme is None else scheme_outcomes(scheme)
    if outcome not in known:
        raise unknown_choice(Text("结果变量", "outcome"), outcome, known, where="--outcome")
    for name in NAMES if notebooks else ():
        if not (Path(notebooks or "") / name).is_file():
            raise UsageError(
                Text(f"文件夹中没有 {name}", f"there is no {name} in the folder"),
                where=str(notebooks),
                mend=Text("复制 notebooks/ 后修改", "copy notebooks/ and change the copy"),
            )
    order = Order(
        data=str(Path(data).absolute()),
        initiatives=absolute(initiatives),
        units=absolute(units),
        notebooks=absolute(notebooks),
        only=tuple(only),
        outcome=outcome,
        seed=seed,
        languages=tuple(languages),
        as_of=as_of.isoformat() if as_of else None,
        scheme=absolute(scheme),
    )
    demand_versions()
    folder = Path(out).resolve()
    if not resume:
        _demand_apart(Path(data), folder)
    record = Record(say, progress)
    with _in_words(folder), hold(folder, wait_seconds=wait_seconds) as held:
        work = Work(folder)
        order, is_resumed = _settled(order, work.interrupted(), resume, say)
        means = Means(workers, timeout_seconds, memory_bytes, is_cold, kernel, cluster)
        session = Session(order, work, held=held, means=means, record=record)
        with _told(session, work, held):
            if kernel is not None:
                demand_kernel(kernel)
            mend_pointers(folder, record.warn)
            session.run(is_resumed=is_resumed, is_again=again)
        return Batch(
            folder=session.published,
            latest=folder / LATEST,
            failures=session.failures,
            ran=(*record.named("run"), *record.named("failed")),
            kept=record.named("kept"),
            is_new=record.status != "unchanged",
            warnings=tuple(record.warnings),
            seconds=record.seconds,
        )


def _demand_apart(data: Path, out: Path) -> None:
    """Refuse to publish among the ledgers: the next run would read them as such."""
    if data.is_dir() and out.is_relative_to(data.resolve()):
        raise UsageError(
            Text("输出文件夹在台账文件夹之内", "the output folder lies inside that of the ledgers"),
            where=f"--data {data} --out {out}",
            mend=Text(
                "用 --out 另选台账文件夹之外的位置",
                "give --out a place outside the folder of the ledgers",
            ),
        )


def _settled(order: Order, left: dict | None, resume: bool, say: Say) -> tuple[Order, bool]:
    """Take the interrupted run's order where it is to be resumed."""
    if left is None:
        if resume:
            say(Text("没有中断的运行，按新的运行执行", "no run was interrupted; this is a new one"))
        return order, False
    when = left["marked"]
    if resume:
        say(Text(f"继续 {when} 中断的运行", f"resuming the run interrupted at {when}"))
        return Order.from_json(left["order"]), True
    say(
        Text(
            f"{when} 的运行没有结束，其已完成且未变的部分将直接采用",
            f"the run of {when} did not end; what it finished and did not change is used",
        )
    )
    return order, False


@contextlib.contextmanager
def _told(session: Session, work: Work, held: Held) -> Iterator[None]:
    """Write the summary whatever the outcome, and mark an interrupted run as such."""
    record = session.record
    code = 0
    try:
        with _in_words(session.out):
            yield
        code = 3 if session.failures else 0
    except CpsError as error:
        code = error.exit_code
        record.status = "rejected" if code == 5 else "failed"
        record.error = of_error(error)
        if not isinstance(error, StorageError):
            work.clear()
        elif record.is_begun and held.is_in_place():
            with contextlib.suppress(OSError):
                work.mark("interrupted", session.order)
        raise
    except BaseException as stopped:
        code = getattr(stopped, "exit_code", 130 if isinstance(stopped, KeyboardInterrupt) else 1)
        record.status = "interrupted" if code > 128 else "failed"
        if held.is_in_place():
            with contextlib.suppress(OSError):
                work.mark("interrupted", session.order)
        raise
    finally:
        edition = session.published.name or None
        body = record.summary(session.order, exit_code=code, edition=edition)
        if held.is_in_place():
            write_summary(session.out, body)
        else:
            work.withdraw()


@contextlib.contextmanager
def _in_words(out: Path) -> Iterator[None]:
    """Turn the system's refusal to write into words; what was published stays as it was."""
    try:
        yield
    except OSError as error:
        if error.errno not in _PLACE:
            raise
        raise place_refused(error, out, room_needed(out)) from error
