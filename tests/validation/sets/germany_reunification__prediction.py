"""German reunification: what Python ``scpi`` 4.0.0 gives for its illustration, draws aside.

Outcome alone, simplex weights, 1960-90 before and 1991-2003 after; plain, and with a constant and
cointegrated donors. Intervals also hold simulated parts, which are random: what is compared are the
weights' predictions, the tuning constants, and the bounds of the errors outside the sample.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from cps.estimators.inference._conformal_series import series_of
from cps.estimators.inference._prediction_control import error_designs, fit_control
from cps.estimators.inference._prediction_errors import out_of_sample
from tests.validation.table import Ours, Reference

SET = "germany_reunification"
_SIDE = 0.025  # of each side, in the package's default
# fmt: off
_RHO = {False: 0.07164019247054902, True: 0.07265189232793197}
_LENGTH = {False: 0.6687621215654449, True: 0.9055396046467975}  # of weights, with L1-L2
_CONSTANT = 0.15799478015351248
_FIT = {
    False: [21.1002, 21.82887, 22.31783, 23.27585, 24.14422, 25.05845, 26.0043, 27.05005,
            28.06899, 29.69977, 30.52453, 31.51545, 32.32018],
    True: [21.14115, 21.90935, 22.38645, 23.36198, 24.23323, 25.22043, 26.05371, 27.05153,
           28.16781, 29.8141, 30.51259, 31.48347, 32.34219],
}
_BOUNDS = {
    (False, "gaussian"): [
        [-0.3734, -0.3586, -0.479, -0.4766, -0.6109, -0.5924, -0.5739, -0.6749, -0.5095, -0.5477,
         -0.8502, -0.7946, -0.5364],
        [0.5542, 0.5968, 0.702, 0.7506, 1.0271, 1.1735, 0.8796, 1.0036, 0.9426, 1.0164, 1.3334,
         1.1085, 0.7073]],
    (False, "ls"): [
        [-0.4473, -0.4347, -0.5731, -0.5744, -0.7414, -0.7331, -0.6897, -0.8086, -0.6252, -0.6722,
         -1.0242, -0.9462, -0.6355],
        [0.5321, 0.574, 0.6738, 0.7213, 0.988, 1.1314, 0.845, 0.9636, 0.908, 0.9791, 1.2813,
         1.0631, 0.6776]],
    (False, "qreg"): [
        [-0.201, -0.0659, -0.0597, 0.0046, -0.0813, 0.0752, 0.0482, -0.042, 0.2893, 0.3348,
         0.0611, 0.0873, 0.4161],
        [0.2122, 0.1941, 0.2877, 0.3253, 0.4817, 0.5252, 0.4601, 0.5832, 0.4757, 0.3684, 0.5317,
         0.2928, 0.0391]],
    (True, "gaussian"): [
        [-0.0318, -0.1136, -0.1543, -0.1569, -0.1294, -0.1291, -0.2461, -0.2152, -0.1364, -0.137,
         -0.142, -0.0748, -0.144],
        [0.1072, 0.0664, 0.1157, 0.1333, 0.1777, 0.0841, 0.1751, 0.2414, 0.0268, 0.159, 0.195,
         0.0761, -0.0054]],
    (True, "ls"): [
        [-0.0625, -0.1534, -0.2141, -0.2211, -0.1973, -0.1763, -0.3392, -0.3163, -0.1726, -0.2025,
         -0.2165, -0.1082, -0.1746],
        [0.1372, 0.1053, 0.174, 0.196, 0.244, 0.1302, 0.266, 0.34, 0.0621, 0.223, 0.2678, 0.1087,
         0.0246]],
    (True, "qreg"): [
        [-0.2257, -0.0957, -0.0099, -0.0881, -0.1183, -0.1115, 0.0209, -0.0748, -0.1167, -0.2141,
         -0.0754, -0.1725, -0.061],
        [0.1768, 0.1451, 0.0488, 0.1234, 0.0941, 0.1635, 0.0503, 0.0718, 0.2223, 0.2233, 0.0438,
         0.1847, 0.193]],
}
# fmt: on


def ours(folder: Path) -> dict[str, Ours]:
    """Give nothing: the targets are the estimators'."""
    return {}


def references(folder: Path) -> list[Reference]:
    """Compare predictions, tuning constants and error bounds."""
    is_treated = (pl.col("country") == "West Germany") & (pl.col("year") >= 1991)
    design = cps.design_from_frame(
        pl.read_parquet(folder / "data.parquet").with_columns(is_treated.alias("united")),
        unit="country",
        period="year",
        outcome="gdp",
        treated="united",
    )
    series = series_of(design)
    found = []
    for full, fit in _FIT.items():
        control = fit_control(series, has_constant=full)
        name = "scpi, constant and cointegrated" if full else "scpi, plain"
        ahead = control.weights @ series.donors[:, series.n_pre :] + control.constant
        found.append(Reference(f"{name}: prediction", 13, _farthest(ahead, fit), 1e-5))
        tuned = [control.rho, fit_control(series, has_constant=full, is_short=True).longest]
        theirs = [_RHO[full], _LENGTH[full]]
        if full:
            tuned, theirs = [*tuned, control.constant], [*theirs, _CONSTANT]
        found.append(Reference(f"{name}: constants", len(tuned), _farthest(tuned, theirs), 1e-6))
        parts = error_designs(series, control, is_cointegrated=full)
        for method in ("gaussian", "ls", "qreg"):
            bounds = out_of_sample(*parts, method=method, alpha=_SIDE)
            far = _farthest(bounds, _BOUNDS[full, method])
            found.append(Reference(f"{name}: {method} bounds of errors", 26, far, 1e-4))
    return found


def _farthest(ours: object, theirs: object) -> float:
    return float(np.max(np.abs(np.asarray(ours, float) - np.asarray(theirs, float))))
