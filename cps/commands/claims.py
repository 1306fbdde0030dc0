"""The command that holds claims against a saved run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cps.commands.common import say
from cps.errors import Text

if TYPE_CHECKING:
    from cps.synthesis.claims import ClaimVerdict

_DEFAULT = "reports/latest"
_VERDICTS = {
    "contradicted": Text("数据不支持", "contradicted"),
    "supported": Text("数据支持", "supported"),
    "not_testable": Text("无法检验", "not testable"),
}

_MARK = Text(
    "合成数据：标有“演示数据”的判定只演示方法，不说明任何真实地方。",
    "Synthetic data: verdicts marked as demonstration show the method and say nothing of a real place.",
)


def add_claims(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``claims``."""
    parser.add_argument(
        "run", nargs="?", default=_DEFAULT, help="overview's run, or its edition [%(default)s]"
    )
    parser.add_argument("--claims", metavar="FILE", help="claims of your own, .toml 自拟说法")
    parser.add_argument("--facts", help="folder of facts [data/facts]")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(command=_claims)


def _claims(given: argparse.Namespace, lang: str) -> int:
    from cps.facts import load_facts
    from cps.runs import load_run
    from cps.synthesis.claims import check_claims, claims_table

    run = load_run(_overview(Path(given.run)))
    facts = load_facts(Path(given.facts) if given.facts else None)
    verdicts = check_claims(run, facts, claims=given.claims)
    if given.json:
        body = {
            "run": run.manifest.run_hash,
            "is_synthetic": run.is_synthetic,
            "claims": claims_table(verdicts),
        }
        print(json.dumps(body, ensure_ascii=False, indent=1))
        return 0
    if any(one.is_demonstration for one in verdicts):
        say(_MARK, lang)
    _print(verdicts, lang)
    return 0


def _overview(folder: Path) -> Path:
    """Give the overview's run in a folder of reports or of an edition, or the folder itself."""
    for inside in ("", "overview", "latest/overview"):
        if (folder / inside / "run.json").exists():
            return folder / inside
    return folder


def _print(verdicts: Sequence[ClaimVerdict], lang: str) -> None:
    for name, words in _VERDICTS.items():
        chosen = [one for one in verdicts if one.verdict == name and one.basis != "arithmetic"]
        if chosen:
            say(Text(f"\n{words.zh}（{len(chosen)} 条）", f"\n{words.en} ({len(chosen)})"), lang)
        for one in chosen:
            _print_one(one, lang)
    sums = [one for one in verdicts if one.basis == "arithmetic"]
    if sums:
        n_right = sum(one.verdict == "supported" for one in sums)
        say(
            Text(
                f"\n推算数重算：{len(sums)} 项，{n_right} 项无误",
                f"\nworked-out figures, worked out again: {n_right} of {len(sums)} are right",
            ),
            lang,
        )
    for one in sums:
        if one.verdict != "supported":
            _print_one(one, lang)


def _print_one(one: ClaimVerdict, lang: str) -> None:
    reading = Text(f"［{one.reading}］", f"[{one.reading}] ") if one.reading else Text("", "")
    say(Text(f"  {reading.zh}{one.text.zh}", f"  {reading.en}{one.text.en}"), lang)
    reason = Text(one.reason.zh + one.missing.zh, f"{one.reason.en} {one.missing.en}".strip())
    say(Text(f"      {reason.zh}", f"      {reason.en}"), lang)
