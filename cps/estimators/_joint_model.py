"""Least squares with unit and period effects and further columns, every coefficient with its cells' weights.

Notation: ``omega`` holds the weight of each cell in the fit, 0 outside it; further columns ``z`` have
shape (n_columns, n_units, n_periods). Whatever is asked of the model is a linear function of the
outcomes; its weights on them give estimate and cluster-robust error alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class JointModel:
    """A fit, reduced to the columns other than unit effects."""

    omega: Floats  # (n_units, n_periods)
    columns: Floats  # (n_columns, n_units, n_periods): periods first, then z
    centred: Floats  # the same, less the unit's weighted mean within the fit
    means: Floats  # (n_columns, n_units)
    inverse: Floats  # (n_columns, n_columns), pseudo-inverse of the normal matrix
    null: Floats  # (n_columns, n_columns), projection on what the fit says nothing of

    def of_cells(self, target: Floats) -> Floats:
        """Give the weights of ``sum(target * untreated outcome)``; target (n_units, n_periods)."""
        asked = np.einsum("kit,it->k", self.columns, target) - self.means @ target.sum(axis=1)
        row = self.omega.sum(axis=1)
        share = np.divide(
            self.omega, row[:, None], out=np.zeros_like(self.omega), where=row[:, None] > 0
        )
        return self.of_coefficients(asked) + share * target.sum(axis=1)[:, None]

    def of_coefficients(self, asked: Floats) -> Floats:
        """Give the weights of ``asked @ coefficients``; asked (n_columns,)."""
        along = self.inverse @ asked
        return self.omega * np.einsum("kit,k->it", self.centred, along)

    def reaches(self, cells: Bools) -> Bools:
        """Tell which of ``cells`` have an untreated outcome that the fit determines."""
        rows, periods = np.nonzero(cells)
        known = self.omega.sum(axis=1)[rows] > 0
        asked = self.columns[:, rows, periods] - self.means[:, rows]
        known &= self._is_determined(asked)
        found = np.zeros_like(cells)
        found[rows[known], periods[known]] = True
        return found

    def determines(self, column: int) -> bool:
        """Tell whether the coefficient of one column is determined."""
        asked = np.zeros((len(self.inverse), 1))
        asked[column] = 1.0
        return bool(self._is_determined(asked)[0])

    def fitted(self, y: Floats) -> Floats:
        """Give the untreated outcome that the fit says, in every cell; shape (n_units, n_periods)."""
        seen = np.where(self.omega > 0, y, 0.0)
        coefficients = self.inverse @ np.einsum("kit,it->k", self.centred, self.omega * seen)
        row = self.omega.sum(axis=1)
        mean = np.divide(
            (self.omega * seen).sum(axis=1), row, out=np.full(len(row), np.nan), where=row > 0
        )
        levels = mean - coefficients @ self.means
        return levels[:, None] + np.einsum("kit,k->it", self.columns, coefficients)

    def _is_determined(self, asked: Floats) -> Bools:
        return np.asarray(np.abs(self.null @ asked).max(axis=0, initial=0.0) < _TOLERANCE)


def joint_model(omega: Floats, z: Floats) -> JointModel:
    """Prepare the fit on the cells with a weight."""
    n_units, n_periods = omega.shape
    periods = np.zeros((n_periods, n_units, n_periods))
    periods[np.arange(n_periods), :, np.arange(n_periods)] = 1.0
    columns = np.concatenate([periods, z])
    row = omega.sum(axis=1)
    share = np.divide(omega, row[:, None], out=np.zeros_like(omega), where=row[:, None] > 0)
    means = np.einsum("kit,it->ki", columns, share)
    centred = columns - means[:, :, None]
    weighted = (centred * np.sqrt(omega)).reshape(len(columns), -1)
    values, vectors = np.linalg.eigh(weighted @ weighted.T)
    kept = values > max(float(values.max(initial=0.0)), 1e-300) * 1e-10
    basis = vectors[:, kept]
    return JointModel(
        omega,
        columns,
        centred,
        means,
        (basis / values[kept]) @ basis.T,
        vectors[:, ~kept] @ vectors[:, ~kept].T,
    )
