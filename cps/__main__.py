"""The command line: arguments in, verbs called, exit status out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cps.errors import CpsError, Text, UsageError, unknown_choice

if TYPE_CHECKING:
    import datetime

LANGUAGES = ("zh", "en")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 done; 2 misuse; 3 some runs failed; 4 another run holds the folder; 5 input refused.
    """
    given = _parser().parse_args(arguments)
    lang = getattr(given, "lang", None) or _own_language()
    try:
        return int(given.command(given, lang))
    except CpsError as error:
        print(error.message(lang), file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--lang",
        choices=LANGUAGES,
        default=argparse.SUPPRESS,  # before or after the command: neither resets the other
        help="language of messages 消息语言",
    )
    parser = argparse.ArgumentParser(
        prog="cps",
        description="What village common-prosperity projects changed 共富项目效果评估",
        parents=[common],
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    _add_demo(
        commands.add_parser(
            "demo", parents=[common], help="write the synthetic ledgers 生成示例台账"
        )
    )
    _add_run(commands.add_parser("run", parents=[common], help="ledgers to pages 台账到报告"))
    _add_render(
        commands.add_parser("render", parents=[common], help="a saved run to pages 重新生成页面")
    )
    _add_check(
        commands.add_parser("check", parents=[common], help="check ledgers 检查台账"),
    )
    _add_seal(commands.add_parser("seal", parents=[common], help="register a delivery 登记报送"))
    methods = commands.add_parser(
        "methods", parents=[common], help="list estimators, inferences and checks 列出方法"
    )
    methods.set_defaults(command=_methods)
    _add_new(commands.add_parser("new", parents=[common], help="draft a layout 起草版式"))
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ledgers", nargs="+", metavar="FILE", help="file, folder or database URL")
    parser.add_argument("--units", help="registry of villages, .csv or .toml 村名册")
    parser.add_argument("--initiatives", help="table of initiatives, .csv 项目表")
    parser.add_argument("--previous", help="an earlier delivery 上次报送")
    parser.add_argument("--corrections", help="file or folder of corrections 更正记录")
    parser.add_argument("--formats", help="folder of further layouts 另加的版式")
    parser.add_argument("--as-of", help="later periods are refused, YYYY-MM-DD [today]")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="[%(default)s]")
    parser.add_argument("--table", metavar="OUT.csv", help="write the canonical table 写出规范表")
    parser.add_argument(
        "--preview", action="store_true", help="show layouts, skipped rows 显示版式和略过的行"
    )
    parser.set_defaults(command=_check)


def _add_seal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ledgers", nargs="+", metavar="FILE")
    parser.add_argument("--licence", required=True, help="under what licence 许可")
    parser.add_argument("--supplier", required=True, help="who delivered it 报送单位")
    parser.add_argument("--received", help="YYYY-MM-DD [today]")
    parser.set_defaults(command=_seal)


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("layout",), help="what to draft")
    parser.add_argument("file", metavar="FILE", help="a ledger that no layout knows")
    parser.add_argument("--out", help="where to write the TOML [standard output]")
    parser.set_defaults(command=_new)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", default="data/raw/demo", help="folder for the ledgers [%(default)s]"
    )
    parser.add_argument(
        "--mode", default="headline_true", help="headline_true | headline_spurious [%(default)s]"
    )
    parser.add_argument("--seed", type=int, default=20231231, help="[%(default)s]")
    parser.set_defaults(command=_demo)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", default="data/raw/demo", help="ledger file or folder [%(default)s]"
    )
    parser.add_argument("--initiatives", help="folder of initiative files [data/initiatives]")
    parser.add_argument("--only", default="", help="ids of initiatives, with commas [all]")
    parser.add_argument("--units", help="crosswalk of unit names [data/units.toml]")
    parser.add_argument("--outcome", default="income_yuan", help="[%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    parser.add_argument("--langs", default="zh,en", help="languages of pages [%(default)s]")
    parser.add_argument("--out", default="reports", help="[%(default)s]")
    parser.add_argument("--workers", type=int, default=2, help="notebooks at a time [%(default)s]")
    parser.add_argument(
        "--timeout", type=float, default=600, help="seconds for a notebook [%(default)s]"
    )
    parser.set_defaults(command=_run)


def _add_render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="folder of a saved run")
    parser.add_argument("--out", default=".", help="[%(default)s]")
    parser.add_argument("--langs", default="zh,en", help="[%(default)s]")
    parser.set_defaults(command=_render)


def _demo(given: argparse.Namespace, lang: str) -> int:
    from cps.demo import MODES, write_demo

    if given.mode not in MODES:
        raise unknown_choice(Text("模式", "mode"), given.mode, MODES, where="--mode")
    files = write_demo(Path(given.out), mode=given.mode, seed=given.seed)
    _say(
        Text(
            f"已写出 {len(files)} 个合成台账文件：{given.out}",
            f"wrote {len(files)} synthetic ledger files: {given.out}",
        ),
        lang,
    )
    return 0


def _run(given: argparse.Namespace, lang: str) -> int:
    from cps.runner.batch import run_batch

    if given.workers < 1:
        raise UsageError(
            Text("--workers 至少为 1", "--workers must be at least 1"),
            where=f"--workers {given.workers}",
            mend=Text("给出 1 或更大的整数", "give a whole number from 1"),
        )
    batch = run_batch(
        Path(given.data),
        Path(given.out),
        initiatives=Path(given.initiatives) if given.initiatives else None,
        only=_listed(given.only),
        units=Path(given.units) if given.units else None,
        outcome=given.outcome,
        seed=given.seed,
        languages=_languages(given.langs),
        workers=given.workers,
        timeout_seconds=given.timeout,
        say=lambda text: _say(text, lang),
    )
    stages = {
        "panel": Text("读台账", "read"),
        "initiatives": Text("项目评估", "evaluate"),
        "overview": Text("总览", "overview"),
        "pages": Text("页面", "pages"),
    }
    spent = " · ".join(
        f"{stages[name].in_language(lang)} {s:.1f} s" for name, s in batch.seconds.items()
    )
    _say(Text(f"用时：{spent}", f"time: {spent}"), lang)
    for language in _languages(given.langs):
        page = batch.latest / language / "index.html"
        _say(Text(f"报告（{language}）：{page}", f"report ({language}): {page}"), lang)
    if batch.failures:
        names = ", ".join(batch.failures)
        _say(
            Text(
                f"{len(batch.failures)} 个项目未完成：{names}",
                f"{len(batch.failures)} initiatives failed: {names}",
            ),
            lang,
        )
        return 3
    return 0


def _render(given: argparse.Namespace, lang: str) -> int:
    from cps.report.render import write_report
    from cps.runs import load_run

    for path in write_report(
        load_run(given.run), Path(given.out), languages=_languages(given.langs)
    ):
        print(path)
    return 0


def _methods(given: argparse.Namespace, lang: str) -> int:
    from cps.catalogue import catalogue

    for kind, entries in catalogue():
        print(f"\n{kind.in_language(lang)}")
        for one in entries:
            print(f"  {one.id}: {one.name.in_language(lang)}")
            if one.options:
                print(f"      {'选项' if lang == 'zh' else 'options'}: {one.options}")
            if one.bears:
                print(f"      {'可处理' if lang == 'zh' else 'bears'}: {', '.join(one.bears)}")
            if one.assumes:
                print(
                    f"      {'假定' if lang == 'zh' else 'assumes'}: {one.assumes.in_language(lang)}"
                )
            if one.reference:
                print(f"      {one.reference}")
    return 0


def _check(given: argparse.Namespace, lang: str) -> int:
    from cps.ledger.check import as_json, as_text, write_table
    from cps.ledger.read import inspect_ledgers

    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        found = inspect_ledgers(
            [one if "://" in one else Path(one) for one in given.ledgers],
            formats=_path(given.formats),
            units=_path(given.units),
            initiatives=_path(given.initiatives),
            previous=_path(given.previous),
            corrections=_path(given.corrections),
            as_of=_day(given.as_of, "--as-of"),
        )
    except CpsError as error:
        if given.format == "json" and error.exit_code == 5:
            print(as_json(error, lang))
            return error.exit_code
        raise
    if given.preview:
        from cps.ledger.preview import preview

        for one in given.ledgers:
            _say(Text(str(preview(one)), str(preview(one))), lang)
    print(as_json(found, lang) if given.format == "json" else as_text(found, lang))
    if found.is_rejected:
        return 5
    if given.table:
        write_table(found, Path(given.table))
    return 0


def _seal(given: argparse.Namespace, lang: str) -> int:
    import datetime

    from cps.ledger.delivery import seal

    received = _day(given.received, "--received") or datetime.date.today()
    for one in given.ledgers:
        path = seal(Path(one), licence=given.licence, supplier=given.supplier, received=received)
        _say(Text(f"已登记：{path}", f"registered: {path}"), lang)
    return 0


def _new(given: argparse.Namespace, lang: str) -> int:
    from cps.ledger.draft import draft_layout

    draft = draft_layout(Path(given.file))
    if given.out:
        from cps.provenance import atomic_path

        with atomic_path(Path(given.out)) as temporary:
            temporary.write_text(draft.toml, encoding="utf-8")
    else:
        print(draft.toml)
    for one in draft.unsure:
        print(f"? {one.in_language(lang)}", file=sys.stderr)
    return 0


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _day(text: str | None, option: str) -> datetime.date | None:
    import datetime

    if not text:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            Text(f"“{text}”不是日期", f"{text!r} is no date"),
            where=option,
            mend=Text("按 2025-01-31 的写法", "write it as 2025-01-31"),
        ) from error


def _languages(text: str) -> tuple[str, ...]:
    from cps.locale import languages

    chosen = _listed(text)
    for name in chosen:
        if name not in languages():
            raise unknown_choice(Text("语言", "language"), name, languages(), where="--langs")
    return chosen or LANGUAGES


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _own_language() -> str:
    wanted = os.environ.get("CPS_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if wanted.startswith("zh") else "en"


def _say(text: Text, lang: str) -> None:
    print(text.in_language(lang), flush=True)


if __name__ == "__main__":
    sys.exit(main())
