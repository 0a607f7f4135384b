# SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`frozen`, for all classes whose instances are values: `attrs.frozen`, with the methods that are alike written once.

attrs writes them anew for each class and keeps their text for debuggers: 9 KiB a class, and there are two hundred. What
a class has already it leaves out, so each is given these. Of what it still makes for each, two things go, 5 KiB: the
text of `__init__`, and a class of tuples whose one instance lists the fields, so that they can be had from it by name.
"""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from attrs import frozen
else:

    def frozen(cls: type | None = None, /, *, kw_only: bool = False) -> Any:
        """As `attrs.frozen`."""

        def made(cls: type) -> type:
            for name, method in _ALIKE.items():
                if name not in vars(cls):
                    setattr(cls, name, method)
            value: Any = attrs.frozen(cls, kw_only=kw_only)
            value.__attrs_attrs__ = tuple(value.__attrs_attrs__)
            linecache.cache.pop(value.__init__.__code__.co_filename, None)
            return value

        return made if cls is None else made(cls)


__all__ = ["frozen"]


def _compared(one: Any) -> tuple[object, ...]:
    return tuple(getattr(one, field.name) for field in one.__attrs_attrs__ if field.eq)


def _equals(self: Any, other: Any) -> bool:
    return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hashed(self: Any) -> int:
    return hash((self.__class__, _compared(self)))


def _shown(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in self.__attrs_attrs__ if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _state(self: Any) -> dict[str, object]:
    return {field.name: getattr(self, field.name) for field in self.__attrs_attrs__}


def _restore(self: Any, state: dict[str, object]) -> None:
    for name, value in state.items():
        object.__setattr__(self, name, value)


_ALIKE = {
    "__eq__": _equals,
    "__hash__": _hashed,
    "__repr__": _shown,
    "__getstate__": _state,
    "__setstate__": _restore,
}
