"""Commands on ledgers: check, seal a delivery, draft a layout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cps.commands.common import day, path, say
from cps.errors import CpsError, Text


def add_check(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``check``."""
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


def add_seal(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seal``."""
    parser.add_argument("ledgers", nargs="+", metavar="FILE")
    parser.add_argument("--licence", required=True, help="under what licence 许可")
    parser.add_argument("--supplier", required=True, help="who delivered it 报送单位")
    parser.add_argument("--received", help="YYYY-MM-DD [today]")
    parser.set_defaults(command=_seal)


def add_new(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``new``."""
    parser.add_argument("what", choices=("layout",), help="what to draft")
    parser.add_argument("file", metavar="FILE", help="a ledger that no layout knows")
    parser.add_argument("--out", help="where to write the TOML [standard output]")
    parser.set_defaults(command=_new)


def _check(given: argparse.Namespace, lang: str) -> int:
    from cps.ledger.check import as_json, as_text, write_table
    from cps.ledger.read import inspect_ledgers

    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        found = inspect_ledgers(
            [one if "://" in one else Path(one) for one in given.ledgers],
            formats=path(given.formats),
            units=path(given.units),
            initiatives=path(given.initiatives),
            previous=path(given.previous),
            corrections=path(given.corrections),
            as_of=day(given.as_of, "--as-of"),
        )
    except CpsError as error:
        if given.format == "json" and error.exit_code == 5:
            print(as_json(error, lang))
            return error.exit_code
        raise
    if given.preview:
        from cps.ledger.preview import preview

        for one in given.ledgers:
            say(Text(str(preview(one)), str(preview(one))), lang)
    print(as_json(found, lang) if given.format == "json" else as_text(found, lang))
    if found.is_rejected:
        return 5
    if given.table:
        write_table(found, Path(given.table))
    return 0


def _seal(given: argparse.Namespace, lang: str) -> int:
    import datetime

    from cps.ledger.delivery import seal

    received = day(given.received, "--received") or datetime.date.today()
    for one in given.ledgers:
        path = seal(Path(one), licence=given.licence, supplier=given.supplier, received=received)
        say(Text(f"已登记：{path}", f"registered: {path}"), lang)
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
