"""What a forecast must tell of its data: who is refused, who is pooled, what was left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import Finding, Text
from cps.forecast.months import Months

_SHOWN = 6


def history_findings(
    known: Months, month: int, rows: NDArray[np.int64], *, own_months: int
) -> tuple[Finding, ...]:
    """List the villages refused and pooled, the gaps, and months that teach the model nothing."""
    income = known.income_yuan
    year = known.years[-1]
    foreseen = np.zeros(len(known.units), dtype=bool)
    foreseen[rows] = True
    few = foreseen & ((income[:, :-1] > 0).sum(axis=(1, 2)) < own_months)
    silent = foreseen & np.isnan(income[:, -1]).all(axis=1)
    gaps = np.isnan(income[:, -1, :month]) & foreseen[:, None]
    has_gap = gaps.any(axis=1) & ~silent
    found = [
        _of_villages(
            "W-FORECAST-NO-MONTHS",
            Text("没有任何月度收入，不作预测", "without a single month of income: not foreseen"),
            Text("补充该村月报", "add the village's monthly ledger"),
            known,
            ~foreseen,
        ),
        _of_villages(
            "W-FORECAST-POOLED",
            Text(
                f"以往月份不足 {own_months} 个，季节结构取全体村的",
                f"fewer than {own_months} earlier months: the season is the pool's",
            ),
            Text("补充往年月报", "add earlier years' ledgers"),
            known,
            few,
        ),
        _of_villages(
            "W-FORECAST-SILENT",
            Text(
                f"{year} 年尚无任何月报，只凭往年推测",
                f"no month of {year} was reported: foreseen from earlier years alone",
            ),
            Text("催报当年月报", "ask for this year's months"),
            known,
            silent,
        ),
        _of_villages(
            "W-FORECAST-GAPS",
            Text(
                f"{year} 年 1–{month} 月共缺 {int(gaps.sum())} 个村月，按模型补足，不当作零",
                f"{int(gaps.sum())} village-months up to {year}-{month:02d} are missing: drawn from "
                "the model, not taken for zero",
            ),
            Text("补报缺月", "report the missing months"),
            known,
            has_gap,
        ),
        _of_villages(
            "N-FORECAST-NEGATIVE",
            Text(
                f"有 {int((income < 0).sum())} 个负数村月（冲销），计入合计，不用于估计结构",
                f"{int((income < 0).sum())} negative village-months (reversals) count in sums and "
                "teach the model nothing",
            ),
            Text("核对冲销所属月份", "check which month the reversal belongs to"),
            known,
            (income < 0).any(axis=(1, 2)),
        ),
        _of_villages(
            "N-FORECAST-ZEROS",
            Text(
                f"有 {int((income == 0).sum())} 个零收入村月，视为真实的零，未来按同样频率出现",
                f"{int((income == 0).sum())} village-months of zero are taken for true zeros that "
                "will come as often again",
            ),
            Text("若为未报，请改为空白", "leave the cell blank where nothing was reported"),
            known,
            (income == 0).any(axis=(1, 2)),
        ),
    ]
    return tuple(one for one in found if one is not None)


def _of_villages(
    code: str, what: Text, mend: Text, known: Months, which: ArrayLike
) -> Finding | None:
    names = [known.units[i] for i in np.flatnonzero(np.asarray(which))]
    if not names:
        return None
    shown = names[:_SHOWN]
    more = len(names) - len(shown)
    zh = "、".join(shown) + (f"等 {len(names)} 村" if more else "")
    en = ", ".join(shown) + (f" and {more} more" if more else "")
    return Finding(
        code,
        "warn" if code.startswith("W") else "note",
        Text(f"{zh}：{what.zh}", f"{en}: {what.en}"),
        f"forecast › {known.years[-1]} › {names[0]}",
        mend,
        count=len(names),
    )
