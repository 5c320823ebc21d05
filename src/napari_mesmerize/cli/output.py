"""What the commands print: tables and progress for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table

from napari_mesmerize.history import json_safe
from napari_mesmerize.progress import Progress

T = TypeVar("T")


def print_json(result: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output."""
    sys.stdout.write(json.dumps(json_safe(result), indent=1, ensure_ascii=False) + "\n")


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Sequence[str] = (),
) -> None:
    """Write a table to standard output; columns named in ``right`` hold numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    Console().print(table)


def print_line(text: str) -> None:
    """Write a line to standard output."""
    Console(highlight=False).print(text, markup=False, soft_wrap=True)


def print_error(text: str) -> None:
    """Write what went wrong to standard error."""
    _print_paragraph("Error:", "bold red", text)


def print_warning(text: str) -> None:
    """Write what the user should know to standard error."""
    _print_paragraph("Warning:", "bold yellow", text)


def _print_paragraph(head: str, style: str, text: str) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(head, style=style, end=" ")
    console.print(text, markup=False, soft_wrap=not console.is_terminal)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Show a computation's steps as bars on standard error, if it is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:

        def progress(
            iterable: Iterable[T], *, desc: str = "", total: int | None = None
        ) -> Iterable[T]:
            return bars.track(iterable, total=total, description=desc)

        yield progress


def seconds(value: float) -> str:
    """Return seconds as people read them."""
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min {rest} s"
    )


def size(n_bytes: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"
