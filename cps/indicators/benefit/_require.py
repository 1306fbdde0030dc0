"""What an appraisal refuses: outlays, gains and assumptions that make no sense."""

from __future__ import annotations

import numpy as np

from cps.errors import DesignError, Text, UsageError
from cps.indicators.benefit._gains import years_of
from cps.indicators.benefit.record import Assumptions, Capital, Gain, HostGain


def require_sense(assume: Assumptions, level: float, n_draws: int) -> None:
    """Refuse assumptions, a level or a number of draws that make no sense."""
    trouble = None
    if not 1 <= assume.horizon_years <= 30:
        trouble = Text(
            f"计算期 {assume.horizon_years} 年应为 1–30 年（更长须用递减折现率）",
            f"a horizon of {assume.horizon_years} years: 1 to 30, for beyond that rates decline",
        )
    elif not assume.rates or not all(0 <= one < 1 for one in assume.rates):
        trouble = Text(
            f"折现率 {assume.rates} 应在 0 与 1 之间", f"rates {assume.rates} must lie in 0 to 1"
        )
    elif assume.overrun.low <= 0:
        trouble = Text("超支系数应大于零", "the factor on outlays must be positive")
    elif not 0 <= assume.persistence.low <= assume.persistence.high <= 1.5:
        trouble = Text("保留比例应在 0 与 1.5 之间", "persistence must lie in 0 to 1.5")
    elif assume.margin.high > 1 or assume.displacement.high > 1:
        trouble = Text("比例不应大于 1", "a margin or displacement can't exceed 1")
    elif not (assume.residual.low >= 0 and assume.residual.high <= 1):
        trouble = Text("残值比例应在 0 与 1 之间", "the residual share must lie in 0 to 1")
    elif assume.running_yuan.low < 0:
        trouble = Text("运行费不应为负", "a running cost can't be negative")
    elif not (assume.sharing.low >= 0 and assume.sharing.high <= 1):
        trouble = Text("增收分布应在 0 与 1 之间", "the sharing must lie in 0 to 1")
    elif not 0 < level < 1 or n_draws < 100:
        trouble = Text(
            "置信水平应在 0 与 1 之间，抽样不少于 100 次",
            "the level must lie between 0 and 1, and 100 draws are the fewest",
        )
    if trouble:
        raise UsageError(
            trouble, where="appraise(assumptions=…)", mend=Text("修改假设", "mend the assumption")
        )


def require_capital(capital: Capital, assume: Assumptions) -> None:
    """Refuse outlays that are missing, negative or past the horizon."""
    amounts = [one for row in capital.by_source_yuan.values() for one in row]
    if not amounts or not np.isfinite(amounts).all() or min(amounts) < 0 or sum(amounts) <= 0:
        raise DesignError(
            Text("没有投资额，或有负数", "outlays are missing, or one is negative"),
            where="appraise › capital",
            mend=Text(
                "在项目文件中按资金来源填写投资（元）", "give cost_yuan by source in the initiative"
            ),
        )
    longest = max(len(row) for row in capital.by_source_yuan.values())
    if longest > assume.horizon_years + 1:
        raise DesignError(
            Text(
                f"投资排到第 {longest - 1} 年，超出计算期 {assume.horizon_years} 年",
                f"outlays go on to year {longest - 1}, past the horizon of {assume.horizon_years}",
            ),
            where="appraise › capital",
            mend=Text("延长计算期", "lengthen the horizon"),
        )


def require_gain(gain: Gain | HostGain, assume: Assumptions) -> None:
    """Refuse a gain without years, without error or of more hosts than there are."""
    trouble = _trouble_by_year(gain, assume) if isinstance(gain, Gain) else _trouble_by_host(gain)
    if trouble is None and not 0 < gain.n_estimated <= gain.n_hosts:
        trouble = Text(
            f"覆盖 {gain.n_estimated}/{gain.n_hosts} 个村不成立",
            f"a coverage of {gain.n_estimated} of {gain.n_hosts} hosts can't be",
        )
    if trouble:
        raise DesignError(
            trouble,
            where="appraise › gain",
            mend=Text("先完成效应估计", "estimate the effect first"),
        )


def _trouble_by_year(gain: Gain, assume: Assumptions) -> Text | None:
    n = len(gain.by_year_yuan)
    covariance = np.array(gain.covariance, dtype=float)
    if n == 0 or not np.isfinite(gain.by_year_yuan).all():
        return Text("没有估计出的年度效应", "there is no estimated yearly gain")
    if n > assume.horizon_years:
        return Text(f"效应有 {n} 年，超出计算期", f"{n} years of gain do not fit into the horizon")
    if covariance.shape != (n, n) or not np.isfinite(covariance).all():
        return Text(
            f"协方差应为 {n}×{n}；没有标准误的估计不能评价",
            f"the covariance must be {n}×{n}: an estimate without error can't be appraised",
        )
    if not np.allclose(covariance, covariance.T) or (
        np.linalg.eigvalsh(covariance).min() < -1e-9 * max(float(np.trace(covariance)), 1.0)
    ):
        return Text("协方差不是半正定对称矩阵", "the covariance is no covariance")
    return None


def _trouble_by_host(gain: HostGain) -> Text | None:
    n, numbers = len(gain.effects), (*gain.effects, *gain.errors, *gain.weights, gain.correlation)
    if n == 0 or len(gain.errors) != n or len(gain.weights) != n or not np.isfinite(numbers).all():
        return Text(
            "没有估计出的分期效应，或缺标准误",
            "there are no effects by event time, or some have no error",
        )
    if min(gain.errors) < 0 or min(gain.weights) < 0 or not 0 <= gain.correlation <= 1:
        return Text("标准误、权重或相关系数不成立", "an error, weight or correlation can't be")
    if len(gain.income_yuan) != gain.n_estimated or not all(years_of(gain)):
        return Text(
            "有承办村启动后没有观测满一年",
            "a host was not observed for a whole year since its start",
        )
    seen = [one for row in gain.income_yuan for one in row if one is not None]
    if gain.is_log and min(seen) <= 0:
        return Text("取对数的收入应为正", "an income in logarithms must be positive")
    return None
