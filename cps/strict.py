"""One TOML table read strictly: every fault is named by file and key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cps.errors import CpsError, Text, nearest

_SLUG = re.compile(r"[a-z][a-z0-9_]*")
_TYPE_WORDS: dict[type, Text] = {
    str: Text("文字", "text"),
    bool: Text("true 或 false", "true or false"),
    int: Text("整数", "a whole number"),
    list: Text("列表", "a list"),
    dict: Text("表", "a table"),
}


class Table:
    """One TOML table with the place it stands at, so that each fault can say where."""

    def __init__(self, content: dict[str, Any], where: str, error: type[CpsError]) -> None:
        self.content = content
        self.where = where
        self._error = error

    def fault(self, key: str, what: Text, mend: Text) -> CpsError:
        """Make the error for one key."""
        return self._error(what, where=f"{self.where} › {key}", mend=mend)

    def keys(self, required: list[str], optional: list[str]) -> None:
        """Refuse keys that do not exist, then keys that are missing."""
        known = [*required, *optional]
        for key in self.content:
            self.check_choice(key, key, known, kind=Text("键", "key"))
        for key in required:
            if key not in self.content:
                raise self.fault(
                    key,
                    Text(f"缺少“{key}”", f"the key {key!r} is missing"),
                    Text(f"补上 {key}", f"add {key}"),
                )

    def identifier(self, path: Path) -> str:
        """Give the table's ``id``, which must be the name of its file."""
        identifier = self.slug("id")
        if identifier != path.stem:
            raise self.fault(
                "id",
                Text(
                    f"编号“{identifier}”与文件名不一致",
                    f"the id {identifier!r} is not the file's name",
                ),
                Text(
                    f"编号写为 {path.stem}，或将文件改名为 {identifier}.toml",
                    f"write id = {path.stem!r}, or rename the file to {identifier}.toml",
                ),
            )
        return identifier

    def check_choice(
        self,
        key: str,
        value: str,
        choices: Iterable[str],
        *,
        kind: Text = Text("选项", "choice"),  # noqa: B008 (a frozen record)
    ) -> None:
        """Refuse a value that is none of ``choices``; give the nearest."""
        names = list(choices)
        if value in names:
            return
        near = nearest(value, names)
        raise self.fault(
            key,
            Text(f"没有“{value}”这个{kind.zh}", f"there is no {kind.en} {value!r}"),
            Text(
                (f"是否想写“{near}”？" if near else "") + f"可选：{'、'.join(names)}",
                (f"did you mean {near!r}? " if near else "") + f"choose one of: {', '.join(names)}",
            ),
        )

    def value(self, key: str, kind: type, *, default: Any = None) -> Any:
        """Give a value of exactly this type; ``default`` where the key is absent."""
        if key not in self.content:
            if default is None:
                self.keys([key], list(self.content))
            return default
        value = self.content[key]
        if type(value) is not kind:  # bool is an int to isinstance
            word = _TYPE_WORDS[kind]
            raise self.fault(
                key,
                Text(f"“{value}”不是{word.zh}", f"{value!r} is not {word.en}"),
                Text(f"改为{word.zh}", f"make it {word.en}"),
            )
        return value

    def text(self, key: str, *, default: str | None = None) -> str:
        """Give a text that is not empty and has no spaces at its ends."""
        value = self.value(key, str, default=default)
        if not value.strip() or value != value.strip():
            raise self.fault(
                key,
                Text("文字为空或首尾有空格", "the text is empty, or begins or ends with a space"),
                Text("填写文字，去掉首尾空格", "fill it in, without spaces at its ends"),
            )
        return value

    def slug(self, key: str, *, default: str | None = None) -> str:
        """Give a text that is a plain identifier."""
        value = self.text(key, default=default)
        if not _SLUG.fullmatch(value):
            raise self.fault(
                key,
                Text(f"“{value}”不是英文标识", f"{value!r} is not a plain identifier"),
                Text(
                    "只用小写字母、数字和下划线，以字母开头",
                    "use lower-case letters, digits and _, beginning with a letter",
                ),
            )
        return value

    def choice(self, key: str, choices: Iterable[str], *, default: str | None = None) -> str:
        """Give a text that is one of ``choices``."""
        value = self.text(key, default=default)
        self.check_choice(key, value, choices)
        return value

    def texts(self, key: str, *, default: list[str] | None = None) -> tuple[str, ...]:
        """Give a list of texts, each once."""
        values = self.value(key, list, default=default)
        items = self._items(key, values)
        found = tuple(items.text(name) for name in items.content)
        for number, item in enumerate(found):
            if item in found[:number]:
                raise self.fault(
                    f"{key}[{number + 1}]",
                    Text(f"“{item}”列了两次", f"{item!r} is listed twice"),
                    Text("只留一个", "keep one of them"),
                )
        return found

    def table(self, key: str, *, default: dict[str, Any] | None = None) -> Table:
        """Give a table below this one."""
        return Table(self.value(key, dict, default=default), f"{self.where} › {key}", self._error)

    def bilingual(self, key: str) -> Text:
        """Give ``{ zh = …, en = … }``."""
        table = self.table(key)
        table.keys(["zh", "en"], [])
        return Text(zh=table.text("zh"), en=table.text("en"))

    def rows(self, key: str, *, default: list[Any] | None = None) -> list[Table]:
        """Give a list of tables."""
        values = self.value(key, list, default=default)
        items = self._items(key, values)
        return [items.table(name) for name in items.content]

    def _items(self, key: str, values: list[Any]) -> Table:
        content = {f"{key}[{place}]": item for place, item in enumerate(values, start=1)}
        return Table(content, self.where, self._error)
