"""The normal model of a family: y ~ N(X b, V + tau² I), in the eigenvectors of V."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_POINTS = 100
_ROUNDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class NormalModel:
    """Estimates turned so that their errors are independent.

    Parameters
    ----------
    vectors, values : ndarray, shapes (n, n) and (n,)
        Eigenvectors (columns) and eigenvalues of the estimates' covariance.
    y : ndarray, shape (n,)
    x : ndarray, shape (n, p)
        Both turned.
    """

    vectors: Floats
    values: Floats
    y: Floats
    x: Floats

    @property
    def freedom(self) -> int:
        """Residual degrees of freedom, n − p."""
        return len(self.y) - self.x.shape[1]

    def typical_variance(self) -> float:
        """Sampling variance that stands for all (Higgins & Thompson 2002): (n − p) / tr P."""
        weights = self._weights(0.0)
        inner = np.linalg.inv(self.x.T @ (weights[:, None] * self.x))
        trace = weights.sum() - np.trace(inner @ (self.x.T @ (weights[:, None] ** 2 * self.x)))
        return float(self.freedom / trace)

    def fit(self, tau2: float) -> tuple[Floats, Floats, float]:
        """Give coefficients, their covariance, and the generalised Q at ``tau2``."""
        weights = self._weights(tau2)
        covariance = np.asarray(np.linalg.inv(self.x.T @ (weights[:, None] * self.x)), dtype=float)
        beta = covariance @ (self.x.T @ (weights * self.y))
        q = float(weights @ (self.y - self.x @ beta) ** 2)
        return np.asarray(beta, dtype=float), covariance, q

    def log_likelihood(self, tau2: Floats) -> Floats:
        """Restricted log-likelihoods of several ``tau2``, shape (g,), up to a constant."""
        weights = 1 / (self.values + np.asarray(tau2)[:, None])
        inner = np.einsum("gi,ij,ik->gjk", weights, self.x, self.x)
        beta = np.linalg.solve(inner, ((weights * self.y) @ self.x)[:, :, None])[:, :, 0]
        q = (weights * (self.y - beta @ self.x.T) ** 2).sum(axis=1)
        return np.asarray((np.log(weights).sum(axis=1) - np.linalg.slogdet(inner)[1] - q) / 2)

    def reml(self) -> float:
        """Give the ``tau2`` of the largest restricted likelihood; 0 where it falls from 0 on."""
        tau = self.scale() * np.concatenate([[0.0], np.geomspace(1e-4, 1e2, _POINTS)])
        for _ in range(_ROUNDS):  # each narrows the bracket by a hundred; flat near its top
            best = int(np.argmax(self.log_likelihood(tau**2)))
            low, high = tau[max(best - 1, 0)], tau[min(best + 1, len(tau) - 1)]
            tau = np.linspace(low, high, _POINTS)
        found = self._turning_point(float(low), float(high))
        at_ends = self.log_likelihood(np.array([0.0, found**2]))
        return 0.0 if at_ends[0] >= at_ends[1] else found**2

    def _turning_point(self, low: float, high: float) -> float:
        """Where the likelihood's slope turns negative, by halving: finer than its height shows."""
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self._slope(middle**2) > 0 else (low, middle)
        return (low + high) / 2

    def _slope(self, tau2: float) -> float:
        """Derivative of twice the restricted log-likelihood: y'PPy − tr P."""
        weights = self._weights(tau2)
        beta, covariance, _ = self.fit(tau2)
        residual = weights * (self.y - self.x @ beta)
        trace = weights.sum() - np.trace(covariance @ (self.x.T @ (weights[:, None] ** 2 * self.x)))
        return float(residual @ residual - trace)

    def scale(self) -> float:
        """Give a scale for tau: what the estimates' spread and their errors amount to."""
        return float(np.sqrt(np.var(self.y) + self.values.mean()))

    def tau2_where(self, q: float) -> float:
        """Give the ``tau2`` at which the generalised Q, which falls with it, equals ``q``."""
        if self.fit(0.0)[2] <= q:
            return 0.0
        low, high = 0.0, self.scale() ** 2
        while self.fit(high)[2] > q:
            low, high = high, 4 * high
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if self.fit(middle)[2] > q else (low, middle)
            if high - low <= 1e-13 * high:
                break
        return (low + high) / 2

    def _weights(self, tau2: float) -> Floats:
        return np.asarray(1 / (self.values + tau2))


def normal_model(estimates: Floats, covariance: Floats, x: Floats) -> NormalModel:
    """Turn estimates and regressors, shape (n, p), into independent ones."""
    values, vectors = np.linalg.eigh(covariance)
    # Estimates that repeat one another would have infinite weight at tau = 0.
    values = np.maximum(values, 1e-10 * values[-1])
    return NormalModel(vectors, values, vectors.T @ estimates, vectors.T @ x)
