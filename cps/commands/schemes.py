"""The command on the other schemes of the source: which can be evaluated, and their cards."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cps.commands.common import languages, listed, say
from cps.errors import Text, unknown_choice

if TYPE_CHECKING:
    from cps.facts import Facts
    from cps.schemes import Scheme
    from cps.schemes.cards import Card

DATA = "data/raw/schemes"
_EVALUABLE = {
    "yes": Text("能　　", "yes         "),
    "partly": Text("有条件", "with limits "),
    "lacking": Text("缺数据", "data lacking"),
    "no": Text("不能　", "no          "),
}
_WIDTH = 27
_SYNTHETIC = Text("合成数据", "synthetic data")


def add_schemes(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``schemes``."""
    parser.add_argument("--out", help="write cards to this folder 写出指标卡, as reports/schemes")
    parser.add_argument("--data", default=DATA, help="a folder of ledgers a scheme [%(default)s]")
    parser.add_argument("--schemes", help="folder of scheme files [data/schemes]")
    parser.add_argument("--only", help="ids, with commas [all]")
    parser.add_argument("--langs", default="zh,en", help="[%(default)s]")
    parser.set_defaults(command=_schemes)


def _schemes(given: argparse.Namespace, lang: str) -> int:
    from cps.facts import load_facts
    from cps.schemes import load_schemes

    facts = load_facts()
    declared = load_schemes(Path(given.schemes) if given.schemes else None, facts=facts)
    schemes = _chosen(declared, listed(given.only or ""))
    if given.out is None:
        _list(schemes, lang)
        return 0
    chosen = languages(given.langs)
    cards = [_card(one, facts, Path(given.data), lang) for one in schemes]
    from cps.report.cards import write_cards
    from cps.runs import encode

    written = write_cards([encode(one) for one in cards], Path(given.out), languages=chosen)
    n_values = sum(bool(one.files) for one in cards)
    say(
        Text(
            f"写出 {len(cards)} 张指标卡，其中 {n_values} 张有数值：{written[0]}",
            f"wrote {len(cards)} cards, {n_values} of them with values: {written[0]}",
        ),
        lang,
    )
    return 0


def _chosen(schemes: Sequence[Scheme], only: Sequence[str]) -> list[Scheme]:
    ids = [one.id for one in schemes]
    for name in only:
        if name not in ids:
            raise unknown_choice(Text("举措", "scheme"), name, ids, where="--only")
    return [one for one in schemes if not only or one.id in only]


def _list(schemes: Sequence[Scheme], lang: str) -> None:
    for one in schemes:
        how = ""
        if one.can_run:
            how = f"  cps run --scheme {one.id}"
        elif one.uses_initiatives:
            how = "  cps run"
        name = one.name.in_language(lang)
        lacks = one.is_evaluable == "partly" and not one.can_run
        can = _EVALUABLE["lacking" if lacks else one.is_evaluable].in_language(lang)
        print(f"{one.id:<{_WIDTH}} {can}  {name}{how}")


def _card(scheme: Scheme, facts: Facts, data: Path, lang: str) -> Card:
    """Make a card, with values where the scheme has a folder of ledgers."""
    from cps.schemes.cards import make_card
    from cps.schemes.reader import read_scheme

    folder = data / scheme.id
    if not scheme.ledgers or not folder.is_dir():
        return make_card(scheme, facts)
    ledgers = read_scheme(scheme, folder)
    warnings = sum(one.severity == "warn" for one in ledgers.findings)
    if warnings:
        mark = f" · {_SYNTHETIC.in_language(lang)}" if ledgers.is_synthetic else ""
        say(
            Text(
                f"{scheme.name.zh}：台账有 {warnings} 条提醒{mark}",
                f"{scheme.name.en}: {warnings} warnings on its ledgers{mark}",
            ),
            lang,
        )
    return make_card(scheme, facts, ledgers)
