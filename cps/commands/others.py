"""Commands on demonstration data, saved runs and methods."""

from __future__ import annotations

import argparse
from pathlib import Path

from cps.commands.common import languages, say
from cps.errors import Text, require_seed, unknown_choice


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``demo``."""
    parser.add_argument(
        "--out",
        help="folder for the ledgers [data/raw/demo; with --scheme data/raw/schemes, a folder in it "
        "for each scheme]",
    )
    parser.add_argument(
        "--scheme",
        help="id of another scheme of the source, or all: its ledgers, not the villages'",
    )
    parser.add_argument(
        "--mode", default="headline_true", help="headline_true | headline_spurious [%(default)s]"
    )
    parser.add_argument("--seed", type=int, default=20231231, help="[%(default)s]")
    parser.set_defaults(command=_demo)


def _demo(given: argparse.Namespace, lang: str) -> int:
    from cps.demo import MODES, write_demo

    if given.mode not in MODES:
        raise unknown_choice(Text("模式", "mode"), given.mode, MODES, where="--mode")
    out = given.out or ("data/raw/schemes" if given.scheme else "data/raw/demo")
    require_seed(given.seed, where="--seed")
    if given.scheme:
        files = _demo_schemes(given.scheme, out, mode=given.mode, seed=given.seed)
    else:
        files = list(write_demo(Path(out), mode=given.mode, seed=given.seed))
    say(
        Text(
            f"已写出 {len(files)} 个合成台账文件：{out}",
            f"wrote {len(files)} synthetic ledger files: {out}",
        ),
        lang,
    )
    return 0


def _demo_schemes(scheme: str, out: str, *, mode: str, seed: int) -> list[Path]:
    from cps.demo.schemes import list_scheme_ledgers, write_scheme

    known = list_scheme_ledgers()
    if scheme not in (*known, "all"):
        raise unknown_choice(Text("政策", "scheme"), scheme, (*known, "all"), where="--scheme")
    return [
        path
        for one in (known if scheme == "all" else (scheme,))
        for path in write_scheme(one, out, mode=mode, seed=seed)
    ]


def add_render(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``render``."""
    parser.add_argument("run", help="folder of a saved run")
    parser.add_argument("--out", default=".", help="[%(default)s]")
    parser.add_argument("--langs", default="zh,en", help="[%(default)s]")
    parser.set_defaults(command=_render)


def _render(given: argparse.Namespace, lang: str) -> int:
    from cps.report.render import write_report
    from cps.runs import load_run

    for path in write_report(
        load_run(given.run), Path(given.out), languages=languages(given.langs)
    ):
        print(path)
    return 0


def add_methods(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``methods``."""
    parser.set_defaults(command=_methods)


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
