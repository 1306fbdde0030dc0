"""R ``HonestDiD``'s own way to a set: a grid of 1000 points, and bounds from R's random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cps.robustness._honest import EventStudy, Interval
from cps.robustness._honest_rays import extreme_rays
from cps.robustness._honest_test import FirstStage, accepted, moments

Floats = NDArray[np.float64]
_GRID = 1000
_DRAWS = 1000


def relative_magnitude_set(study: EventStudy, mbar: float, alpha: float = 0.05) -> Interval:
    """Read the least and greatest accepted points off the package's grid (C-LF, seed 0)."""
    n_post = study.n_post
    before = np.append(study.beta[: study.n_pre], 0.0)
    steps = float(np.arange(1, n_post + 1) @ np.abs(study.l_vec))
    half = mbar * steps * float(np.abs(np.diff(before)).max()) + 20 * study.se
    grid = np.linspace(study.estimate - half, study.estimate + half, _GRID)
    differences = np.delete(np.diff(np.eye(len(study.beta) + 1), axis=0), study.n_pre, axis=1)
    factor = np.repeat([1.0, mbar], [study.n_pre, n_post])[:, None]
    keep = np.zeros(_GRID, dtype=bool)
    for row in differences[: study.n_pre]:
        for side in (row, -row):
            matrix = np.concatenate([differences - factor * side, -differences - factor * side])
            matrix = matrix[np.abs(matrix[:, study.n_pre :]).sum(axis=1) > 0]
            keep |= _accepts(study, matrix, grid, alpha)
    return float(grid[keep].min()), float(grid[keep].max())


def _accepts(study: EventStudy, matrix: Floats, grid: Floats, alpha: float) -> NDArray[np.bool_]:
    pivot = int(np.abs(study.l_vec).argmax())
    others = [j for j in range(study.n_post) if j != pivot]
    direction = np.zeros(len(study.beta))
    direction[study.n_pre + pivot] = 1 / study.l_vec[pivot]
    nuisance = np.zeros((len(study.beta), len(others)))
    for column, j in enumerate(others):
        nuisance[study.n_pre + j, column] = 1.0
        nuisance[study.n_pre + pivot, column] = -study.l_vec[j] / study.l_vec[pivot]
    noise = matrix @ study.sigma @ matrix.T
    value, vector = np.linalg.eigh(noise)
    root = (vector * np.sqrt(np.maximum(value, 0))) @ vector.T
    draws = r_normals(_DRAWS * len(matrix)).reshape(_DRAWS, -1) @ root
    vertices = extreme_rays((matrix @ nuisance).T)
    vertices = vertices / (vertices @ np.sqrt(np.diag(noise)))[:, None]
    kappa = alpha / 10
    bound = float(np.quantile((draws @ vertices.T).max(axis=1), 1 - kappa))
    found = moments(
        matrix,
        np.zeros(len(matrix)),
        study.beta,
        study.sigma,
        direction=direction,
        nuisance=nuisance,
    )
    first = replace(FirstStage(kappa), bound=bound)
    return accepted(found, grid, alpha=alpha, first=first)


def r_normals(n: int) -> Floats:
    """Give what ``set.seed(0); rnorm(n)`` gives in R: Mersenne Twister, inversion."""
    seed, words = 0, []
    for step in range(50 + 625):
        seed = (69069 * seed + 1) % 2**32
        if step > 50:  # the first of R's 625 words is the position
            words.append(seed)
    generator = np.random.MT19937()
    state = generator.state
    state["state"] = {"key": np.array(words, dtype=np.uint32), "pos": 624}
    generator.state = state
    uniform = generator.random_raw(2 * n) * 2.3283064365386963e-10
    return np.asarray(ndtri((np.floor(2**27 * uniform[::2]) + uniform[1::2]) / 2**27))
