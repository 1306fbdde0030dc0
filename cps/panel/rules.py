"""Rules that a good panel keeps, as named expressions that are true for a good row."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cps.errors import Finding, Text

_SHOWN = 5
_JUMP = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``good`` may look along a unit's periods; null counts as good."""

    code: str
    good: pl.Expr
    what: Text
    mend: Text


def _steady(column: str) -> pl.Expr:
    before = pl.col(column).shift(1).over("unit", order_by="period")
    ratio = pl.col(column) / before
    return (before <= 0) | (ratio.is_between(1 / _JUMP, _JUMP))


RULES: tuple[Rule, ...] = (
    Rule(
        "W-PANEL-NEGATIVE",
        pl.col("income_yuan") >= 0,
        Text("经营性收入为负", "operating income is negative"),
        Text("核对是否冲销，或正负号写反", "check for a reversal, or a wrong sign"),
    ),
    Rule(
        "W-PANEL-JUMP",
        _steady("income_yuan"),
        Text(
            f"经营性收入一年内变动超过 {_JUMP} 倍",
            f"operating income moves by more than {_JUMP} times",
        ),
        Text("核对单位是元还是万元", "check whether the unit is 元 or 万元"),
    ),
    Rule(
        "W-PANEL-JOBS-NEGATIVE",
        pl.col("jobs_persons") >= 0,
        Text("就业人数为负", "jobs are negative"),
        Text("核对该处", "check it"),
    ),
)


def broken_rules(frame: pl.DataFrame) -> list[Finding]:
    """Give one finding a rule that is broken anywhere, with the first places and their number."""
    findings = []
    for rule in RULES:
        bad = frame.filter(~rule.good.fill_null(True)).sort("unit", "period")
        if bad.height:
            places = ", ".join(
                f"{one['unit']} {one['period_label']}" for one in bad.head(_SHOWN).to_dicts()
            )
            tail = " …" if bad.height > _SHOWN else ""
            findings.append(
                Finding(rule.code, "warn", rule.what, places + tail, rule.mend, count=bad.height)
            )
    return findings
