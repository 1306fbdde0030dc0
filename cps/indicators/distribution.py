"""Statistics of a distribution along the last axis: one function each, for any number of draws."""

from __future__ import annotations

import numpy as np

from cps.indicators.record import FloatArray


def mean_of(values: FloatArray) -> FloatArray:
    """Give the mean."""
    return np.asarray(values.mean(axis=-1))


def total_of(values: FloatArray) -> FloatArray:
    """Give the sum."""
    return np.asarray(values.sum(axis=-1))


def median_of(values: FloatArray) -> FloatArray:
    """Give the median."""
    return np.asarray(np.median(values, axis=-1))


def gini_of(values: FloatArray) -> FloatArray:
    r"""Give the Gini coefficient of a population.

    .. math:: G = \frac{\sum_i (2i - n - 1)\, x_{(i)}}{n \sum_i x_i}

    Parameters
    ----------
    values : ndarray, shape (…, n)
        Complete; any unit.

    Returns
    -------
    ndarray, shape (…)
        NaN where a value is negative or the sum is zero.

    References
    ----------
    Sen, A. (1973). On Economic Inequality. Oxford: Clarendon Press.
    """
    ordered = np.sort(values, axis=-1)
    n = ordered.shape[-1]
    spread = (2 * np.arange(1, n + 1) - n - 1) * ordered
    return _defined(ordered, spread.sum(axis=-1), n * ordered.sum(axis=-1))


def gini_small_of(values: FloatArray) -> FloatArray:
    """Give the Gini coefficient × n / (n − 1), which one holder of all brings to 1 at any n.

    References
    ----------
    Deltas, G. (2003). The small-sample bias of the Gini coefficient. Review of Economics and
    Statistics 85(1), 226–234. doi:10.1162/rest.2003.85.1.226
    """
    n = values.shape[-1]
    if n < 2:
        return np.full(values.shape[:-1], np.nan)
    return gini_of(values) * n / (n - 1)


def theil_t_of(values: FloatArray) -> FloatArray:
    r"""Give Theil's T, :math:`\frac1n \sum (x_i/\mu) \ln(x_i/\mu)`; a zero counts 0.

    NaN where a value is negative or the sum is zero.

    References
    ----------
    Theil, H. (1967). Economics and Information Theory. Amsterdam: North-Holland.
    """
    ratio = _relative(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(ratio > 0, ratio * np.log(ratio), 0.0)
    return _where_positive(values, terms.mean(axis=-1), strict=False)


def theil_l_of(values: FloatArray) -> FloatArray:
    r"""Give Theil's L (mean logarithmic deviation), :math:`\frac1n \sum \ln(\mu/x_i)`.

    NaN where a value is not positive.

    References
    ----------
    Theil, H. (1967). Economics and Information Theory. Amsterdam: North-Holland.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = -np.log(_relative(values))
    return _where_positive(values, terms.mean(axis=-1), strict=True)


def p90_p10_of(values: FloatArray) -> FloatArray:
    """Give the ratio of the 90th to the 10th percentile.

    Percentiles are steps of the distribution function, averaged where one falls on a step's edge
    (Hyndman & Fan's second), so that a population and its copies have the same. NaN where the 10th
    is not positive.

    References
    ----------
    Hyndman, R. J. & Fan, Y. (1996). Sample quantiles in statistical packages. The American
    Statistician 50(4), 361–365. doi:10.1080/00031305.1996.10473566
    """
    low, high = np.quantile(values, [0.1, 0.9], axis=-1, method="averaged_inverted_cdf")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(low > 0, high / low, np.nan)


def palma_of(values: FloatArray) -> FloatArray:
    """Give the Palma ratio: what the richest tenth have over what the poorest 40% have.

    A unit on the edge counts by the part of it that is inside. NaN where the poorest 40% have
    nothing or a value is negative.

    References
    ----------
    Cobham, A. & Sumner, A. (2013). Putting the Gini back in the bottle? King's College London.
    Palma, J. G. (2011). Development and Change 42(1), 87–153.
    doi:10.1111/j.1467-7660.2011.01694.x
    """
    low = lowest_sum(values, 0.4)
    high = values.sum(axis=-1) - lowest_sum(values, 0.9)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((low > 0) & (values.min(axis=-1) >= 0), high / low, np.nan)


def poorest_fifth_of(values: FloatArray) -> FloatArray:
    """Give the mean of the poorest fifth; a unit on the edge counts by the part that is inside."""
    return lowest_sum(values, 0.2) / (0.2 * values.shape[-1])


def lowest_sum(values: FloatArray, share: float) -> FloatArray:
    """Give what the poorest ``share`` of units have together, along the last axis."""
    ordered = np.sort(values, axis=-1)
    n = ordered.shape[-1]
    weights = np.clip(share * n - np.arange(n), 0.0, 1.0)
    # Summed along the last axis, not as a product of matrices: the same at any number of threads.
    return np.asarray((ordered * weights).sum(axis=-1))


def sd_log_of(values: FloatArray) -> FloatArray:
    """Give the standard deviation of logs over n; NaN where a value is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(values > 0, values, np.nan))
    return np.asarray(logs.std(axis=-1))


def share_above_of(values: FloatArray, threshold: float) -> FloatArray:
    """Give the share strictly above a threshold (超), in per cent."""
    return 100 * (values > threshold).mean(axis=-1)


def shortfall_of(values: FloatArray, threshold: float, power: int) -> FloatArray:
    r"""Give the Foster–Greer–Thorbecke measure of falling short of a threshold.

    .. math:: P_\alpha = \frac1n \sum_{x_i < z} \left(\frac{z - x_i}{z}\right)^\alpha

    ``power`` 0 is the share below, 1 the mean gap as a share of the threshold, 2 weighs deep gaps.

    References
    ----------
    Foster, J., Greer, J. & Thorbecke, E. (1984). A class of decomposable poverty measures.
    Econometrica 52(3), 761–766. doi:10.2307/1913475
    """
    gap = np.clip((threshold - values) / threshold, 0.0, None)
    return np.where(values < threshold, gap**power, 0.0).mean(axis=-1)


def gini_influence(values: FloatArray) -> FloatArray:
    """Give each unit's influence on the Gini coefficient, mean zero.

    References
    ----------
    Davidson, R. (2009). Reliable inference for the Gini index. Journal of Econometrics 150(1),
    30–40. doi:10.1016/j.jeconom.2008.11.004
    """
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    n = values.shape[-1]
    ranks = np.arange(1, n + 1)
    mean = values.mean(axis=-1, keepdims=True)
    gini = gini_of(values)[..., None]
    z = -(gini + 1) * ordered + (2 * ranks - 1) / n * ordered - 2 / n * np.cumsum(ordered, axis=-1)
    z = (z - z.mean(axis=-1, keepdims=True)) / mean
    out = np.empty_like(z)
    np.put_along_axis(out, order, z, axis=-1)
    return out


def gini_small_influence(values: FloatArray) -> FloatArray:
    """Give each unit's influence on the small-sample Gini coefficient."""
    n = values.shape[-1]
    return gini_influence(values) * n / (n - 1)


def theil_t_influence(values: FloatArray) -> FloatArray:
    """Give each unit's influence on Theil's T.

    References
    ----------
    Cowell, F. A. & Flachaire, E. (2007). Income distribution and inequality measurement: the problem
    of extreme values. Journal of Econometrics 141(2), 1044–1072.
    doi:10.1016/j.jeconom.2007.01.001
    """
    ratio = _relative(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(ratio > 0, ratio * np.log(ratio), 0.0)
    index = own.mean(axis=-1, keepdims=True)
    return own - index - (index + 1) * (ratio - 1)


def theil_l_influence(values: FloatArray) -> FloatArray:
    """Give each unit's influence on Theil's L (Cowell & Flachaire 2007)."""
    ratio = _relative(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = -np.log(ratio)
    return own - own.mean(axis=-1, keepdims=True) + (ratio - 1)


def mean_influence(values: FloatArray) -> FloatArray:
    """Give each unit's influence on the mean."""
    return values - values.mean(axis=-1, keepdims=True)


def _relative(values: FloatArray) -> FloatArray:
    mean = values.mean(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean > 0, values / mean, np.nan)


def _defined(values: FloatArray, above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((values.min(axis=-1) >= 0) & (below > 0), above / below, np.nan)


def _where_positive(values: FloatArray, found: FloatArray, *, strict: bool) -> FloatArray:
    lowest = values.min(axis=-1)
    fits = lowest > 0 if strict else (lowest >= 0) & (values.sum(axis=-1) > 0)
    return np.where(fits, found, np.nan)
