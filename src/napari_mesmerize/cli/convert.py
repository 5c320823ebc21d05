"""The commands that go through frames: convert, images."""

import re
from pathlib import Path
from typing import Annotated

import typer

from napari_mesmerize.cli.app import File, Json, Memory, Overwrite, Rate, Selection, app
from napari_mesmerize.cli.options import open_recording, to_bytes
from napari_mesmerize.cli.output import print_json, print_line, progress_bars
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io import WRITERS, write_recording
from napari_mesmerize.transforms.lazy import downsample
from napari_mesmerize.transforms.projections import KINDS, project


@app.command()
def convert(
    file: File,
    out: Annotated[
        Path,
        typer.Argument(help=f"Result; its name ends in one of {', '.join(WRITERS)}."),
    ],
    selection: Selection = "",
    frames: Annotated[
        str,
        typer.Option(help="Frames FIRST:STOP, from 0 and without STOP; default all."),
    ] = "",
    rows: Annotated[str, typer.Option(help="Rows to keep, FIRST:STOP.")] = "",
    columns: Annotated[str, typer.Option(help="Columns to keep, FIRST:STOP.")] = "",
    bin_time: Annotated[
        int, typer.Option(help="Number of frames that are averaged into one.", min=1)
    ] = 1,
    bin_space: Annotated[
        int,
        typer.Option(
            help="Side of the squares that are averaged into one pixel.", min=1
        ),
    ] = 1,
    frame_rate: Rate = 0.0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a recording, or a part of it, in another format."""
    recording = open_recording(file, selection, frame_rate)
    parts = {"frame": frames, "y": rows, "x": columns}
    recording = recording.isel(
        {dim: _range(text, recording.sizes[dim], dim) for dim, text in parts.items()}
    )
    if bin_time > 1 or bin_space > 1:
        recording = downsample(recording, time=bin_time, space=bin_space)
    with progress_bars() as progress:
        write_recording(recording, out, overwrite=overwrite, progress=progress)
    shape = list(recording.shape)
    if as_json:
        print_json({"out": str(out), "shape": shape})
    else:
        print_line(f"{shape[0]} frames of {shape[-2]} x {shape[-1]} written: {out}")


@app.command()
def images(
    file: File,
    out: Annotated[Path, typer.Argument(help="Folder for the images (.tif).")],
    kinds: Annotated[
        str, typer.Option(help=f"Comma-separated list of: {','.join(KINDS)}.")
    ] = ",".join(KINDS),
    selection: Selection = "",
    max_memory: Memory = 0.0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write images that summarise a recording, such as its mean."""
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    recording = open_recording(file, selection, 0.0)
    with progress_bars() as progress:
        found = project(
            recording,
            wanted,
            max_memory=to_bytes(max_memory),
            progress=progress,
        )
    out.mkdir(parents=True, exist_ok=True)
    facts = {name: recording.attrs[name] for name in ("pixel_size_um", "z_step_um")}
    written = [
        write_recording(
            as_recording(image[None], **facts), out / f"{kind}.tif", overwrite=overwrite
        )
        for kind, image in found.items()
    ]
    if as_json:
        print_json({"images": [str(path) for path in written]})
    else:
        print_line(f"Written: {', '.join(map(str, written))}")


def _range(text: str, length: int, dim: str) -> slice:
    """Return the slice that FIRST:STOP means, which must lie within an axis.

    Raises
    ------
    ParameterError
        If it does not.
    """
    if not text:
        return slice(0, length)
    match = re.fullmatch(r"(\d*):(\d*)", text.strip())
    first = int(match[1] or 0) if match else 0
    stop = int(match[2] or length) if match else 0
    if not 0 <= first < stop <= length:
        raise ParameterError(
            f"'{text}' is no part of the axis {dim}, which has {length}; give "
            f"FIRST:STOP, such as 0:{length}."
        )
    return slice(first, stop)
