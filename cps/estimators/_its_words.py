"""What an interrupted time series refuses, and what its reader must know."""

from __future__ import annotations

from dataclasses import dataclass

from cps.design.record import Design
from cps.errors import Finding, Text

_LONG = 30


@dataclass(frozen=True, slots=True)
class Refusal:
    """Code, sentence with numbered places, and how to mend it."""

    code: str
    what: Text
    mend: Text


REFUSALS: dict[str, Refusal] = {
    "no_comparison": Refusal(
        "E-ITS-NO-COMPARISON",
        Text(
            "没有从未处理的单位，controls={0} 无从比较",
            "no never-treated unit to compare with under controls={0}",
        ),
        Text("加入对照，或设 controls=none", "add comparison units, or set controls=none"),
    ),
    "logarithms": Refusal(
        "E-ITS-LOG",
        Text(
            "family={0} 需要原始计数，而设计已取对数",
            "family={0} needs counts as measured; the design takes logarithms",
        ),
        Text(
            "设计时用 form=level 或 rate，或改用 family=gaussian",
            "design it with form=level or rate, or take family=gaussian",
        ),
    ),
    "negative": Refusal(
        "E-ITS-NEGATIVE",
        Text("family={0} 的计数不能为负", "family={0} takes no negative counts"),
        Text("更正数据，或改用 family=gaussian", "correct the data, or take family=gaussian"),
    ),
    "several_starts": Refusal(
        "E-ITS-STARTS",
        Text(
            "有 {0} 个启动时期，计数模型与 pooled 只能处理一个",
            "{0} starts; counts and controls=pooled take a single one",
        ),
        Text(
            "逐批建立设计，或用 family=gaussian 与 controls=mean",
            "design one start at a time, or take family=gaussian with controls=mean",
        ),
    ),
    "no_season": Refusal(
        "E-ITS-SEASON",
        Text(
            "这一频率的数据容不下 {0} 对谐波",
            "data of this frequency can't bear {0} harmonics",
        ),
        Text(
            "年度数据设 harmonics=0，季度至多 2，月度至多 3",
            "set harmonics=0 for years, at most 2 for quarters, 3 for months",
        ),
    ),
    "too_short": Refusal(
        "E-ITS-SHORT",
        Text(
            "启动前 {0} 期、启动后 {1} 期，不足以定出走势；此设定至少需要 {2} 期和 {3} 期",
            "{0} periods before and {1} after the start do not determine the trends; at least {2} "
            "and {3} are needed for this specification",
        ),
        Text(
            "补充台账，或减少谐波、改用 change=level",
            "add ledgers, or take fewer harmonics or change=level",
        ),
    ),
    "collinear": Refusal(
        "E-ITS-COLLINEAR",
        Text("{0} 项之间线性相关，无法分辨", "the {0} terms are collinear and can't be told apart"),
        Text("减少谐波，或补充台账", "take fewer harmonics, or add ledgers"),
    ),
    "no_convergence": Refusal(
        "E-ITS-CONVERGENCE",
        Text("计数模型不收敛", "the regression of counts does not converge"),
        Text("检查是否有整段为零的计数", "see whether a whole segment of counts is zero"),
    ),
}


def refusal(name: str, design: Design, *values: str) -> Finding:
    """Make the finding that rejects a design."""
    one = REFUSALS[name]
    return Finding(
        one.code,
        "reject",
        Text(one.what.zh.format(*values), one.what.en.format(*values)),
        f"{design.name} › {design.outcome}",
        one.mend,
    )


def findings_of(design: Design, controls: str, lag: int | None) -> tuple[Finding, ...]:
    """Say what no error of this method can hold: history, and a short series."""
    found = []
    where = f"{design.name} › {design.outcome}"
    n = len(design.periods)
    if controls == "none":
        found.append(
            Finding(
                "W-ITS-HISTORY",
                "warn",
                Text(
                    "没有对照：启动时发生的任何其他变化都会被算作效应，不能作为主要结论",
                    "no comparison: whatever else changed at the start is counted as effect; never "
                    "a headline",
                ),
                where,
                Text("加入未处理的单位作对照", "add untreated units as comparison"),
            )
        )
    if n < _LONG and lag is not None:
        found.append(
            Finding(
                "W-ITS-SHORT",
                "warn",
                Text(
                    f"只有 {n} 期，对序列相关稳健的标准误偏小（通常要 {_LONG} 期以上）",
                    f"{n} periods: errors robust to correlation over time are too small (some "
                    f"{_LONG} periods are usual)",
                ),
                where,
                Text(
                    "改用月度或季度数据，或用安慰剂推断", "use monthly data, or placebo inference"
                ),
            )
        )
    return tuple(found)
