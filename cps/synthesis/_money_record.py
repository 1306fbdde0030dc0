"""The records of an initiative's jobs and money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cps.errors import Text
from cps.indicators.benefit.defaults import Assumed
from cps.indicators.benefit.record import Appraisal, JobsFound

Shows = Literal["up", "down", "unclear", "mixed"]


@dataclass(frozen=True, slots=True)
class Estimated:
    """The effect that jobs or money rest on, in a few numbers.

    Parameters
    ----------
    outcome : str
    method : Text
    shows : {"up", "down", "unclear", "mixed"}
        Mixed: the interval leaves out zero, but the p-value does not reach the same level.
    is_reliable : bool or None
        As in ``Effect``.
    hosts : tuple of str
        Those that the estimate speaks of, and whose outlays are counted.
    n_hosts : int
        Of the initiative.
    """

    outcome: str
    method: Text
    shows: Shows
    is_reliable: bool | None
    hosts: tuple[str, ...]
    n_hosts: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that can't be said: what, where it hangs, how to mend it."""

    part: Literal["income", "jobs", "cost", "money"]
    what: Text
    where: str
    mend: Text


@dataclass(frozen=True, slots=True)
class Worth:
    """Jobs and money of one initiative; what could not be had is absent, and said in ``refusals``.

    Parameters
    ----------
    income, employment : Estimated or None
        The effects on income and on jobs.
    cost_yuan : dict of source of money to 元
        Of the hosts that the effect on income speaks of (on jobs, where there is none on income).
    total_yuan, public_yuan : int or None
        None where a host's outlays are not given.
    appraisal : Appraisal or None
        ``appraisal.jobs`` is left empty: ``jobs`` may speak of other hosts.
    jobs : JobsFound or None
    fte : (float, float)
        Full-time equivalents a head, least and most.
    assumed : tuple of Assumed
    """

    initiative: str
    income: Estimated | None
    employment: Estimated | None
    cost_yuan: dict[str, int]
    total_yuan: int | None
    public_yuan: int | None
    appraisal: Appraisal | None
    jobs: JobsFound | None
    fte: tuple[float, float]
    assumed: tuple[Assumed, ...]
    refusals: tuple[Refusal, ...]
    level: float
    n_draws: int
    seed: int
    is_synthetic: bool

    def table(self) -> dict[str, tuple[float | str | None, ...]]:
        """Give the columns of a table in both languages: what ``cps.show`` shows."""
        from cps.synthesis._money_shown import rows_of

        return rows_of(self)
