"""The commands that only look: info, signals, project, doctor."""

from pathlib import Path
from typing import Annotated

import typer

from napari_mesmerize.cli.app import File, Json, Rate, Selection, app, project_app
from napari_mesmerize.cli.doctor import examine
from napari_mesmerize.cli.listing import print_tree
from napari_mesmerize.cli.output import print_json, print_line, print_table, seconds
from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import RecordingInfo, list_recordings, list_signals
from napari_mesmerize.io.results import FORMATS, detect_format
from napari_mesmerize.project import open_project
from napari_mesmerize.project.config import FILE


@app.command()
def info(
    file: File,
    selection: Selection = "",
    as_json: Json = False,
) -> None:
    """Show what a file holds, without reading pixels."""
    found = _recordings(file)
    if selection:
        known = [one.selection for one in found]
        found = [one for one in found if one.selection == selection]
        if not found:
            raise ReadError(
                f"{file} has no recording '{selection}'; it has {', '.join(known)}."
            )
    if as_json:
        facts = [one.to_dict() for one in found]
        print_json({"path": str(file), "recordings": facts})
        return
    print_tree(file, found)


def _recordings(file: Path) -> list[RecordingInfo]:
    """List what can be opened; of a project or of results, say what they are."""
    if (file / FILE).is_file():
        raise ReadError(
            f"{file} is a project; 'napari-mesmerize project ls {file}' lists its "
            "samples."
        )
    try:
        return list_recordings(file)
    except ReadError as error:
        try:
            form = FORMATS[detect_format(file)]
        except ReadError:
            raise error from None
        raise ReadError(
            f"{file} holds no recording but results ({form}). In napari, open its "
            "recording and drop the results onto it; in a script, read them with "
            "napari_mesmerize.io.results.read_results."
        ) from error


@app.command()
def signals(
    file: Annotated[
        Path, typer.Argument(help="File with signals: .mes, .mesc, .isxd, .csv, .h5.")
    ],
    frame_rate: Rate = 0,
    as_json: Json = False,
) -> None:
    """List the signals recorded with a movie: voltages, curves, GPIO, tables."""
    found = list_signals(file, frame_rate=frame_rate or None)
    if as_json:
        facts = [one.to_dict() for one in found]
        print_json({"path": str(file), "signals": facts})
        return
    if not found:
        print_line(f"{file.name} holds no signals.")
        return
    rows = [
        (
            one.selection,
            one.name,
            one.unit,
            f"{one.rate:.4g}" if one.rate else "",
            seconds(one.duration_s),
            one.n_samples,
            ", ".join(f"{level:g}" for level in one.levels) or "varies",
        )
        for one in found
    ]
    columns = ("selection", "name", "unit", "Hz", "duration", "samples", "levels")
    right = ("Hz", "duration", "samples")
    print_table(str(file), columns, rows, right=right)


@project_app.command("ls")
def project_ls(
    folder: Annotated[Path, typer.Argument(help="Project folder.")],
    as_json: Json = False,
) -> None:
    """List the samples of a project."""
    opened = open_project(folder)
    rows = []
    for sample_id in opened.samples:
        sample = opened.sample(sample_id)
        rows.append(
            {
                "sample_id": sample_id,
                "n_rois": len(sample.rois),
                "n_accepted": int(sample.rois["accepted"].sum())
                if len(sample.rois)
                else 0,
                "n_epochs": len(sample.epochs),
                "comments": sample.comments,
            }
        )
    if as_json:
        print_json({"project": str(folder), "samples": rows})
        return
    columns = ("sample_id", "n_rois", "n_accepted", "n_epochs", "comments")
    print_table(str(folder), columns, [[row[c] for c in columns] for row in rows])


@project_app.command("show")
def project_show(
    folder: Annotated[Path, typer.Argument(help="Project folder.")],
    sample_id: Annotated[str, typer.Argument(help="Sample id, as 'project ls' shows.")],
    as_json: Json = False,
) -> None:
    """Show the facts, ROIs and history of a sample."""
    sample = open_project(folder).sample(sample_id)
    rois = sample.rois
    report = {
        "sample_id": sample.sample_id,
        "facts": sample.facts,
        "comments": sample.comments,
        "n_rois": len(rois),
        "roi_columns": [str(name) for name in rois.columns],
        "n_accepted": int(rois["accepted"].sum()) if len(rois) else 0,
        "epochs": sample.epochs.to_dict("records"),
        "history": sample.history,
    }
    if as_json:
        print_json(report)
        return
    facts = [(k, v) for k, v in sample.facts.items() if k not in ("meta", "history")]
    print_table(
        sample_id,
        ("what", "value"),
        [
            *facts,
            ("ROIs", len(rois)),
            ("accepted", report["n_accepted"]),
            ("comments", sample.comments),
        ],
    )
    steps = [
        (s["operation"], s["started"], seconds(s["duration_s"])) for s in sample.history
    ]
    print_table("History", ("operation", "started", "took"), steps)


@app.command()
def doctor(
    folder: Annotated[
        Path, typer.Argument(help="A folder on the disk to check.")
    ] = Path("."),
    graphics: Annotated[bool, typer.Option(help="Also try OpenGL.")] = True,
    as_json: Json = False,
) -> None:
    """Show what works and what is missing, with the line that installs it."""
    checks = examine(folder, graphics=graphics)
    if as_json:
        print_json({"checks": [vars(check) for check in checks]})
        return
    print_table(
        "napari-mesmerize doctor",
        ("what", "status", "found", "what to do"),
        [(check.name, check.status, check.found, check.remedy) for check in checks],
    )
