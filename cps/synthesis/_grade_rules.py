"""The rules of the grade, read strictly from their file, and the letter that each allows.

Nothing here sees an estimate: a rule is given one :class:`Measured`, which has no sign.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from cps.dropin import read_toml
from cps.errors import Text, UsageError
from cps.provenance import sha256_json

PATH = Path(__file__).parent / "grades.toml"
LETTERS = ("A", "B", "C", "D")
KINDS = ("p_value", "number", "share", "count", "verdict")
_SLACK = 1e-9  # of a threshold, so that 0.05 computed as 1 − 0.95 is 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity without a sign; or None, and why the data do not give it.

    Parameters
    ----------
    value : float or None
        Zero or more.
    numbers : mapping of str to (str or Text)
        What the rule's sentence says, by placeholder.
    reason : Text or None
        Why there is no value, or what else is to be said of it.
    """

    value: float | None
    numbers: Mapping[str, str | Text] = field(default_factory=dict)
    reason: Text | None = None

    def __post_init__(self) -> None:
        """Refuse whatever could carry a sign."""
        if self.value is not None and not self.value >= 0:
            raise ValueError(f"a rule may read no sign: {self.value}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the grade, as ``grades.toml`` has it.

    Parameters
    ----------
    quantity : str
        What it reads.
    shown : {"p_value", "number", "share", "count", "verdict"}
        Kind of the quantity; of a verdict 0 is passed, 1 can't say and 2 failed.
    is_low : bool
        Whether less is better.
    at : dict of letter to threshold
        A, B and perhaps C; without C nothing that can be measured is D.
    missing : str
        The letter allowed where the quantity is not given.
    said : Text
        Sentence with placeholders.
    """

    id: str
    quantity: str
    shown: str
    is_low: bool
    at: dict[str, float]
    missing: str
    name: Text
    said: Text
    why: Text
    source: str

    def allows(self, measured: Measured) -> str:
        """Give the best letter that this quantity allows."""
        value = measured.value
        if value is None:
            return self.missing
        for letter, threshold in self.at.items():
            slack = _SLACK * abs(threshold)
            reaches = value <= threshold + slack if self.is_low else value >= threshold - slack
            if reaches:
                return letter
        return "D" if "C" in self.at else "C"

    def sentence(self, measured: Measured) -> Text:
        """Say what was found, with its numbers; or why nothing was."""
        if measured.value is None:
            return measured.reason or Text("没有这一结果", "there is no such result")
        unknown = sorted(_placeholders(self.said.en) - set(measured.numbers))
        if unknown:
            raise _wrong(
                PATH,
                f"rule {self.id} › said",
                Text(
                    f"没有名为 {unknown[0]} 的数；可用：{', '.join(measured.numbers)}",
                    f"no number is named {unknown[0]}; there are: {', '.join(measured.numbers)}",
                ),
            )
        zh, en = (
            said.format(**{name: _in(one, k) for name, one in measured.numbers.items()})
            for k, said in enumerate((self.said.zh, self.said.en))
        )
        if measured.reason is None:
            return Text(zh, en)
        return Text(f"{zh}；{measured.reason.zh}", f"{en}; {measured.reason.en}")


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules with their words.

    Parameters
    ----------
    names, meanings : dict of letter to Text
    readings : dict of str to Text
        What is known of the effect, in words, with the placeholders ``level``, ``interval``
        and ``material``.
    material_share : float
        Share of the outcome that a change must reach to matter.
    replication_level : float
    threats : tuple of str
        Checks counted together.
    repairs : frozenset of str
        Codes of findings on corrected or doubtful figures.
    sha256 : str
        Over everything in the file, comments aside.
    """

    version: str
    rules: tuple[Rule, ...]
    names: dict[str, Text]
    meanings: dict[str, Text]
    readings: dict[str, Text]
    material_share: float
    replication_level: float
    threats: tuple[str, ...]
    repairs: frozenset[str]
    sha256: str


def load_rules(path: Path = PATH) -> Rules:
    """Read the rules of a file.

    Raises
    ------
    UsageError
        If a key is missing, unknown or of the wrong type, or thresholds are out of order.
    """
    return _load(path, path.stat().st_mtime_ns if path.exists() else 0)


def worst(letters: Mapping[str, str]) -> str:
    """Give the worst of several letters, A if there are none."""
    return max(letters.values(), default="A", key=LETTERS.index)


@lru_cache(maxsize=8)
def _load(path: Path, changed: int) -> Rules:
    # ``changed`` is the file's own time: an edited file is read again.
    given = read_toml(path)
    _require_keys(given, tuple(_FILE), path, "")
    _require_kinds(given, _FILE, path, "")
    rules = tuple(_rule(one, path, place) for place, one in enumerate(given["rule"], 1))
    twice = sorted({one.id for one in rules if sum(one.id == two.id for two in rules) > 1})
    if twice:
        raise _wrong(path, "rule", Text(f"“{twice[0]}”有两条", f"{twice[0]!r} is there twice"))
    for letter in LETTERS:
        _require_keys(given["letters"].get(letter, {}), ("name", "meaning"), path, letter)
    return Rules(
        version=given["version"],
        rules=rules,
        names={one: _text(given["letters"][one]["name"], path, one) for one in LETTERS},
        meanings={one: _text(given["letters"][one]["meaning"], path, one) for one in LETTERS},
        readings={name: _text(one, path, name) for name, one in given["readings"].items()},
        material_share=float(given["material_share"]),
        replication_level=float(given["replication_level"]),
        threats=tuple(given["threats"]),
        repairs=frozenset(given["repairs"]),
        sha256=sha256_json(given),
    )


_FILE = {
    "version": "text",
    "material_share": "number",
    "replication_level": "number",
    "threats": "texts",
    "repairs": "texts",
    "letters": "table",
    "readings": "table",
    "rule": "tables",
}
_RULE = ("id", "quantity", "shown", "better", "A", "B", "missing", "name", "said", "why", "source")
_RULE_KINDS = {
    **dict.fromkeys(("id", "quantity", "shown", "better", "missing", "source"), "text"),
    **dict.fromkeys(("A", "B", "C"), "number"),
}
_NOUNS = {
    "text": Text("文字", "a text"),
    "number": Text("有限的数", "a finite number"),
    "texts": Text("文字的列表", "a list of texts"),
    "table": Text("表", "a table"),
    "tables": Text("一组表", "a list of tables"),
}


def _rule(given: Mapping[str, Any], path: Path, place: int) -> Rule:
    where = f"rule {given.get('id', place)}"
    _require_keys({name: one for name, one in given.items() if name != "C"}, _RULE, path, where)
    _require_kinds(given, _RULE_KINDS, path, where)
    for name, choices in (
        ("shown", KINDS),
        ("better", ("low", "high")),
        ("missing", LETTERS),
    ):
        if given[name] not in choices:
            listed = ", ".join(choices)
            raise _wrong(
                path,
                f"{where} › {name}",
                Text(f"只能是 {listed} 之一", f"must be one of {listed}"),
            )
    at = {letter: float(given[letter]) for letter in LETTERS[:3] if letter in given}
    is_low = given["better"] == "low"
    ordered = sorted(at.values(), reverse=not is_low)
    if list(at.values()) != ordered or min(at.values()) < 0:
        raise _wrong(
            path,
            f"{where} › A, B, C",
            Text(
                "门槛须由严到宽，且不为负", "thresholds must go from strict to lax, none below zero"
            ),
        )
    return Rule(
        id=given["id"],
        quantity=given["quantity"],
        shown=given["shown"],
        is_low=is_low,
        at=at,
        missing=given["missing"],
        source=given["source"],
        **{name: _text(given[name], path, f"{where} › {name}") for name in ("name", "said", "why")},
    )


def _text(given: Any, path: Path, where: str) -> Text:
    _require_keys(given, ("zh", "en"), path, where)
    _require_kinds(given, {"zh": "text", "en": "text"}, path, where)
    text = Text(given["zh"], given["en"])
    try:
        is_alike = _placeholders(text.zh) == _placeholders(text.en)
    except ValueError as error:
        raise _wrong(
            path, where, Text(f"占位符有误：{error}", f"a placeholder: {error}")
        ) from error
    if not is_alike:
        raise _wrong(
            path,
            where,
            Text("中英文的占位符不同", "the two languages have different placeholders"),
        )
    return text


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _require_keys(given: Any, names: tuple[str, ...], path: Path, where: str) -> None:
    found = set(given) if isinstance(given, Mapping) else set()
    missing, unknown = sorted(set(names) - found), sorted(found - set(names))
    if missing:
        raise _wrong(path, where, Text(f"缺少 {missing[0]}", f"{missing[0]} is missing"))
    if unknown:
        listed = ", ".join(names)
        raise _wrong(
            path,
            where,
            Text(
                f"不认识 {unknown[0]}；可用：{listed}",
                f"{unknown[0]} is unknown; there are: {listed}",
            ),
        )


def _require_kinds(
    given: Mapping[str, Any], kinds: Mapping[str, str], path: Path, where: str
) -> None:
    for name, kind in kinds.items():
        if name in given and not _is_kind(given[name], kind):
            noun = _NOUNS[kind]
            raise _wrong(
                path,
                f"{where} › {name}" if where else name,
                Text(f"应为{noun.zh}", f"it must be {noun.en}"),
            )


def _is_kind(value: Any, kind: str) -> bool:
    if kind == "number":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and abs(value) < math.inf
    if kind in ("texts", "tables"):
        each = "text" if kind == "texts" else "table"
        return isinstance(value, list) and all(_is_kind(one, each) for one in value)
    return isinstance(value, str if kind == "text" else Mapping)


def _wrong(path: Path, where: str, what: Text) -> UsageError:
    return UsageError(
        what,
        where=f"{path.name} › {where}" if where else path.name,
        mend=Text(
            "照 docs/grades.md 改正规则文件", "correct the file of rules after docs/grades.md"
        ),
    )


def _in(one: str | Text, language: int) -> str:
    return one if isinstance(one, str) else (one.zh, one.en)[language]
