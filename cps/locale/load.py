"""Read a language: its file of vocabulary, the sections' own prose, and English where absent."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from cps.dropin import read_toml
from cps.errors import Text, UsageError, nearest, unknown_choice
from cps.locale.words import NumberFormat, Words

FOLDER = Path(__file__).parent
FALLBACK = "en"
Prose = Mapping[str, Mapping[str, Mapping[str, str]]]  # section -> language -> key -> text


def languages(folder: Path = FOLDER) -> tuple[str, ...]:
    """List the languages: those of the package and those whose file lies in ``folder``."""
    return tuple(sorted({path.stem for home in (FOLDER, folder) for path in home.glob("*.toml")}))


def load_words(language: str, *, sections: Prose | None = None, folder: Path = FOLDER) -> Words:
    """Read the words of one language.

    A text that the language lacks is English; a language that has none of a section's prose in
    its module may carry it in its file, under ``[sections.<name>]``.

    Parameters
    ----------
    language : str
        Name of a locale file without ``.toml``.
    sections : mapping of section name to language to key to text
        The prose that lives with the sections.
    folder : Path
        Where a further language's file lies.

    Raises
    ------
    UsageError
        If there is no such language, a key has two homes or is unknown, or a text's placeholders
        are not those of the English text.
    """
    if language not in languages(folder):
        raise unknown_choice(
            Text("语言", "language"), language, languages(folder), where="language"
        )
    path = folder / f"{language}.toml"
    path = path if path.exists() else FOLDER / f"{language}.toml"
    english_file = read_toml(FOLDER / f"{FALLBACK}.toml")
    english = _texts(english_file, sections or {}, FALLBACK, FOLDER / f"{FALLBACK}.toml")
    own_file = read_toml(path)
    own = english if language == FALLBACK else _texts(own_file, sections or {}, language, path)
    if sections is not None:
        _require_same_shape(own, english, path)
    head = own_file["language"]
    formats = {**english_file["numbers"], **own_file.get("numbers", {})}
    return Words(
        language=language,
        tag=head["tag"],
        name=head["name"],
        texts={**english, **own},
        prose={kind: _format(one, "prose") for kind, one in formats.items()},
        cells={kind: _format(one, "cell") for kind, one in formats.items()},
    )


def placeholders(text: str) -> frozenset[str]:
    """Give the names in braces in a text.

    Examples
    --------
    >>> sorted(placeholders("{n} of {total}"))
    ['n', 'total']
    """
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def _texts(file: Mapping[str, Any], sections: Prose, language: str, path: Path) -> dict[str, str]:
    vocabulary = {
        key: one for key, one in file.items() if key not in ("language", "numbers", "sections")
    }
    texts = dict(_flat(vocabulary))
    homes = [("sections", dict(_flat(file.get("sections", {}))))]
    homes += [
        (name, {f"{name}.{key}": text for key, text in prose.get(language, {}).items()})
        for name, prose in sections.items()
    ]
    for home, found in homes:
        for key, text in found.items():
            if key in texts:
                raise UsageError(
                    Text(f"文字“{key}”有两处来源", f"the text {key!r} has two homes"),
                    where=f"{path} › {home}",
                    mend=Text("删去其中一处", "delete one of them"),
                )
            texts[key] = text
    return texts


def _require_same_shape(own: Mapping[str, str], english: Mapping[str, str], path: Path) -> None:
    for key, text in own.items():
        if key not in english:
            near = nearest(key, english)
            raise UsageError(
                Text(f"没有名为“{key}”的文字", f"there is no text named {key!r}"),
                where=str(path),
                mend=Text(
                    f"最接近的是“{near}”" if near else "删去该条",
                    f"the nearest is {near!r}" if near else "delete it",
                ),
            )
        if placeholders(text) != placeholders(english[key]):
            wanted = ", ".join(sorted(placeholders(english[key]))) or "-"
            raise UsageError(
                Text(
                    f"文字“{key}”的占位符与英文不同",
                    f"the placeholders of {key!r} are not those of the English text",
                ),
                where=str(path),
                mend=Text(f"应为：{wanted}", f"they are: {wanted}"),
            )


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _format(entry: Mapping[str, Any], place: str) -> NumberFormat:
    style = entry[place]
    return NumberFormat(
        step=Decimal(entry["step"]),
        per=Decimal(style.get("per", "1")),
        decimals=style["decimals"],
        suffix=style.get("suffix", ""),
        is_suffix_repeated=style.get("is_suffix_repeated", False),
    )
