"""What a file holds, as a tree: sessions, units, channels, a line per recording."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from napari_mesmerize.cli.output import seconds, size
from napari_mesmerize.io import RecordingInfo


def print_tree(file: Path, found: Sequence[RecordingInfo]) -> None:
    """Write a tree of recordings to standard output; lines are never cut.

    Parameters
    ----------
    file : pathlib.Path
        What was looked into.
    found : sequence of RecordingInfo
        What is in it; the parts of their ``selection`` are the branches.
    """
    tree = Tree(f"[bold]{escape(str(file))}[/bold]")
    branches: dict[str, Tree] = {"": tree}
    for info in found:
        *above, leaf = info.selection.split("/")
        at = ""
        for part in above:
            parent, at = branches[at], f"{at}/{part}"
            if at not in branches:
                branches[at] = parent.add(escape(part))
        branches[at].add(Text(f"{leaf}  {describe(info, file)}"))
    console = Console(highlight=False)
    console.width = max(console.width, 10_000)
    console.print(tree, no_wrap=True, crop=False, soft_wrap=True)
    readable = [info for info in found if not info.problem]
    if len(readable) > 1:
        last = readable[-1].selection
        console.print(Text(f"Name one by its path, such as --selection '{last}'."))


def describe(info: RecordingInfo, file: Path) -> str:
    """Return the facts of a recording in a line; or why it can not be opened."""
    if info.problem:
        return info.problem
    planes = f"{info.shape[1]} planes, " if len(info.shape) == 4 else ""
    parts = [
        f"{info.n_frames} {'frame' if info.n_frames == 1 else 'frames'}, {planes}"
        f"{info.shape[-2]} x {info.shape[-1]} px",
        info.dtype,
        size(info.n_bytes),
    ]
    if info.n_frames > 1 and info.frame_rate and info.duration_s:
        parts += [f"{info.frame_rate:.4g} Hz", seconds(info.duration_s)]
    elif info.n_frames > 1:
        parts.append("frame rate unknown")
    if info.pixel_size_um:
        y, x = (f"{side:.3g}" for side in info.pixel_size_um)
        parts.append(f"pixel {x} um" if x == y else f"pixel {y} x {x} um")
    if info.z_step_um:
        parts.append(f"planes {info.z_step_um:.3g} um apart")
    parts += [info.date] if info.date else []
    return _own_name(info, file) + ", ".join(parts)


def _own_name(info: RecordingInfo, file: Path) -> str:
    """Return the name of a recording, if it says more than file and selection do."""
    known = {file.stem, *file.name.split("."), *info.selection.split("/")}
    known |= {"/".join(info.selection.split("/")[:n]) for n in range(1, 4)}
    new = [part for part in info.name.split() if part not in known]
    channel = info.channel or ""
    said = info.name if new and " ".join(new) != channel else ""
    shown = said or (channel if channel not in info.selection else "")
    return f"({shown})  " if shown else ""
