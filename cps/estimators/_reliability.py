"""Whether a method with an inference held its level in the simulation study."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

PATH = Path(__file__).parent / "reliability.toml"
# Options that do not move the overall estimate or its error in the designs studied.
UNSTUDIED = frozenset({"draws", "base", "balance_e", "min_e", "max_e", "pretrends"})
Bucket = Literal["1", "2-4", "5+"]
MOST = 30  # treated units beyond which the study, with at most 15, says nothing


@dataclass(frozen=True, slots=True)
class Numerical:
    """An option that says how a minimum is reached, not which.

    Parameters
    ----------
    option, studied : str
        Its name, and its value in the study.
    unique : tuple of str and frozenset of str
        Another option and its values under which there is one minimum only. Elsewhere which of many
        is taken is part of the estimate, and a verdict does not carry over.
    """

    option: str
    studied: str
    unique: tuple[str, frozenset[str]]


# The exact minimum and where R's steps stop on the way to it: in the study's designs their estimates
# differ by less than a hundredth of a standard error on average, their verdicts in nothing.
NUMERICAL: dict[str, Numerical] = {
    "synthetic_did": Numerical(
        "solver", "synthdid", ("weights", frozenset({"sdid", "did", "sc_reg", "difp_reg"}))
    )
}


@dataclass(frozen=True, slots=True)
class Reliability:
    """What the study found, over all judged designs.

    Parameters
    ----------
    treated : {"1", "2-4", "5+"}
        Number of treated units, or of treated clusters where units are grouped.
    coverage : float or None
        Of nominal 95% intervals, the design farthest from it; None where no interval is given.
    size : float or None
        Largest rejection rate of the 5% test under no effect.
    replications : int
        In the design with the fewest.
    verdict : {"offered", "not_offered"}
    reason : str
        Why not; empty where offered.
    """

    treated: Bucket
    coverage: float | None
    size: float | None
    replications: int
    verdict: Literal["offered", "not_offered"]
    reason: str

    @property
    def is_judged(self) -> bool:
        """Tell whether the study saw enough of the pair to say either way."""
        return not self.reason.startswith(("too few replications", "takes more than"))

    @property
    def is_offered(self) -> bool:
        """Tell whether the pair held its level everywhere it was judged."""
        return self.verdict == "offered"


def bucket(n_treated: int) -> Bucket:
    """Give the study's class of a number of treated units."""
    return "1" if n_treated <= 1 else "2-4" if n_treated <= 4 else "5+"


def reliability(
    method: str, options: Mapping[str, str], inference: str, n_treated: int
) -> Reliability | None:
    """Look a pair up; None where the study has no such pair, or as many treated units.

    Parameters
    ----------
    options : mapping of str to str
        All of the method's options, as in ``Effect.options``.
    inference : str
        As in ``Effect.inference``.
    n_treated : int
        Treated units; treated clusters where the design groups units.
    """
    if n_treated > MOST:
        return None
    treated = bucket(n_treated)
    for named in (options, _as_studied(method, options)):
        # A named inference replaces the method's own errors: their kind does not matter then.
        without = {name: one for name, one in named.items() if name != "errors"}
        for each in (named, without):
            found = _table(PATH, method, inference).get((_key(each), treated))
            if found is not None:
                return found
    return None


def _as_studied(method: str, options: Mapping[str, str]) -> Mapping[str, str]:
    """Name the solver that the study took, where another one goes to the same minimum."""
    rule = NUMERICAL.get(method)
    if rule is None or options.get(rule.unique[0]) not in rule.unique[1]:
        return options
    return {**options, rule.option: rule.studied}


def _key(options: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset((name, str(one)) for name, one in options.items() if name not in UNSTUDIED)


@lru_cache(maxsize=256)
def _table(
    path: Path, method: str, inference: str
) -> dict[tuple[frozenset[tuple[str, str]], str], Reliability]:
    # Read whole, the tables would take longer than most of the methods that they judge.
    named = [one for one in _pairs(path) if method in one and inference in one]
    rows = tomllib.loads("".join(named)).get("pair", [])
    return {
        (_key(row["options"]), row["treated"]): Reliability(
            row["treated"],
            row.get("coverage"),
            row.get("size"),
            row["replications"],
            row["verdict"],
            row.get("reason", ""),
        )
        for row in rows
        if (row["method"], row["inference"]) == (method, inference)
    }


@lru_cache(maxsize=2)
def _pairs(path: Path) -> tuple[str, ...]:
    if not path.exists():
        return ()
    mark = "[[pair]]"
    return tuple(mark + one for one in path.read_text(encoding="utf-8").split(mark)[1:])
