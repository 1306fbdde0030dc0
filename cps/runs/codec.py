"""Records to JSON values and back, each field accounted for."""

from __future__ import annotations

import dataclasses
import datetime
import types
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

_PLAIN = frozenset({str, int, float, bool, type(None)})
NOT_STORED = {"is_stored": False}  # metadata of a field that is no part of what is saved


def encode(value: Any) -> Any:
    """Turn records, tuples and paths into JSON values; arrays and other types are refused."""
    kind: Any = type(value)
    if kind in _PLAIN:  # most of what a run holds
        return value
    # A run holds a hundred thousand plain values: they are passed over without a call each.
    if kind is tuple or kind is list:
        return [one if type(one) in _PLAIN else encode(one) for one in value]
    if kind is dict:
        return {str(key): one if type(one) in _PLAIN else encode(one) for key, one in value.items()}
    if (names := _stored_names(kind)) is not None:
        return {
            name: one if type(one := getattr(value, name)) in _PLAIN else encode(one)
            for name in names
        }
    if isinstance(value, Mapping):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encode(one) for one in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()  # a single number of an array library
    raise TypeError(f"{kind.__name__} can't be stored in a run")


@lru_cache(maxsize=256)
def _stored_names(kind: Any) -> tuple[str, ...] | None:
    """Give the fields of a kind of record that are stored; None if it is no record."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple(
        one.name for one in dataclasses.fields(kind) if one.metadata.get("is_stored", True)
    )


def decode(kind: Any, value: Any) -> Any:
    """Turn JSON values back into the records of ``kind``.

    Raises
    ------
    ValueError
        If a field is missing or unknown.
    """
    return _decoder(kind)(value)


@lru_cache(maxsize=256)
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """Give what reads values of one kind; found out once, a run holds thousands of records."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record_decoder(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        records: list[Any] = [one for one in arguments if dataclasses.is_dataclass(one)]
        if not records:
            return _as_is
        read = _decoder(records[0])
        return lambda value: None if value is None else read(value)
    if origin is tuple:
        read = _decoder(arguments[0])
        return tuple if read is _as_is else lambda value: tuple(map(read, value))
    if origin is dict:
        read = _decoder(arguments[1])
        return dict if read is _as_is else lambda value: {k: read(v) for k, v in value.items()}
    return _as_is


def _record_decoder(kind: Any) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    readers = {
        one.name: _decoder(hints[one.name])
        for one in dataclasses.fields(kind)
        if one.metadata.get("is_stored", True)
    }

    def read(value: Any) -> Any:
        if value.keys() != readers.keys():
            raise ValueError(f"{kind.__name__}: fields {sorted(value.keys() ^ readers.keys())}")
        return kind(**{name: readers[name](one) for name, one in value.items()})

    return read


def _as_is(value: Any) -> Any:
    return value
