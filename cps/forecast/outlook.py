"""Say from the months so far how likely each village passes its thresholds by the year's end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cps.errors import DesignError, Text, UsageError
from cps.forecast._findings import history_findings
from cps.forecast._model import Chain, draw_totals
from cps.forecast._prior import ASSUMES
from cps.forecast.months import Months
from cps.forecast.record import Basis, Chance, Outlook, VillageOutlook

Floats = NDArray[np.float64]
THRESHOLDS_YUAN: tuple[int, ...] = (500_000, 1_000_000)
BREAKS: tuple[int, ...] = (2024,)
BASIS = Text(
    "经营性收入总额、名义值，不含补助收入；“超”指全年合计严格大于阈值",
    "gross operating income, nominal, without subsidies; above means a year's total strictly "
    "greater than the threshold",
)
_OWN_MONTHS = 12


def foresee_year(
    months: Months,
    *,
    year: int | None = None,
    month: int | None = None,
    thresholds_yuan: Sequence[int] = THRESHOLDS_YUAN,
    breaks: Sequence[int] = BREAKS,
    level: float = 0.80,
    chain: Chain | None = None,
    seed: int = 0,
) -> Outlook:
    """Foresee each village's total of a year from its months so far.

    Parameters
    ----------
    months : Months
    year, month : int or None
        The last month known; by default the panel's last year and the last month in it that any
        village reported. Later months, if there are any, are not looked at.
    breaks : sequence of int
        First years of new accounting regimes.
    level : float
        Of the intervals of totals.
    chain : Chain or None
        How long to sample; ``Chain()`` if None.

    Raises
    ------
    UsageError
        If a year, month, threshold or level makes no sense.
    DesignError
        If no season can be learned: no village reported every month of the calendar in an earlier
        year, or nobody reported anything this year.

    Notes
    -----
    Villages without a single positive month are refused: a finding says so, and they are absent from
    ``villages``. Villages with fewer than 12 earlier months of their own are pooled.
    """
    _require_sense(thresholds_yuan, level)
    known, last = _known(months, year, month)
    draws, rows = predictive_draws(known, breaks=breaks, chain=chain, seed=seed)
    wanted = tuple(sorted({int(one) for one in thresholds_yuan}))
    villages = tuple(
        _village(known, int(row), last, draws[:, place], wanted=(wanted, level))
        for place, row in enumerate(rows)
    )
    return Outlook(
        year=known.years[-1],
        month=last,
        level=level,
        thresholds_yuan=wanted,
        n_units=len(known.units),
        n_foreseen=len(villages),
        n_draws=len(draws),
        villages=villages,
        expected_above=_counts(draws, wanted, level),
        basis=BASIS,
        assumes=ASSUMES,
        findings=history_findings(known, last, rows, own_months=_OWN_MONTHS),
        seed=seed,
        is_synthetic=months.is_synthetic,
    )


def predictive_draws(
    known: Months,
    *,
    breaks: Sequence[int] = BREAKS,
    chain: Chain | None = None,
    seed: int = 0,
) -> tuple[Floats, NDArray[np.int64]]:
    """Draw the last year's totals; months of it that are unreported are drawn.

    Returns
    -------
    draws : ndarray, shape (n_draws, n_foreseen), 元
    rows : ndarray, shape (n_foreseen,)
        Which villages they are of: those with a positive month at all.

    Raises
    ------
    DesignError
        If no season can be learned.
    """
    income = known.income_yuan
    _require_history(known)
    rows = np.flatnonzero((income > 0).any(axis=(1, 2)))
    regime = np.array([sum(year >= one for one in breaks) for year in known.years])
    regime -= regime[0]
    rng = np.random.default_rng([seed, known.years[-1]])
    draws = draw_totals(income[rows], regime=regime, chain=chain or Chain(), rng=rng)
    return draws, rows


def _known(months: Months, year: int | None, month: int | None) -> tuple[Months, int]:
    at = months.years[-1] if year is None else year
    seen = months.seen_until(at, 12 if month is None else month)
    if month is not None:
        return seen, month
    reported = np.flatnonzero(~np.isnan(seen.income_yuan[:, -1]).all(axis=0))
    if reported.size == 0:
        raise DesignError(
            Text(f"{at} 年没有任何一个月的数据", f"no village reported any month of {at}"),
            where=f"foresee_year › {at}",
            mend=Text("补充当年台账，或指定年份", "add this year's ledgers, or name another year"),
        )
    last = int(reported[-1]) + 1
    return months.seen_until(at, last), last


def _require_sense(thresholds: Sequence[int], level: float) -> None:
    if not thresholds or min(thresholds) <= 0:
        raise UsageError(
            Text(
                f"阈值 {list(thresholds)} 应为正数（元）",
                f"thresholds {list(thresholds)} must be positive yuan",
            ),
            where="foresee_year(thresholds_yuan=…)",
            mend=Text("例如 500000、1000000", "for example 500000 and 1000000"),
        )
    if not 0 < level < 1:
        raise UsageError(
            Text(f"置信水平 {level} 应在 0 与 1 之间", f"level {level} must lie between 0 and 1"),
            where="foresee_year(level=…)",
            mend=Text("例如 0.8", "for example 0.8"),
        )


def _require_history(known: Months) -> None:
    """Refuse a pool from which some calendar month was never seen before this year."""
    earlier = known.income_yuan[:, :-1]
    seen = (earlier > 0).any(axis=(0, 1)) if earlier.size else np.zeros(12, dtype=bool)
    if seen.all():
        return
    missing = "、".join(str(one + 1) for one in np.flatnonzero(~seen))
    raise DesignError(
        Text(
            f"以往年份中没有任何村报过 {missing} 月的收入，无法知道全年结构",
            f"no village reported income for month {missing.replace('、', ', ')} of an earlier year: "
            "what the rest of the year brings can't be learned",
        ),
        where=f"foresee_year › {known.years[-1]}",
        mend=Text(
            "补充至少一个完整往年的月报", "add the monthly ledgers of one whole earlier year"
        ),
    )


def _village(
    known: Months, row: int, month: int, draws: Floats, *, wanted: tuple[tuple[int, ...], float]
) -> VillageOutlook:
    thresholds, level = wanted
    income = known.income_yuan[row]
    now = income[-1]
    last_year = income[-2] if len(income) > 1 else np.full(12, np.nan)
    whole = not np.isnan(now).any()
    total_last = None if np.isnan(last_year).any() else float(last_year.sum())
    same = last_year[:month][~np.isnan(now[:month])]
    lower, median, upper = np.quantile(draws, [(1 - level) / 2, 0.5, (1 + level) / 2])
    return VillageOutlook(
        unit=known.units[row],
        basis=_basis(income),
        to_date_yuan=float(np.nansum(now)),
        same_months_last_year_yuan=None
        if same.size == 0 or np.isnan(same).any()
        else float(same.sum()),
        last_year_yuan=total_last,
        n_reported=int((~np.isnan(now)).sum()),
        n_gaps=int(np.isnan(now[:month]).sum()),
        median_yuan=float(median),
        lower_yuan=float(lower),
        upper_yuan=float(upper),
        chances=tuple(_chance(draws, one, total_last, whole) for one in thresholds),
    )


def _basis(income: Floats) -> Basis:
    return "own" if (income[:-1] > 0).sum() >= _OWN_MONTHS else "pooled"


def _chance(draws: Floats, threshold: int, last_year: float | None, whole: bool) -> Chance:
    share = float((draws > threshold).mean())
    return Chance(
        threshold_yuan=threshold,
        probability=share,
        simulation_se=float(np.sqrt(share * (1 - share) / len(draws))),
        is_settled=whole,
        passed_last_year=None if last_year is None else last_year > threshold,
    )


def _counts(
    draws: Floats, thresholds: tuple[int, ...], level: float
) -> tuple[tuple[int, float, int, int], ...]:
    found = []
    for one in thresholds:
        count = (draws > one).sum(axis=1)
        ends = np.quantile(count, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
        found.append((one, float(count.mean()), int(ends[0]), int(ends[1])))
    return tuple(found)
