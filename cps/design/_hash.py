"""One hash over everything that a design holds."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np

from cps.design.record import Design
from cps.provenance import sha256_json

_SCALARS = (str, int, float, bool, type(None))


def hash_design(design: Design) -> str:
    """Give the sha256 over every field but the hash itself: arrays by shape, type and bytes."""
    return sha256_json(
        {
            field.name: _plain(getattr(design, field.name))
            for field in dataclasses.fields(design)
            if field.name != "design_hash"
        }
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        # One NaN and one zero: their bits say nothing.
        clean = np.where(np.isnan(value), np.nan, value) + 0.0 if value.dtype == float else value
        digest = hashlib.sha256(np.ascontiguousarray(clean).data).hexdigest()
        return [str(value.dtype), list(value.shape), digest]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        if all(type(one) in _SCALARS for one in value):
            return list(value)
        return [_plain(one) for one in value]
    return value
