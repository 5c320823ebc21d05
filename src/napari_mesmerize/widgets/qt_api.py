"""What the stubs of Qt leave open."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return what Qt's stubs call optional and what is there by construction.

    Use it for parts that a widget always has, such as ``table.verticalHeader()``; ask
    for ``None`` where a part can be missing, such as an empty cell of a table.

    Raises
    ------
    RuntimeError
        If it is missing all the same: a bug of the caller.
    """
    if value is None:
        raise RuntimeError("A part of a Qt widget is missing that it always has.")
    return value
