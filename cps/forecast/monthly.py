"""The monthly job: foresee the year from its months so far, list warnings, try it on past years."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cps.errors import DesignError, Finding, Text, UsageError, require_seed
from cps.forecast._model import Chain
from cps.forecast.back_test import METHODS, BackTest, back_test
from cps.forecast.early_warning import early_warnings
from cps.forecast.months import Months, months_of
from cps.forecast.outlook import BREAKS, THRESHOLDS_YUAN, foresee_year
from cps.forecast.record import EarlyWarning, Outlook
from cps.panel.record import Panel
from cps.units import YUAN_PER_WAN

KEEP_BELOW, REACH_BELOW = 0.8, 0.2
_PAST_YEARS = 5
BACK_TEST_CHAIN = Chain(n_burn=100, n_keep=200, n_futures=5)
_N_DRAWS = 1_000
_NEEDS_WHOLE = "holt_winters"


@dataclass(frozen=True, slots=True)
class MonthlyForecast:
    """What one month's job says.

    Parameters
    ----------
    area : str or None
        The area forecast; None for every village of the panel.
    keep_below, reach_below : float
        Limits of the early-warning list.
    tested : BackTest or None
        The same forecast, made in past years from the same months, and its rivals.
    findings : tuple of Finding
        The outlook's; and why there is no back-test, or none of a rival.
    """

    area: str | None
    outlook: Outlook
    warnings: tuple[EarlyWarning, ...]
    keep_below: float
    reach_below: float
    tested: BackTest | None
    findings: tuple[Finding, ...]

    @property
    def last_day(self) -> str:
        """Last day of the last month taken into account, ISO."""
        following = datetime.date(
            self.outlook.year + self.outlook.month // 12, self.outlook.month % 12 + 1, 1
        )
        return (following - datetime.timedelta(days=1)).isoformat()

    @property
    def last_whole_year(self) -> int:
        """Last year that is over."""
        return self.outlook.year - (self.outlook.month < 12)


def in_yuan(amounts_wan: Sequence[float]) -> tuple[int, ...]:
    """Bring thresholds from 万元 to 元."""
    return tuple(round(one * YUAN_PER_WAN) for one in amounts_wan)


def forecast_year(
    panel: Panel,
    *,
    as_of: str = "",
    area: str | None = None,
    thresholds_yuan: Sequence[int] = THRESHOLDS_YUAN,
    keep_below: float = KEEP_BELOW,
    reach_below: float = REACH_BELOW,
    past_years: int = _PAST_YEARS,
    at_months: Sequence[int] = (),
    breaks: Sequence[int] = BREAKS,
    level: float = 0.80,
    chain: Chain | None = None,
    seed: int = 0,
) -> MonthlyForecast:
    """Foresee the year, list early warnings, and show how such forecasts did in past years.

    Parameters
    ----------
    panel : Panel
        By month; villages that report by quarter are refused by name, in a finding.
    as_of : str
        Last month known, ``2024-06``; the last one reported if empty. Later months are not looked
        at, by the forecast or by its back-test.
    area : str or None
        Only its villages.
    past_years : int
        Up to so many of the last whole years are forecast again; 0 for no back-test.
    at_months : sequence of int
        Months at whose end they are forecast, beside that of ``as_of`` (November for December).
    chain : Chain or None
        How long to sample, for both; by default the back-test's is half as long.

    Raises
    ------
    UsageError
        If a month, area, threshold or limit makes no sense.
    DesignError
        If the panel isn't monthly, or no season can be learned.
    """
    require_seed(seed)
    if past_years < 0:
        raise UsageError(
            Text(f"回溯年数不能为负：{past_years}", f"past years can't be negative: {past_years}"),
            where="forecast_year(past_years=…)",
            mend=Text("0 表示不作回溯检验", "give 0 for no back-test, or a number of years"),
        )
    months = months_of(panel, area=area)
    year, month = _read_month(as_of)
    outlook = foresee_year(
        months,
        year=year,
        month=month,
        thresholds_yuan=thresholds_yuan,
        breaks=breaks,
        level=level,
        chain=chain,
        seed=seed,
    )
    known = months.seen_until(outlook.year, outlook.month)
    tested, said = _tested(
        known,
        outlook,
        past_years,
        sorted({*at_months, min(outlook.month, 11)}),
        breaks=breaks,
        chain=chain or BACK_TEST_CHAIN,
        seed=seed,
    )
    return MonthlyForecast(
        area=area,
        outlook=outlook,
        warnings=early_warnings(outlook, keep_below=keep_below, reach_below=reach_below),
        keep_below=keep_below,
        reach_below=reach_below,
        tested=tested,
        findings=(*outlook.findings, *said),
    )


def _read_month(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    found = re.fullmatch(r"(\d{4})-(\d{1,2})", text.strip())
    if not found or not 1 <= int(found[2]) <= 12:
        raise UsageError(
            Text(f"“{text}”不是月份", f"{text!r} is no month"),
            where="forecast_year(as_of=…)",
            mend=Text("按 2024-06 的写法", "write it as 2024-06"),
        )
    return int(found[1]), int(found[2])


def _tested(
    known: Months,
    outlook: Outlook,
    past_years: int,
    at_months: Sequence[int],
    *,
    breaks: Sequence[int],
    chain: Chain,
    seed: int,
) -> tuple[BackTest | None, tuple[Finding, ...]]:
    """Forecast past years again; without the rival that needs whole series if nobody has one."""
    if past_years <= 0:
        return None, ()
    totals = known.totals_yuan()
    whole = [
        year
        for place, year in enumerate(known.years)
        if place >= 2 and year < outlook.year and np.isfinite(totals[:, place]).any()
    ]
    years = whole[-past_years:]
    if not years:
        return None, (
            _untested(
                Text("之前没有可供回测的完整年份", "there is no whole past year to try it on"),
                known,
            ),
        )
    said: tuple[Finding, ...] = ()
    for methods in (METHODS, tuple(one for one in METHODS if one != _NEEDS_WHOLE)):
        try:
            done = back_test(
                known,
                years=years,
                at_months=at_months,
                thresholds_yuan=outlook.thresholds_yuan,
                breaks=breaks,
                methods=methods,
                chain=chain,
                n_draws=_N_DRAWS,
                seed=seed,
            )
        except DesignError as fault:
            said = (_untested(fault.what, known),)
            continue
        return done, said
    return None, said


def _untested(what: Text, known: Months) -> Finding:
    return Finding(
        "W-FORECAST-UNTESTED",
        "warn",
        Text(f"回测不全：{what.zh}", f"the back-test is not whole: {what.en}"),
        f"forecast › {known.years[0]}—{known.years[-1]}",
        Text("补报往年各月", "have the months of past years reported"),
    )
