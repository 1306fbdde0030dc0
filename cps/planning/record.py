"""The records of a plan: power by number of units and periods, and what it takes for granted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cps.errors import Finding, Text

Scale = Literal["share", "absolute"]


@dataclass(frozen=True, slots=True)
class PowerCell:
    """What one number of treated units, seen for so many periods after the start, can show.

    Parameters
    ----------
    n_treated, periods_after : int
    n_assignments : int
        Pretended initiatives in all, over all windows.
    n_windows : int
        Stretches of the panel that they were put into; they overlap, so they are not independent.
    p_value_floor : float or None
        Smallest p-value that the test can give here; None where it depends on the assignment.
    false_alarms : float or None
        Share of pretended initiatives without effect that were found; about 1 − level if all is well.
    power : tuple of float, by the plan's sizes
        Share of pretended initiatives with an effect of that size that were found; empty if none
        could be tried.
    minimum_detectable : float or None
        Smallest size found with the power asked for, on the plan's scale; None if none is.
    minimum_detectable_natural : float or None
        The same per unit and period in the outcome's own unit, for a typical unit.
    """

    n_treated: int
    periods_after: int
    n_assignments: int
    n_windows: int
    p_value_floor: float | None
    false_alarms: float | None
    power: tuple[float, ...]
    minimum_detectable: float | None
    minimum_detectable_natural: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Power of an initiative still to come, by simulation on the panel at hand.

    Parameters
    ----------
    measure : str
        Unit of measure of the outcome.
    scale : {"share", "absolute"}
        Whether ``sizes`` are shares of the outcome (0.10 is 10%) or amounts of ``measure``.
    units : tuple of str
        The units planned, or empty where they were drawn at random.
    n_units : int
        Untreated units with complete data that the simulation draws on.
    typical_level : float
        Of the outcome in its own unit: geometric mean over those units (mean, if not in logs) in the
        last period.
    target_power : float
        Power asked of ``minimum_detectable``, 0.80 unless said otherwise.
    """

    outcome: str
    measure: str
    form: str
    method: str
    options: dict[str, str]
    inference: str
    level: float
    target_power: float
    scale: Scale
    sizes: tuple[float, ...]
    periods_before: int
    units: tuple[str, ...]
    n_units: int
    typical_level: float
    cells: tuple[PowerCell, ...]
    assumes: Text
    findings: tuple[Finding, ...]
    is_synthetic: bool
    seed: int
    source_hash: str

    def needed(self, size: float) -> PowerCell | None:
        """Give the fewest treated units, and then periods, that show an effect of ``size``.

        None if no cell of the plan has the power asked for.
        """
        enough = [
            one
            for one in self.cells
            if one.minimum_detectable is not None and one.minimum_detectable <= size
        ]
        return min(enough, key=lambda one: (one.n_treated, one.periods_after), default=None)

    def table(self) -> dict[str, tuple[float | int | str | None, ...]]:
        """Give one row a cell: units, periods, detectable size, and power by size."""
        return {
            "n_treated": tuple(one.n_treated for one in self.cells),
            "periods_after": tuple(one.periods_after for one in self.cells),
            "minimum_detectable": tuple(one.minimum_detectable for one in self.cells),
            "minimum_detectable_natural": tuple(
                one.minimum_detectable_natural for one in self.cells
            ),
            **{
                f"power_{size:g}": tuple(
                    one.power[place] if one.power else None for one in self.cells
                )
                for place, size in enumerate(self.sizes)
            },
            "false_alarms": tuple(one.false_alarms for one in self.cells),
            "n_assignments": tuple(one.n_assignments for one in self.cells),
            "n_windows": tuple(one.n_windows for one in self.cells),
        }

    def needed_table(self) -> dict[str, tuple[float | int | str | None, ...]]:
        """Give, for each size, the fewest units for each number of periods: the sample plan."""
        after = sorted({one.periods_after for one in self.cells})
        rows = [(size, periods) for size in self.sizes for periods in after]

        def fewest(size: float, periods: int) -> int | None:
            enough = [
                one.n_treated
                for one in self.cells
                if one.periods_after == periods
                and one.minimum_detectable is not None
                and one.minimum_detectable <= size
            ]
            return min(enough, default=None)

        return {
            "size": tuple(size for size, _ in rows),
            "periods_after": tuple(periods for _, periods in rows),
            "n_treated_needed": tuple(fewest(*row) for row in rows),
        }
