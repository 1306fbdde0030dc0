"""Imports put off until somebody needs them, for what others import and hardly ever use."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """A module that is loaded when the first name in it is looked up.

    As ``importlib.util.LazyLoader``'s, but its place in the file system can be read before: a
    kernel that begins asks every module for that.
    """

    def __getattr__(self, name: str) -> Any:
        spec: ModuleSpec | None = self.__dict__["__spec__"]
        if spec is None or spec.loader is None or (name.startswith("__") and name != "__all__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        try:
            spec.loader.exec_module(self)
        except BaseException:
            self.__class__ = _Later
            raise
        return getattr(self, name)


def put_off(name: str) -> None:
    """Have ``import name`` load nothing until a name in it is looked up; it may be missing."""
    if name in sys.modules:
        return
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return
    if spec is None or spec.loader is None:
        return
    module = _Later(name)
    for attribute, value in vars(importlib.util.module_from_spec(spec)).items():
        setattr(module, attribute, value)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Have imports of ``names`` fail for a while: who can do without does without for good."""
    gone = [name for name in names if name not in sys.modules]
    for name in gone:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in gone:
            del sys.modules[name]
