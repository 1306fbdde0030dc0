"""A family of estimates with their joint covariance: checked, absent ones apart, and drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cps.errors import Text, UsageError

Floats = NDArray[np.float64]

_ROUNDING = 1e-8  # of the largest variance
_LEAST_DRAWS = 99


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Estimates that are there, in order, and which of all declared they are.

    Parameters
    ----------
    estimates : ndarray, shape (n,)
    covariance : ndarray, shape (n, n)
    is_there : ndarray of bool, shape (n_declared,)
    """

    estimates: Floats
    covariance: Floats
    is_there: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of estimates that are there."""
        return len(self.estimates)

    @property
    def n_declared(self) -> int:
        """Number of all, absent ones too."""
        return len(self.is_there)

    @property
    def errors(self) -> Floats:
        """Standard errors, shape (n,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def spread(self, values: ArrayLike) -> tuple[float | None, ...]:
        """Put values of those that are there back among all; None for the absent."""
        found = iter(np.asarray(values, dtype=float).tolist())
        return tuple(next(found) if there else None for there in self.is_there)


def family(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    *,
    least: int,
    where: str,
) -> Family:
    """Check estimates and covariance; None or NaN in ``estimates`` is absent, never 0.

    Parameters
    ----------
    estimates : array_like, shape (n_declared,)
    covariance : array_like, shape (n_declared, n_declared), or (n_declared,)
        Joint covariance; one-dimensional: variances of independent estimates. Entries of absent
        estimates are not read.
    least : int
        Fewest estimates that the caller can do with.

    Raises
    ------
    UsageError
        If shapes differ, numbers are not finite, the matrix is no covariance, or too few are there.
    """
    given = np.array([np.nan if one is None else one for one in np.asarray(estimates, object)])
    x = given.astype(float)
    matrix = np.asarray(covariance, dtype=float)
    if matrix.ndim == 1:
        matrix = np.diag(matrix)
    if x.ndim != 1 or matrix.shape != (len(x), len(x)):
        raise _fault(
            f"估计值 {x.shape} 与协方差 {matrix.shape} 的形状不符",
            f"estimates of shape {x.shape} do not go with a covariance of shape {matrix.shape}",
            where,
            Text("给出 n 个估计值和 n×n 协方差", "give n estimates and their n by n covariance"),
        )
    is_there = ~np.isnan(x)
    x, matrix = x[is_there], matrix[np.ix_(is_there, is_there)]
    if len(x) < least:
        raise _fault(
            f"有估计值的项目 {len(x)} 个，至少需要 {least} 个",
            f"{len(x)} initiatives have an estimate; this needs {least}",
            where,
            Text("先完成更多项目的估计", "estimate more initiatives first"),
        )
    if not (np.isfinite(x).all() and np.isfinite(matrix).all()):
        raise _fault(
            "估计值或协方差不是有限的数",
            "estimates or covariance are not finite",
            where,
            Text("缺失的估计值写成 None", "give None for an estimate that is missing"),
        )
    _check_covariance(matrix, where)
    return Family(x, (matrix + matrix.T) / 2, is_there)


def _check_covariance(matrix: Floats, where: str) -> None:
    largest = float(np.abs(matrix).max())
    mend = Text("检查协方差的来源", "look where the covariance comes from")
    if (np.diag(matrix) <= 0).any():
        raise _fault("有方差不大于零", "a variance is not above zero", where, mend)
    if np.abs(matrix - matrix.T).max() > _ROUNDING * largest:
        raise _fault("协方差矩阵不对称", "the covariance is not symmetric", where, mend)
    if np.linalg.eigvalsh((matrix + matrix.T) / 2)[0] < -_ROUNDING * largest * len(matrix):
        raise _fault(
            "协方差矩阵不是半正定的", "the covariance is not positive semidefinite", where, mend
        )


def draw_errors(
    covariance: Floats, draws: int, seed: int, *, freedom: float | None = None, where: str
) -> Floats:
    """Draw errors from N(0, covariance), shape (draws, n).

    With ``freedom``, multivariate t: the covariance itself was estimated from so many units, the
    same ones for all, that this matters.

    Raises
    ------
    UsageError
        With fewer than 99 draws, or fewer than one degree of freedom.
    """
    if draws < _LEAST_DRAWS:
        raise _fault(
            f"抽样 {draws} 次太少",
            f"{draws} draws are too few",
            f"{where} › draws",
            Text(f"至少 {_LEAST_DRAWS} 次", f"take {_LEAST_DRAWS} at least"),
        )
    if freedom is not None and not freedom >= 1:
        raise _fault(
            f"自由度 {freedom} 小于 1",
            f"{freedom} degrees of freedom are fewer than one",
            f"{where} › freedom",
            Text(
                "给出估计协方差所用的单位数减 1", "give the units behind the covariance, less one"
            ),
        )
    values, vectors = np.linalg.eigh(covariance)
    factor = vectors * np.sqrt(np.clip(values, 0.0, None))
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((draws, len(covariance)))
    if freedom is not None:
        normal = normal / np.sqrt(rng.chisquare(freedom, size=(draws, 1)) / freedom)
    return np.asarray(normal @ factor.T)


def given_errors(known: Family, errors: ArrayLike, *, where: str) -> Floats:
    """Take joint draws of errors that were resampled, centred; shape (draws, n).

    Raises
    ------
    UsageError
        If there is not one column for each declared estimate, a number is missing, or there are
        fewer than 99 draws.
    """
    found = np.asarray(errors, dtype=float)
    if found.ndim != 2 or found.shape[1] != known.n_declared or len(found) < _LEAST_DRAWS:
        raise _fault(
            f"误差抽样的形状 {found.shape} 不是 {_LEAST_DRAWS} 次以上 × {known.n_declared} 个项目",
            f"errors of shape {found.shape} are not {_LEAST_DRAWS} or more draws of "
            f"{known.n_declared} initiatives",
            f"{where} › errors",
            Text(
                "每行一次联合抽样，每列一个项目",
                "give one joint draw a row, one initiative a column",
            ),
        )
    found = found[:, known.is_there]
    if not np.isfinite(found).all():
        raise _fault(
            "误差抽样中有缺失",
            "a drawn error is missing",
            f"{where} › errors",
            Text("整行剔除失败的抽样", "leave out the whole row of a draw that failed"),
        )
    return np.asarray(found - found.mean(axis=0))


def check_level(level: float, *, where: str) -> None:
    """Refuse a confidence level that is not between 0 and 1."""
    if not 0 < level < 1:
        raise _fault(
            f"置信水平 {level} 不在 0 与 1 之间",
            f"the level {level} is not between 0 and 1",
            f"{where} › level",
            Text("例如 0.95", "give 0.95, say"),
        )


def _fault(zh: str, en: str, where: str, mend: Text) -> UsageError:
    return UsageError(Text(zh, en), where=where, mend=mend)
