"""Records to JSON values and back, each field accounted for."""

from __future__ import annotations

import dataclasses
import datetime
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

NOT_STORED = {"is_stored": False}  # metadata of a field that is no part of what is saved


def encode(value: Any) -> Any:
    """Turn records, tuples and paths into JSON values; arrays and other types are refused."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            one.name: encode(getattr(value, one.name))
            for one in dataclasses.fields(value)
            if one.metadata.get("is_stored", True)
        }
    if isinstance(value, Mapping):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encode(one) for one in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()  # a single number of an array library
    raise TypeError(f"{type(value).__name__} can't be stored in a run")


def decode(kind: Any, value: Any) -> Any:
    """Turn JSON values back into the records of ``kind``.

    Raises
    ------
    ValueError
        If a field is missing or unknown.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _stored_fields(kind)
        if set(value) != set(hints):
            raise ValueError(f"{kind.__name__}: fields {sorted(set(value) ^ set(hints))}")
        record: Any = kind
        return record(**{name: decode(hints[name], one) for name, one in value.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        records = [one for one in arguments if dataclasses.is_dataclass(one)]
        return decode(records[0], value) if records and value is not None else value
    if origin is tuple:
        return tuple(decode(arguments[0], one) for one in value)
    if origin is dict:
        return {key: decode(arguments[1], one) for key, one in value.items()}
    return value


@lru_cache(maxsize=256)
def _stored_fields(kind: Any) -> dict[str, Any]:
    # Resolving the hints anew for each of some thousand small records took most of a load.
    hints = typing.get_type_hints(kind)
    return {
        one.name: hints[one.name]
        for one in dataclasses.fields(kind)
        if one.metadata.get("is_stored", True)
    }
