"""What the commands share: languages, dates, sizes, and lines on a terminal."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cps.errors import Text, UsageError, unknown_choice

if TYPE_CHECKING:
    import datetime

LANGUAGES = ("zh", "en")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SPANS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def path(text: str | None) -> Path | None:
    """Give a path, or None where nothing was given."""
    return Path(text) if text else None


def day(text: str | None, option: str) -> datetime.date | None:
    """Read a date.

    Raises
    ------
    UsageError
        If it is none.
    """
    import datetime

    if not text:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            Text(f"“{text}”不是日期", f"{text!r} is no date"),
            where=option,
            mend=Text("按 2025-01-31 的写法", "write it as 2025-01-31"),
        ) from error


def size(text: str | None, option: str) -> int | None:
    """Read a size such as ``4G`` as bytes; None where nothing was given.

    Raises
    ------
    UsageError
        If it is none.
    """
    if not text:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not found or not float(found[1]):
        raise UsageError(
            Text(f"“{text}”不是内存大小", f"{text!r} is no size"),
            where=option,
            mend=Text("按 4G 或 800M 的写法", "write it as 4G or 800M"),
        )
    return int(float(found[1]) * _UNITS[found[2].upper()])


def span(text: str, option: str) -> float:
    """Read a span of time such as ``35d`` as seconds.

    Raises
    ------
    UsageError
        If it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw])", text.strip(), re.IGNORECASE)
    if not found:
        raise UsageError(
            Text(f"“{text}”不是时长", f"{text!r} is no span of time"),
            where=option,
            mend=Text("按 36h、35d 或 5w 的写法", "write it as 36h, 35d or 5w"),
        )
    return float(found[1]) * _SPANS[found[2].lower()]


def positive(value: float, option: str) -> float:
    """Demand a number above zero.

    Raises
    ------
    UsageError
    """
    if not value > 0:
        raise UsageError(
            Text(f"{option} 须大于 0", f"{option} must be above 0"),
            where=f"{option} {value}",
            mend=Text("给出大于 0 的数", "give a number above 0"),
        )
    return value


def languages(text: str) -> tuple[str, ...]:
    """Read languages of pages.

    Raises
    ------
    UsageError
        For one that is not offered.
    """
    from cps.locale import languages as offered

    chosen = listed(text)
    for name in chosen:
        if name not in offered():
            raise unknown_choice(Text("语言", "language"), name, offered(), where="--langs")
    return chosen or LANGUAGES


def listed(text: str) -> tuple[str, ...]:
    """Split at commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def own_language() -> str:
    """Give the language of the surroundings."""
    wanted = os.environ.get("CPS_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if wanted.startswith("zh") else "en"


def say(text: Text, lang: str) -> None:
    """Print a line; a reader that has gone away, or a log on a full disk, is no fault."""
    with contextlib.suppress(OSError):
        print(text.in_language(lang), flush=True)


def language_option() -> argparse.ArgumentParser:
    """Give the parent parser of ``--lang``, which stands before or after the command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--lang",
        choices=LANGUAGES,
        default=argparse.SUPPRESS,  # before or after the command: neither resets the other
        help="language of messages 消息语言",
    )
    return common
