"""Messages in three parts: what is wrong, where it stands, how to mend it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["reject", "warn", "note"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in Chinese and in English, with the same numbers in both."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        """Give the sentence in ``language``; a language without prose of its own reads English."""
        return self.zh if language.startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a reader of the result must know, with a stable code.

    Parameters
    ----------
    code : str
        ``E-…`` rejects the input, ``W-…`` warns, ``N-…`` tells what was normalised.
    severity : {"reject", "warn", "note"}
    what, mend : Text
        What is wrong (or was done), and how to mend it.
    where : str
        Place as its keeper would look for it: ``file › sheet › cell (column, village)``.
    value : str or None
        The value as it stands in the source.
    count : int
        How many times the same thing was found; ``where`` then names the first.
    file, sheet, cell, line, column : str, str, str, int, str or None
        The parts of ``where``, as far as it has them; ``line`` counts from 1.
    """

    code: str
    severity: Severity
    what: Text
    where: str
    mend: Text
    value: str | None = None
    count: int = 1
    file: str | None = None
    sheet: str | None = None
    cell: str | None = None
    line: int | None = None
    column: str | None = None


class CpsError(Exception):
    """A fault that the user can mend; never a fault of the package's own."""

    exit_code = 2

    def __init__(
        self, what: Text, *, where: str, mend: Text, findings: Iterable[Finding] = ()
    ) -> None:
        self.what = what
        self.where = where
        self.mend = mend
        self.findings = tuple(findings)
        super().__init__(what.en)

    def message(self, language: str = "en") -> str:
        """Give the three parts as text for a terminal."""
        words = ("位置", "处理") if language.startswith("zh") else ("where", "mend ")
        return (
            f"{type(self).__name__}: {self.what.in_language(language)}\n"
            f"  {words[0]}: {self.where}\n"
            f"  {words[1]}: {self.mend.in_language(language)}"
        )

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in place of a traceback: the message is for the notebook's user.
        return [self.message("zh"), self.message("en")]

    def __str__(self) -> str:
        return self.message(os.environ.get("CPS_LANG", "en"))


class UsageError(CpsError):
    """A name, option or parameter that does not exist or has the wrong type."""

    exit_code = 2


class LedgerError(CpsError):
    """A ledger file, or a value in it, that cannot be read without guessing."""

    exit_code = 5


class PanelError(CpsError):
    """Rows that do not make a panel."""

    exit_code = 5


class InitiativeError(CpsError):
    """An initiative file that is incomplete or contradicts itself or the panel."""

    exit_code = 5


class SchemeError(CpsError):
    """A scheme file that is incomplete or contradicts itself, the facts or its ledgers."""

    exit_code = 5


class DesignError(CpsError):
    """A comparison that cannot identify an effect with the data given."""

    exit_code = 5


class RunError(CpsError):
    """A run folder or a notebook run that is missing, damaged or failed."""

    exit_code = 3


class StorageError(CpsError):
    """A folder, disk, kernel or environment that can't be used for a run."""

    exit_code = 2


class LockedError(CpsError):
    """Another run holds the output folder."""

    exit_code = 4


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Give the choice that ``name`` was most likely meant to be, or None."""
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return found[0] if found else None


def unknown_choice(kind: Text, name: str, choices: Iterable[str], *, where: str) -> UsageError:
    """Make the error for a name that is none of ``choices``; lists them and the nearest one."""
    names = sorted(choices)
    near = nearest(name, names)
    hint_zh = f"是否想写“{near}”？" if near else ""
    hint_en = f"did you mean {near!r}? " if near else ""
    return UsageError(
        Text(f"没有名为“{name}”的{kind.zh}", f"there is no {kind.en} named {name!r}"),
        where=where,
        mend=Text(
            f"{hint_zh}可选：{'、'.join(names)}", f"{hint_en}choose one of: {', '.join(names)}"
        ),
    )


def require_seed(seed: int, *, where: str = "seed=…") -> int:
    """Give the seed back if it is zero or more; no generator of random numbers starts below."""
    if seed < 0:
        raise UsageError(
            Text(f"随机种子不能为负：{seed}", f"a seed can't be negative: {seed}"),
            where=where,
            mend=Text("写 0 或正整数", "give 0 or a positive whole number"),
        )
    return seed
