"""The record of a specification curve: what was declared, what each cell gave, what all give jointly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cps.errors import Text

Status = Literal["estimated", "same", "refused"]


@dataclass(frozen=True, slots=True)
class Option:
    """One way to choose in a dimension; ``means`` says what it does, in a sentence."""

    name: str
    title: Text
    means: Text


@dataclass(frozen=True, slots=True)
class Dimension:
    """One choice that an analyst has to make, with the ways it can reasonably be made."""

    name: str
    title: Text
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class SpecificationCell:
    """One specification: a way to choose in every dimension, and what it gives.

    Parameters
    ----------
    number : int
        From 0 on, in the order declared.
    choices : tuple of str
        Name of the option taken in each dimension, in the order of ``dimensions``.
    status : {"estimated", "same", "refused"}
        ``same`` is a cell that gives the very design or estimate of another, ``same_as``, and is
        counted with that one.
    estimate, ci_low, ci_high : float or None
        On the curve's common scale (``measure``); None unless ``estimated``. The interval is the
        headline's own for the headline; for others it spans Student's t quantiles of the placebo
        spread, and is None where too few placebos are there or an end has no counterpart on the
        common scale.
    p_value : float or None
        Share of assignments whose estimate is at least as large in size, the actual one counted.
    as_estimated, as_measured : float or None, str
        The estimate on the cell's own scale, and the unit of that.
    n_treated, n_comparison, n_periods : int
    refusal : int or None
        Place of the reason in ``refusals``.
    """

    number: int
    choices: tuple[str, ...]
    status: Status
    is_headline: bool = False
    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None
    as_estimated: float | None = None
    as_measured: str = ""
    n_treated: int = 0
    n_comparison: int = 0
    n_periods: int = 0
    same_as: int | None = None
    refusal: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why cells could not be estimated, and how many share the reason."""

    reason: Text
    mend: Text
    n_cells: int


@dataclass(frozen=True, slots=True)
class JointTest:
    """Inference on all specifications at once: the grid anew under other assignments of the starts.

    Simonsohn, Simmons & Nelson (2020), doi:10.1038/s41562-020-0912-z. Each statistic is symmetric in
    sign, and each p-value the share of assignments, the actual one counted, whose statistic is at
    least as large.

    Parameters
    ----------
    n_cells : int
        Specifications in it: those estimated that at least half of the assignments bear too.
    n_assignments : int
        Other assignments of the same starts, dealt to all units compared.
    is_enumerated : bool
        True if there are no others; else they were drawn, with ``seed``.
    smallest_p : float
        1 / (n_assignments + 1): no p-value can be smaller.
    median, p_median : float
        Median estimate, on the common scale.
    share, p_share : float
        Share of estimates with the sign that most have.
    combined, p_combined : float
        Estimates over the spread that each has under all assignments, summed and divided by the root
        of their number (Stouffer's form; not standard normal, since cells are related).
    p_joint : float
        Of the smallest of the three p-values, ranked among what that is under every assignment: the
        one to quote, since it allows for having looked three times.
    """

    n_cells: int
    n_assignments: int
    is_enumerated: bool
    seed: int
    smallest_p: float
    median: float
    p_median: float
    share: float
    p_share: float
    combined: float
    p_combined: float
    p_joint: float


@dataclass(frozen=True, slots=True)
class Influence:
    """How much of the spread of estimates a dimension explains.

    Parameters
    ----------
    share : float
        Of the variance over estimated cells, main effects alone, averaged over all orders in which
        dimensions can enter (Shapley); shares of all dimensions sum to what main effects explain.
    option_means : dict of str to float
        Mean estimate of the estimated cells that take each option.
    """

    dimension: str
    share: float
    option_means: dict[str, float]


@dataclass(frozen=True, slots=True)
class Move:
    """What the headline becomes when one choice alone is made otherwise."""

    dimension: str
    option: str
    number: int  # of the cell
    estimate: float
    change: float  # estimate less headline


ASSUMES = Text(
    "若无处理，承办单位与对照单位可互换，谁承办、何时启动如同抽签；各设定由同一批数据算出，彼此相关，"
    "个数多并不等于证据多",
    "without treatment, hosts and comparison units are exchangeable: who started when is as if by lot; "
    "all specifications come from the same data and are related, so that many of them are not many "
    "pieces of evidence",
)


@dataclass(frozen=True, slots=True)
class SpecificationCurve:
    """Every declared specification of one initiative, the headline marked, and what they say jointly.

    Parameters
    ----------
    measure : str
        Unit of the common scale: the headline's, ``log_points`` or a unit of measure.
    level : float
        Of the intervals.
    declared_hash : str
        sha256 over the grid, the design's hash and every cell's choices; taken before any estimate.
    cells : tuple of SpecificationCell
        Every declared cell, in the order declared; none is missing.
    n_declared, n_estimated, n_same, n_refused : int
        ``n_declared`` is the sum of the others.
    headline : int
        Number of the headline's cell.
    share_agreeing : float or None
        Of estimated cells, share with the headline's sign; None if the headline is exactly zero.
    share_inside : float or None
        Of estimated cells, share whose estimate lies within the headline's interval; None without one.
    share_small_p : float or None
        Of estimated cells, share whose own p-value is at most 1 - ``level``.
    median, lowest, highest, lower_quartile, upper_quartile : float
        Of the estimated cells, on the common scale.
    explained : float
        Share of the variance that main effects explain together.
    influences : tuple of Influence
        By dimension, the largest first.
    moves : tuple of Move
        Every single change from the headline that was estimated, the largest first.
    joint : JointTest or None
    no_joint : Text or None
        Why there is no joint test.
    """

    initiative: str
    outcome: str
    measure: str
    level: float
    design_hash: str
    declared_hash: str
    is_synthetic: bool
    dimensions: tuple[Dimension, ...]
    cells: tuple[SpecificationCell, ...]
    refusals: tuple[Refusal, ...]
    n_declared: int
    n_estimated: int
    n_same: int
    n_refused: int
    headline: int
    headline_estimate: float
    headline_ci_low: float | None
    headline_ci_high: float | None
    share_agreeing: float | None
    share_inside: float | None
    share_small_p: float | None
    median: float
    lowest: float
    highest: float
    lower_quartile: float
    upper_quartile: float
    explained: float
    influences: tuple[Influence, ...]
    moves: tuple[Move, ...]
    joint: JointTest | None
    no_joint: Text | None
    assumes: Text = ASSUMES

    def table(self) -> dict[str, list[object]]:
        """Give every declared cell as columns: number, each dimension, and what the cell gave."""
        columns: dict[str, list[object]] = {"number": [one.number for one in self.cells]}
        for place, dimension in enumerate(self.dimensions):
            columns[dimension.name] = [one.choices[place] for one in self.cells]
        for name in (
            "status",
            "is_headline",
            "estimate",
            "ci_low",
            "ci_high",
            "p_value",
            "as_estimated",
            "as_measured",
            "n_comparison",
            "n_periods",
            "same_as",
        ):
            columns[name] = [getattr(one, name) for one in self.cells]
        for language in ("zh", "en"):
            columns[f"reason_{language}"] = [
                None
                if one.refusal is None
                else self.refusals[one.refusal].reason.in_language(language)
                for one in self.cells
            ]
        return columns
