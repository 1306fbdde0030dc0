"""Names of villages: which may be written, which are known, what they were called before."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from cps.dropin import read_toml
from cps.errors import LedgerError, Text, UsageError
from cps.ledger._log import visible, without_personal
from cps.ledger.cells import normal
from cps.ledger.containers.record import Unreadable
from cps.ledger.containers.text import check_text, decode

# Han characters with their extensions, ASCII letters and digits, middle dots, brackets, hyphen.
_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_ALLOWED = re.compile(f"[{_HAN}A-Za-z0-9][{_HAN}A-Za-z0-9·•・.\\-()、 ]*$")
_LETTER = re.compile(f"[{_HAN}A-Za-z]")
_BETWEEN_HAN = re.compile(f"(?<=[{_HAN}]) +| +(?=[{_HAN}])")
_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BREAK = re.compile(f"[\\n\\r](?![{_HAN}])|(?<![{_HAN}])[\\n\\r]")
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{one}{n}" for one in ("COM", "LPT") for n in range(10))}
_LONGEST = 40
ALLOWED = Text(
    "村名只用汉字、字母、数字、间隔号与括号",
    "names hold Chinese characters, letters, digits, middle dots and brackets only",
)


@dataclass(frozen=True, slots=True)
class Name:
    """A name as read: what it is, or why it can be none, and whether it was tidied."""

    name: str
    problem: Text | None = None
    was_tidied: bool = False


def read_name(text: str) -> Name:
    """Read a village's name: what would act in a page, sheet, path or terminal is refused.

    Examples
    --------
    >>> read_name("桃源\\n村")
    Name(name='桃源村', problem=None, was_tidied=True)
    >>> read_name("=1+1").problem.en
    "'=1+1' can be no name: '='"
    """
    if _DIRECTION.search(text):
        return Name("", _odd(text, "U+202E …", Text("改变文字方向的字符", "changes direction")))
    name = _BETWEEN_HAN.sub("", normal(text))
    tidied = bool(_HIDDEN.search(text)) or "".join(text.split()) != text.strip()
    if not name:
        return Name("", Text("没有村名", "no name is given"))
    if len(name) > _LONGEST:
        return Name("", Text(f"名称有 {len(name)} 个字", f"a name of {len(name)} characters"))
    if not _ALLOWED.match(name) or ".." in name:
        bad = next((one for one in name if not _ALLOWED.match(f"村{one}")), name[0])
        shown = repr(bad) if bad.isprintable() else f"U+{ord(bad):04X}"
        return Name("", _odd(text, shown, Text("", "")))
    if _BREAK.search(text.strip()) or name.upper().rstrip(".") in _DEVICES:
        return Name("", _odd(text, "", Text("：换行或系统保留名", "a line break or reserved name")))
    if not _LETTER.search(name):
        return Name("", Text(f"“{name}”不是村名", f"{name!r} is no name"))
    return Name(name, was_tidied=tidied and bool(re.search(f"[{_HAN}]", name)))


def read_private_name(text: str) -> tuple[Name, bool]:
    """Read a name after taking personal data off it; tell whether there was any."""
    bare = without_personal(text, "")
    return read_name(bare), bare != text


def tidied(name: str) -> Text:
    """Say that a name was tidied, and to what."""
    return Text(
        f"村名中的换行、空格或看不见的字符已去掉，读作“{name}”",
        f"breaks, blanks or unseen characters were taken out: {name}",
    )


def _odd(text: str, what: str, why: Text) -> Text:
    shown = visible(text)[:40]
    return Text(
        f"名称“{shown}”含有不允许的字符 {what}{why.zh}", f"{shown!r} can be no name: {what}{why.en}"
    )


@dataclass(slots=True)
class Registry:
    """The villages that are known.

    Parameters
    ----------
    path : Path
    units : dict of name to (valid from, valid to), either None
    aliases : dict of other name to name
    successors : dict of name to the village that it became
    areas : dict of name to town or subdistrict, or None
    odd : list of (line, name)
        Entries that can be no name; they are not used.
    """

    path: Path
    units: dict[str, tuple[datetime.date | None, datetime.date | None]] = field(
        default_factory=dict
    )
    aliases: dict[str, str] = field(default_factory=dict)
    successors: dict[str, str] = field(default_factory=dict)
    areas: dict[str, str | None] = field(default_factory=dict)
    odd: list[tuple[int, str]] = field(default_factory=list)

    def unit(self, name: str) -> str | None:
        """Give the village that a name stands for, or None."""
        return name if name in self.units else self.aliases.get(name)

    def suggestion(self, name: str) -> str | None:
        """Give the known name that ``name`` was most likely meant to be."""
        return nearest_name(name, [*self.units, *self.aliases])


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Give the most alike of the known names, if it is alike at all."""
    typed = name.translate(str.maketrans("OolI〇", "00110"))
    best, score = None, 0.49
    for one in known:
        if one in (typed, name.removesuffix("村"), f"{name}村"):
            return one
        ratio = SequenceMatcher(None, name, one).ratio()
        if ratio > score:
            best, score = one, ratio
    return best


def load_registry(path: Path) -> Registry:
    """Read a registry of villages: TOML as ``data/units.toml``, or a table of shape E.

    The table has ``code, name, aliases (with |), valid_from, valid_to, successor``.

    Raises
    ------
    UsageError, LedgerError
        If it is missing, or not of this form.
    """
    if path.suffix.lower() == ".toml":
        return _from_toml(path)
    try:
        raw = path.read_bytes()
        text, _ = decode(raw)
        check_text(text.replace("\0", "\\0").replace("\ufffd", "?"))
    except OSError as error:
        raise UsageError(
            Text("找不到村名册", "there is no such registry of villages"),
            where=visible(str(path)),
            mend=Text("检查 --units 的路径", "check the path given to --units"),
        ) from error
    except Unreadable as error:
        raise LedgerError(
            error.remark.what, where=visible(str(path)), mend=error.remark.mend
        ) from error
    return _from_table(path, text)


def _from_table(path: Path, text: str) -> Registry:
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [normal(one).lower() for one in next(reader, [])]
    places = {
        role: next((header.index(one) for one in names if one in header), None)
        for role, names in _COLUMNS.items()
    }
    if places["name"] is None:
        raise LedgerError(
            Text("村名册缺少 name（村名）列", "the registry has no column name"),
            where=visible(str(path)),
            mend=Text(
                "表头应为 code,name,aliases,valid_from,valid_to,successor",
                "its header is code,name,aliases,valid_from,valid_to,successor",
            ),
        )
    registry = Registry(path)
    for row in reader:
        given = {
            role: row[at].strip() if at is not None and at < len(row) else ""
            for role, at in places.items()
        }
        if not any(given.values()):
            continue
        read = read_name(given["name"])
        if read.problem is not None:
            registry.odd.append((reader.line_num, given["name"]))
            continue
        registry.units[read.name] = (_date(given["valid_from"]), _date(given["valid_to"]))
        registry.areas[read.name] = given["area"] or None
        for alias in re.split(r"[|、;；]", given["aliases"]):
            other = read_name(alias)
            if other.name:
                registry.aliases[other.name] = read.name
        if given["successor"]:
            registry.successors[read.name] = read_name(given["successor"]).name
    for alias in list(registry.aliases):
        if alias in registry.units:
            del registry.aliases[alias]
    return registry


_COLUMNS = {
    "name": ("name", "村名", "名称", "行政村"),
    "aliases": ("aliases", "别名", "曾用名"),
    "valid_from": ("valid_from", "启用", "起"),
    "valid_to": ("valid_to", "停用", "止"),
    "successor": ("successor", "并入", "后继"),
    "area": ("area", "镇街", "乡镇", "街道"),
}


def _date(text: str) -> datetime.date | None:
    match = re.match(r"(\d{4})(?:[-./年](\d{1,2}))?", text)
    if not match or not 1 <= int(match[2] or 1) <= 12:
        return None
    return datetime.date(int(match[1]), int(match[2] or 1), 1)


def _from_toml(path: Path) -> Registry:
    file = read_toml(path)
    registry = Registry(path)
    try:
        for area in file.get("area", []):
            for unit in area["units"]:
                registry.units[normal(unit)] = (None, None)
                registry.areas[normal(unit)] = area.get("name")
        for one in file.get("alias", []):
            registry.aliases[normal(one["name"])] = normal(one["unit"])
        for one in file.get("rename", []):
            old, new = normal(one["old"]), normal(one["new"])
            if old not in registry.units:
                # Its rows are the new unit's from the start; a day of change ends the old name.
                registry.units[old] = (None, None)
                registry.areas[old] = registry.areas.get(new)
            registry.successors[old] = new
    except (KeyError, TypeError) as error:
        raise UsageError(
            Text("不是村名对照表", "not a crosswalk of unit names"),
            where=visible(str(path)),
            mend=Text("参照 data/units.toml 的写法", "write it as data/units.toml is written"),
        ) from error
    return registry
