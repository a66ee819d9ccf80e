"""HTML as text. Everything that is not markup is escaped: most of it, such as names of categories, is external data."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_VOID = frozenset({"meta", "br"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element. Children that are not Markup become escaped text. None is left out.

    In the name of an attribute `_` stands for `-`. An underscore at its end is left out, as in `class_`.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[object]) -> Markup:
    """Return the children one after another."""
    return Markup(
        "".join(each if isinstance(each, Markup) else escape(str(each)) for each in children if each is not None)
    )
