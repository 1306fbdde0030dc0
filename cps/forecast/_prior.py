"""The forecast's prior guesses, in one place and in words, so that a reader can dispute them."""

from __future__ import annotations

from dataclasses import dataclass

from cps.errors import Text


@dataclass(frozen=True, slots=True)
class Prior:
    """What the model takes for likely before it sees a month; log points unless said otherwise.

    Variances are inverse-gamma (shape, typical s.d.); the rest are normal or log-normal
    (centre, s.d.).
    """

    level_mean: tuple[float, float] = (13.0, 3.0)  # log 元 of a typical month
    growth: tuple[float, float] = (0.08, 0.15)  # of all villages, by year
    growth_spread: tuple[float, float] = (2.0, 0.10)  # of one year's growth about it
    village_spread: tuple[float, float] = (0.80, 0.7)  # between villages, lasting
    wander: tuple[float, float] = (0.20, 0.5)  # a village's own year
    persistence: tuple[float, float] = (1.0, 1.0)  # logit of its autocorrelation by year
    break_level: tuple[float, float] = (0.08, 0.7)  # a village's step at a new regime
    break_season: float = 0.15  # a month's common step at a new regime
    season_spread: tuple[float, float] = (3.0, 0.30)  # of a month between villages
    season_mean: float = 1.5
    month_shock: tuple[float, float] = (3.0, 0.10)  # a month that is unusual for all
    noise: tuple[float, float] = (3.0, 0.30)  # a village's single month
    month_noise: float = 5.0  # shape: how far months differ in noise
    catch_up: float = 0.5  # s.d. of December's answer to a shortfall of the months before
    tails: tuple[float, ...] = (3.0, 6.0, 12.0, 50.0)  # degrees of freedom, equally likely
    zero_weight: float = 0.5  # years' worth of other months and villages in a zero month's chance


PRIOR = Prior()
ASSUMES = Text(
    "月收入取对数；各村月份结构由往年估计并向全体收缩；全体村共用年度增长与月度冲击；"
    "记账制度变更之年各村水平与各月结构可有一次跳变；十二月可补记前月缺口，程度由往年估计；"
    "未来各月的波动与往年同月相同；零收入月份按往年频率出现，彼此独立；负数月份计入累计而不用于估计",
    "monthly income in logs; each village's season is learned from earlier years and drawn towards "
    "the pool's; villages share the year's growth and each month's shock; in the year of a new "
    "accounting regime levels and seasons may step once; December may make up for the months "
    "before, as far as it did in earlier years; months to come vary as the same months did; zero "
    "months come as often as they did, independently; negative months count in the sum to date and "
    "teach nothing",
)
