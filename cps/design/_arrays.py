"""From a tidy frame to arrays of units × periods, with gaps explicit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.design._regular import block_length
from cps.design.record import Form
from cps.errors import DesignError, Text
from cps.periods import Frequency, label

COVARIATE = "covariate:"
_SHOWN = 5

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Arrays:
    """What a frame holds, by unit and period; NaN where there is no usable value."""

    units: list[str]
    periods: list[int]
    y: Floats
    y_natural: Floats
    covariates: Floats | None
    covariate_names: tuple[str, ...]
    weights: Floats | None
    dose: Floats | None
    denominator: Floats | None

    def is_complete(self, *, with_covariates: bool = True) -> NDArray[np.bool_]:
        """Tell which units, shape (n_units,), have every value in every period."""
        complete = ~np.isnan(self.y).any(axis=1)
        for array in (self.weights, self.dose, self.denominator):
            if array is not None:
                complete &= ~np.isnan(array).any(axis=1)
        if self.covariates is not None and with_covariates:
            complete &= ~np.isnan(self.covariates).any(axis=(0, 2))
        return np.asarray(complete)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the units outside ``mask``."""
        if mask.all():
            return
        self.units = [unit for unit, is_kept in zip(self.units, mask, strict=True) if is_kept]
        same = self.y is self.y_natural
        self.y_natural = self.y_natural[mask]
        self.y = self.y_natural if same else self.y[mask]
        for name in ("weights", "dose", "denominator"):
            array = getattr(self, name)
            setattr(self, name, None if array is None else array[mask])
        if self.covariates is not None:
            self.covariates = self.covariates[:, mask]


def arrays_of(frame: pl.DataFrame, units: list[str], *, form: Form, where: str) -> Arrays:
    """Lay a frame out by unit and period.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns unit, period, outcome; any of weight, dose, denominator; covariates are named
        ``covariate:…``.
    units : list of str
        The units wanted, in the order wanted.

    Raises
    ------
    DesignError
        If a weight or a denominator is not positive.
    """
    length = block_length(frame)
    if length is not None:
        names = frame["unit"].gather_every(length).to_list()
        if names == units:
            return _from_blocks(frame, length, units, None, form=form, where=where)
        place = {name: row for row, name in enumerate(names)}
        if all(unit in place for unit in units):
            rows = np.array([place[unit] for unit in units], dtype=np.int64)
            return _from_blocks(frame, length, units, rows, form=form, where=where)
    periods = sorted(frame["period"].unique().to_list())
    kept = frame.filter(pl.col("unit").is_in(units)) if len(units) else frame.clear()
    codes = pl.DataFrame(
        {"unit": units, "row": np.arange(len(units))}, schema_overrides={"unit": pl.String}
    )
    rows = (
        kept.select("unit").join(codes, on="unit", how="left", maintain_order="left")["row"]
    ).to_numpy()
    columns = np.searchsorted(np.array(periods), kept["period"].to_numpy())

    def spread(name: str) -> Floats:
        array = np.full((len(units), len(periods)), np.nan)
        values = kept[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        array[rows, columns] = np.where(np.isfinite(values), values, np.nan)
        return array

    return _arrays(frame.columns, spread, units, periods, form=form, where=where)


def _from_blocks(
    frame: pl.DataFrame,
    length: int,
    units: list[str],
    rows: NDArray[np.int64] | None,
    *,
    form: Form,
    where: str,
) -> Arrays:
    """Lay out a frame that is in order already, without a search."""

    def spread(name: str) -> Floats:
        values = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        blocks = values.reshape(-1, length)
        chosen = np.array(blocks) if rows is None else blocks[rows]
        chosen[~np.isfinite(chosen)] = np.nan
        return chosen

    periods = frame["period"][:length].to_list()
    return _arrays(frame.columns, spread, units, periods, form=form, where=where)


def _arrays(
    columns: list[str],
    spread: Callable[[str], Floats],
    units: list[str],
    periods: list[int],
    *,
    form: Form,
    where: str,
) -> Arrays:
    def spread_if(name: str) -> Floats | None:
        return spread(name) if name in columns else None

    weights, denominator = spread_if("weight"), spread_if("denominator")
    for name, array in (("weight", weights), ("denominator", denominator)):
        if array is not None and (array[~np.isnan(array)] <= 0).any():
            raise _not_positive(name, array, units, periods, where)
    natural = spread("outcome")
    if form == "log":
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.where(natural > 0, np.log(natural), np.nan)
    elif form == "rate" and denominator is not None:
        y = natural / denominator
    else:
        y = natural
    names = tuple(name for name in columns if name.startswith(COVARIATE))
    return Arrays(
        units=list(units),
        periods=periods,
        y=y,
        y_natural=natural,
        covariates=np.array([spread(name) for name in names]) if names else None,
        covariate_names=tuple(name.removeprefix(COVARIATE) for name in names),
        weights=weights,
        dose=spread_if("dose"),
        denominator=denominator,
    )


def describe_gaps(arrays: Arrays, row: int, *, form: Form, frequency: Frequency) -> Text:
    """Say which periods a unit lacks, and in what."""
    gone = np.isnan(arrays.y[row])
    if not gone.any():
        return _other_gaps(arrays, row)
    periods = [period for period, is_gone in zip(arrays.periods, gone, strict=True) if is_gone]
    names = ", ".join(label(one, frequency) for one in periods[:_SHOWN])
    names += " …" if len(periods) > _SHOWN else ""
    word = ("为空或不为正", "missing or not positive") if form == "log" else ("为空", "missing")
    return Text(
        f"{len(arrays.periods)} 期中有 {len(periods)} 期{word[0]}（{names}）",
        f"{len(periods)} of {len(arrays.periods)} periods {word[1]} ({names})",
    )


def _other_gaps(arrays: Arrays, row: int) -> Text:
    """Name what is missing beside the outcome, and in how many periods."""
    held = {
        ("权重", "the weight"): arrays.weights,
        ("剂量", "the dose"): arrays.dose,
        ("分母", "the denominator"): arrays.denominator,
    }
    if arrays.covariates is not None:
        named = zip(arrays.covariate_names, arrays.covariates, strict=True)
        held |= {(f"协变量 {name}", f"covariate {name}"): one for name, one in named}
    lacks = {
        words: int(np.isnan(array[row]).sum())
        for words, array in held.items()
        if array is not None and np.isnan(array[row]).any()
    }
    return Text(
        "、".join(f"{words[0]}缺 {n} 期" for words, n in lacks.items()),
        ", ".join(f"{words[1]} missing in {n} periods" for words, n in lacks.items()),
    )


def _not_positive(
    name: str, array: Floats, units: list[str], periods: list[int], where: str
) -> DesignError:
    words = {"weight": ("权重", "weight"), "denominator": ("分母", "denominator")}[name]
    row, column = (int(one) for one in np.argwhere(array <= 0)[0])
    return DesignError(
        Text(f"{words[0]}必须为正", f"a {words[1]} must be positive"),
        where=f"{where} › {units[row]}, {periods[column]}: {array[row, column]:g}",
        mend=Text("更正该值，或剔除该单位", "correct it, or leave the unit out"),
    )
