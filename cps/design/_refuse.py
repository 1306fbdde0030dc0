"""Arguments that mean nothing, and outcomes that no comparison can be made of, are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cps.design._arrays import Arrays
from cps.design.record import Exclusion, Form
from cps.errors import DesignError, Finding, Text, UsageError, unknown_choice
from cps.periods import Frequency, label

_SHOWN = 5
_SMALLEST, _LARGEST = 1e-60, 1e60  # fourth powers of more leave double precision


_CHOICES: dict[str, tuple[Text, tuple[str, ...]]] = {
    "form": (Text("估计尺度", "form"), ("level", "log", "rate")),
    "frequency": (Text("频率", "frequency"), ("year", "quarter", "month")),
    "missing": (Text("缺失处理", "way with gaps"), ("drop_unit", "keep", "keep_covariates")),
    "comparison": (Text("对照要求", "comparison"), ("required", "none")),
    "dose": (Text("处理强度", "dose"), ("cost", "formats")),
}


def require_choices(**given: str) -> None:
    """Refuse a word that is none of the choices of its argument; no other is put in its place."""
    for name, value in given.items():
        kind, choices = _CHOICES[name]
        if value not in choices:
            raise unknown_choice(kind, str(value), choices, where=f"{name}=…")


def require_frame(frame: object) -> None:
    """Refuse a table of another library, and say how to turn it into one of polars."""
    if isinstance(frame, pl.DataFrame):
        return
    kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
    raise UsageError(
        Text(
            f"需要 polars.DataFrame，给出的是 {kind}", f"a polars.DataFrame is wanted, not {kind}"
        ),
        where="design_from_frame(frame)",
        mend=Text(
            "pandas 表用 polars.from_pandas(表)，惰性表用 .collect()",
            "polars.from_pandas(table) for a pandas table, .collect() for a lazy one",
        ),
    )


def require_whole_anticipation(anticipation: int) -> None:
    """Refuse an anticipation that is no whole number of periods, or negative."""
    if isinstance(anticipation, bool) or int(anticipation) != anticipation or anticipation < 0:
        raise UsageError(
            Text(
                f"提前期 {anticipation} 不是非负整数",
                f"an anticipation of {anticipation} is no whole number of periods",
            ),
            where="anticipation=…",
            mend=Text("给出 0、1、2 …", "give 0, 1, 2 …"),
        )


def require_distinct(covariates: Sequence[str]) -> None:
    """Refuse one text in place of a list of names, and a name that occurs twice."""
    twice = [one for one in covariates if list(covariates).count(one) > 1]
    if isinstance(covariates, str) or twice:
        shown = covariates if isinstance(covariates, str) else twice[0]
        raise UsageError(
            Text(
                f"协变量应为不重复的列名列表，给出的是 {shown}",
                f"covariates must be a list of different columns; given is {shown!r}",
            ),
            where="covariates=…",
            mend=Text(f"例如 covariates=['{shown}']", f"covariates=[{shown!r}], say"),
        )


def require_two_periods(frame: pl.DataFrame, *, name: str) -> None:
    """Refuse a panel with a single period."""
    if frame["period"].n_unique() < 2:
        raise DesignError(
            Text("面板只有一个时期", "the panel has a single period"),
            where=name,
            mend=Text("至少需要启动前后各一期", "at least one period before and after is needed"),
        )


def require_finite(frame: pl.DataFrame, *, name: str, outcome: str, frequency: Frequency) -> None:
    """Refuse infinite outcomes: unlike an empty cell, they are a fault of a computation."""
    endless = frame.filter(pl.col("outcome").is_infinite()).sort("unit", "period")
    if endless.height:
        first = endless.row(0, named=True)
        raise DesignError(
            Text(
                f"有 {endless.height} 个结果值为无穷大",
                f"{endless.height} values of the outcome are infinite",
            ),
            where=f"{name} › {outcome}: {first['unit']}, {label(first['period'], frequency)}",
            mend=Text(
                "多为除以 0 或对 0 取对数所致：更正，或改为空值（该单位将不纳入）",
                "most often a division by 0 or the logarithm of 0: correct it, or make it null "
                "(the unit is then left out)",
            ),
        )


def require_computable(frame: pl.DataFrame, *, name: str, outcome: str) -> None:
    """Refuse outcomes whose squares no computer holds: sums of them would be infinite or zero."""
    largest = frame.select(pl.col("outcome").fill_nan(None).abs().max()).item()
    if largest is None or largest == 0 or _SMALLEST <= largest <= _LARGEST:
        return
    raise DesignError(
        Text(
            f"结果值的量级（最大 {largest:.3g}）无法计算",
            f"outcomes of this size (the largest is {largest:.3g}) can't be computed with",
        ),
        where=f"{name} › {outcome}",
        mend=Text(
            f"更正，或换用单位，使最大值在 {_SMALLEST:g} 与 {_LARGEST:g} 之间",
            f"correct them, or state them in another unit: between {_SMALLEST:g} and {_LARGEST:g}",
        ),
    )


def require_variation(arrays: Arrays, *, name: str, outcome: str) -> None:
    """Refuse an outcome that is the same in every unit and period."""
    values = arrays.y[~np.isnan(arrays.y)]
    if values.size and values.min() == values.max():
        raise DesignError(
            Text(
                f"所有单位、所有时期的结果都是 {values[0]:g}，没有可比较的变化",
                f"the outcome is {values[0]:g} in every unit and period: nothing varies",
            ),
            where=f"{name} › {outcome}",
            mend=Text(
                "核对是否取错了列，或数据被填成同一数值", "check that it is the right column"
            ),
        )


def not_positive_findings(
    frame: pl.DataFrame, dropped: list[Exclusion], *, form: Form, frequency: Frequency
) -> list[Finding]:
    """Warn of units left out because their outcome has no logarithm."""
    if form != "log":
        return []
    gone = [one.unit for one in dropped if one.unit]
    bad = frame.filter(pl.col("unit").is_in(gone) & (pl.col("outcome") <= 0)).sort("unit", "period")
    if bad.is_empty():
        return []
    n = bad["unit"].n_unique()
    shown = [
        f"{unit} {label(period, frequency)}: {value:g}"
        for unit, period, value in bad.select("unit", "period", "outcome").head(_SHOWN).iter_rows()
    ]
    return [
        Finding(
            "W-DESIGN-NOT-POSITIVE",
            "warn",
            Text(
                f"{n} 个单位有不为正的结果（共 {bad.height} 个），没有对数，未纳入；剔除它们会使样本偏向较好的单位",
                f"{n} units have outcomes that are not positive ({bad.height} in all) and no "
                "logarithm: they are left out, which tilts the sample towards better-off units",
            ),
            "; ".join(shown) + (" …" if bad.height > _SHOWN else ""),
            Text(
                "改用 form=level（或 rate）保留这些单位，或更正数值",
                "use form='level' (or 'rate') to keep them, or correct the values",
            ),
            count=n,
        )
    ]
