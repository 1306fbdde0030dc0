"""The command that runs everything: ledgers to pages."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cps.commands.common import LANGUAGES, day, languages, listed, path, positive, say, size
from cps.errors import CpsError, LockedError, Text, UsageError, require_seed

if TYPE_CHECKING:
    from cps.runner.batch import Batch

# Options that decide results, with their defaults; a resumed run has its own.
_RESULTS: dict[str, Any] = {
    "data": "data/raw/demo",
    "initiatives": None,
    "only": "",
    "units": None,
    "notebooks": None,
    "outcome": "income_yuan",
    "seed": 0,
    "langs": ",".join(LANGUAGES),
    "as_of": None,
    "scheme": None,
}
# What a run of another scheme has no use for: its ledgers and register say it all.
_NOT_OF_SCHEMES = ("initiatives", "only", "units", "as_of")
_LEAST_MEMORY = 3 * 2**30


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    # None tells an option that was not given from one that was.
    parser.add_argument("--data", help=f"ledger file or folder [{_RESULTS['data']}]")
    parser.add_argument("--initiatives", help="folder of initiative files [data/initiatives]")
    parser.add_argument("--only", help="ids of initiatives, with commas [all]")
    parser.add_argument("--units", help="crosswalk of unit names [data/units.toml]")
    parser.add_argument("--notebooks", help="folder with initiative.ipynb and overview.ipynb")
    parser.add_argument(
        "--scheme", help="id (see cps schemes) or file of another scheme to evaluate"
    )
    parser.add_argument("--outcome", help=f"[{_RESULTS['outcome']}]")
    parser.add_argument("--seed", type=int, help=f"[{_RESULTS['seed']}]")
    parser.add_argument("--langs", help=f"languages of pages [{_RESULTS['langs']}]")
    parser.add_argument("--as-of", help="leave out periods that end later, YYYY-MM-DD")
    parser.add_argument("--out", help="[reports; reports/schemes/ID of a scheme]")
    parser.add_argument("--workers", type=int, help="notebooks at a time [all cores]")
    parser.add_argument(
        "--timeout", type=float, default=600, help="seconds for a notebook [%(default)s]"
    )
    parser.add_argument("--memory", help="limit of one kernel, as 4G [0.8 of all, shared]")
    parser.add_argument(
        "--resume", action="store_true", help="finish the interrupted run 继续中断的运行"
    )
    parser.add_argument(
        "--again", action="store_true", help="keep nothing of earlier runs 全部重算"
    )
    parser.add_argument("--cold", action="store_true", help="start each kernel from nothing")
    parser.add_argument("--kernel", help="an installed kernelspec, in place of this Python")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a dask.distributed scheduler")
    parser.add_argument(
        "--wait", type=float, default=0, help="seconds to wait for another run [%(default)s]"
    )
    parser.add_argument("--summary", metavar="FILE", help="also write the summary there (JSON)")
    parser.set_defaults(command=run)


def run(given: argparse.Namespace, lang: str) -> int:
    """Run, and tell how it ended; the status is that of the run."""
    from cps.runner.signals import Stopped, stoppable

    if given.out is None:
        own = f"/schemes/{Path(given.scheme).stem}" if given.scheme else ""
        given.out = f"reports{own}"
    try:
        with stoppable():
            return _run(given, lang)
    except Stopped as stopped:
        print(_stopped(stopped, Path(given.out)).in_language(lang), file=sys.stderr)
        return stopped.exit_code


def _run(given: argparse.Namespace, lang: str) -> int:
    from cps.runner.doctor import demand_versions

    demand_versions()  # first: what follows imports libraries that may not be there
    from cps.runner.batch import run_batch

    chosen = _chosen(given)
    workers = given.workers if given.workers is not None else _cores()
    positive(workers, "--workers")
    terminal = _Terminal(lang)
    with _copied_summary(given, lang), terminal:
        batch = run_batch(
            Path(chosen["data"]),
            Path(given.out),
            initiatives=path(chosen["initiatives"]),
            only=listed(chosen["only"]),
            units=path(chosen["units"]),
            notebooks=path(chosen["notebooks"]),
            outcome=chosen["outcome"],
            seed=require_seed(chosen["seed"], where="--seed"),
            languages=languages(chosen["langs"]),
            as_of=day(chosen["as_of"], "--as-of"),
            scheme=path(chosen["scheme"]),
            workers=workers,
            timeout_seconds=positive(given.timeout, "--timeout"),
            memory_bytes=size(given.memory, "--memory") or _memory(workers),
            is_cold=given.cold,
            kernel=given.kernel,
            cluster=given.cluster,
            resume=given.resume,
            again=given.again,
            wait_seconds=given.wait,
            say=terminal.say,
            progress=terminal.progress,
        )
    _tell(batch, languages(chosen["langs"]), lang)
    return batch.exit_code


def _chosen(given: argparse.Namespace) -> dict[str, Any]:
    options = {name: getattr(given, name) for name in _RESULTS}
    if given.resume:
        _demand_interrupted(Path(given.out))
        named = [f"--{name.replace('_', '-')}" for name, one in options.items() if one is not None]
        if named:
            raise UsageError(
                Text(
                    f"--resume 沿用被中断运行的选项，不能再给 {'、'.join(named)}",
                    f"--resume takes the options of the interrupted run, not {', '.join(named)}",
                ),
                where="--resume",
                mend=Text(
                    "去掉这些选项，或去掉 --resume（未变的部分同样不会重算）",
                    "leave these out, or leave --resume out (what is unchanged is kept all the same)",
                ),
            )
    defaults = _RESULTS if given.scheme is None else _of_scheme(given, options)
    return {name: defaults[name] if one is None else one for name, one in options.items()}


def _of_scheme(given: argparse.Namespace, options: dict[str, Any]) -> dict[str, Any]:
    """Give the defaults of a scheme's run: its own ledgers, and the first of its outcomes.

    Raises
    ------
    UsageError
        If there is no such scheme, or an option is given that a scheme's run can't honour.
    SchemeError
        If no effect of it can be estimated.
    """
    from cps.runner.prepare import scheme_outcomes
    from cps.schemes.load import scheme_file

    named = [f"--{one.replace('_', '-')}" for one in _NOT_OF_SCHEMES if options[one] is not None]
    if named:
        raise UsageError(
            Text(
                f"评估其他举措时不能用 {'、'.join(named)}",
                f"{', '.join(named)} can't be used with --scheme",
            ),
            where=f"--scheme {given.scheme}",
            mend=Text(
                "去掉这些选项：单位与开始日期以该举措的登记台账为准",
                "leave them out: the scheme's register names units and starts",
            ),
        )
    file = scheme_file(given.scheme)
    options["scheme"] = str(file)
    data = f"data/raw/schemes/{file.stem}"
    return {**_RESULTS, "data": data, "outcome": scheme_outcomes(file)[0]}


def _demand_interrupted(out: Path) -> None:
    """Refuse to resume what was never begun: its options are known to nobody."""
    from cps.runner.work import Work

    if Work(out.resolve()).interrupted() is None:
        raise UsageError(
            Text("没有中断的运行可继续", "no run was interrupted here: there is nothing to resume"),
            where=f"--resume --out {out}",
            mend=Text(
                "去掉 --resume，并给出所需选项", "leave --resume out, and give the options you want"
            ),
        )


def _tell(batch: Batch, langs: tuple[str, ...], lang: str) -> None:
    if not batch.is_new:
        name = batch.folder.name
        say(Text(f"没有变化，沿用 {name}", f"nothing changed since {name}; nothing was run"), lang)
    spent = " · ".join(
        f"{_STAGES[name].in_language(lang)} {s:.1f} s" for name, s in batch.seconds.items()
    )
    say(Text(f"用时：{spent}", f"time: {spent}"), lang)
    for language in langs:
        page = batch.latest / language / "index.html"
        say(Text(f"报告（{language}）：{page}", f"report ({language}): {page}"), lang)
    if batch.failures:
        names = ", ".join(batch.failures)
        say(
            Text(
                f"{len(batch.failures)} 个项目未完成：{names}",
                f"{len(batch.failures)} initiatives failed: {names}",
            ),
            lang,
        )


_STAGES = {
    "panel": Text("读台账", "read"),
    "initiatives": Text("项目评估", "evaluate"),
    "overview": Text("总览", "overview"),
    "pages": Text("页面", "pages"),
    "publish": Text("发布", "publish"),
    "check": Text("核对", "check"),
}


def _stopped(stopped: BaseException, out: Path) -> Text:
    from cps.runner.work import Work

    if Work(out.resolve()).interrupted() is None:
        return Text(
            f"收到 {stopped}，已停止，尚未开始计算；已发布的报告未受影响，重新运行即可",
            f"stopped by {stopped} before anything was begun; published reports are untouched; "
            "run it again",
        )
    return Text(
        f"收到 {stopped}，已停止；已发布的报告未受影响，用 cps run --resume 继续",
        f"stopped by {stopped}; published reports are untouched; go on with cps run --resume",
    )


@contextlib.contextmanager
def _copied_summary(given: argparse.Namespace, lang: str) -> Iterator[None]:
    """Write this run's summary to ``--summary`` as well; never that of another run."""
    source = Path(given.out) / "summary.json"
    before, error = _state_of(source), None
    try:
        yield
    except CpsError as refused:
        error = refused
        raise
    finally:
        is_own = _state_of(source) != before and not isinstance(error, LockedError)
        try:
            if given.summary and is_own:
                shutil.copyfile(source, given.summary)
            elif given.summary and error is not None:
                from cps.runner.summary import write_refusal

                write_refusal(Path(given.summary), error)
        except OSError as refused:
            # The run's own status stands: what is published is published.
            said = Text(
                f"提示：运行摘要无法写入 {given.summary}：{refused.strerror}",
                f"note: the summary can't be written to {given.summary}: {refused.strerror}",
            )
            with contextlib.suppress(OSError):
                print(said.in_language(lang), file=sys.stderr)


def _state_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory(workers: float) -> int | None:
    """Share four fifths of the machine's memory among the kernels: none takes it down alone."""
    if not hasattr(os, "sysconf"):
        return None
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_LEAST_MEMORY, int(0.8 * total / workers))


class _Terminal:
    """A progress bar below the lines on a terminal; plain lines in a log."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self._bar: Any = None

    def __enter__(self) -> _Terminal:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def say(self, text: Text) -> None:
        if self._bar is None:
            say(text, self._lang)
        else:
            self._bar.write(text.in_language(self._lang), file=sys.stdout)

    def progress(self, ended: int, total: int) -> None:
        if not sys.stdout.isatty() or not total:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="项" if self._lang == "zh" else "", file=sys.stdout)
        self._bar.update(ended - self._bar.n)
        if ended == total:
            self._bar.close()
            self._bar = None
