"""One cell of the study: a pair on a process, replication by replication."""

from __future__ import annotations

import math
import signal
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmarks.simulation.designs import Outcome, Process, draw_design
from benchmarks.simulation.pairs import OWN, Pair
from cps.errors import CpsError
from cps.estimators.registry import estimate

LEVEL = 0.95
SLOWEST = 8.0  # seconds of computing that an estimate may take; slower pairs are named, not studied
TOO_SLOW = f"takes more than {SLOWEST:g} s an estimate"


_WARM: set[Pair] = set()


class _TooSlowError(Exception):
    """An estimate took more than ``SLOWEST``."""


@dataclass(frozen=True)
class Task:
    """A pair on one process, with a number of treated and an outcome."""

    process: str
    treated: int
    outcome: Outcome
    pair: Pair

    @property
    def key(self) -> str:
        """Give a name that is the same in every run."""
        pair = self.pair
        options = ",".join(f"{name}={value}" for name, value in pair.options)
        return f"{self.process}/{self.treated}/{self.outcome}/{pair.method}({options})/{pair.inference}"


@dataclass
class Tally:
    """What the replications of a task gave; lists have an entry per estimate.

    ``errors`` are estimates less truths; ``covers``, ``rejects`` and ``lengths`` leave out
    replications without an interval, or without interval and p-value.
    """

    tried: int = 0
    seconds: float = 0.0
    errors: list[float] = field(default_factory=list)
    covers: list[int] = field(default_factory=list)
    rejects: list[int] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    inference: str = ""
    floor: float | None = None

    def add(self, other: Tally) -> None:
        """Add the replications of another part of the same task."""
        self.tried += other.tried
        self.seconds += other.seconds
        for name in ("errors", "covers", "rejects", "lengths"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("refusals", "faults"):
            mine = getattr(self, name)
            for reason, count in getattr(other, name).items():
                mine[reason] = mine.get(reason, 0) + count
        self.inference = self.inference or other.inference
        if other.floor is not None:
            self.floor = max(self.floor or 0.0, other.floor)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)

    @property
    def is_refused(self) -> bool:
        """Tell whether the pair gave no number at all."""
        return self.tried > 0 and not self.errors

    @property
    def seconds_each(self) -> float:
        """Give the time that one replication takes."""
        return self.seconds / max(1, self.tried)


@dataclass(frozen=True)
class Summary:
    """A row of the tables: what the replications say, None where they can't."""

    replications: int
    bias: float | None
    bias_error: float | None
    coverage: float | None
    rejection: float | None
    length: float | None


def run(task: Task, process: Process, reps: Iterable[int], *, seconds: float = math.inf) -> Tally:
    """Estimate the replications ``reps``; stop after ``seconds``, but do one at least."""
    try:
        options, inference_options = task.pair.given()
    except ImportError as error:
        return Tally(tried=1, faults={f"ImportError: {error}"[:200]: 1})
    if task.pair not in _WARM:
        # What a first estimate loads is no part of what estimates take.
        _WARM.add(task.pair)
        run(task, process, [0])
    tally = Tally()
    began = time.process_time()
    for rep in reps:
        if tally.tried and time.process_time() - began > seconds:
            break
        design, truth = draw_design(process, task.treated, task.outcome, rep)
        tally.tried += 1
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"), _limited():
                warnings.simplefilter("ignore")
                effect = estimate(
                    design,
                    task.pair.method,
                    inference=None if task.pair.inference == OWN else task.pair.inference,
                    level=LEVEL,
                    seed=rep,
                    options=options,
                    inference_options=inference_options or None,
                )
        except _TooSlowError:
            _count(tally.refusals, TOO_SLOW)
            break
        except CpsError as error:
            _count(tally.refusals, error.what.en)
            continue
        except Exception as error:  # a fault of a method must not end the study; it is reported
            _count(tally.faults, f"{type(error).__name__}: {error}"[:200])
            continue
        one = effect.overall
        tally.inference, tally.floor = effect.inference, effect.p_value_floor
        if one.att is None or not math.isfinite(one.att):
            _count(tally.refusals, "no estimate")
            continue
        tally.errors.append(one.att - truth)
        low, high = one.ci_low, one.ci_high
        if low is not None and high is not None:
            tally.covers.append(int(low <= truth <= high))
            tally.lengths.append(high - low)
        if one.p_value is not None:
            tally.rejects.append(int(one.p_value <= 1 - LEVEL + 1e-12))
        elif low is not None and high is not None:
            tally.rejects.append(int(low > 0 or high < 0))
    tally.seconds = time.process_time() - began
    return tally


@contextmanager
def _limited() -> Iterator[None]:
    """Stop what computes longer than ``SLOWEST``; waiting for others does not count."""

    def stop(*_: object) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SLOWEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def summarise(tally: Tally) -> Summary:
    """Summarise replications; infinite intervals count as covering and as long."""
    errors = np.array(tally.errors)
    n = len(errors)
    lengths = np.array(tally.lengths)
    return Summary(
        n,
        float(errors.mean()) if n else None,
        float(errors.std(ddof=1) / math.sqrt(n)) if n > 1 else None,
        float(np.mean(tally.covers)) if tally.covers else None,
        float(np.mean(tally.rejects)) if tally.rejects else None,
        float(np.median(lengths)) if len(lengths) else None,
    )


def _count(counts: dict[str, int], reason: str) -> None:
    counts[reason] = counts.get(reason, 0) + 1
