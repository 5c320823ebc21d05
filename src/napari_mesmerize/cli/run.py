"""The commands that compute: demo, motion, extract, run."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_mesmerize.cli.app import (
    File,
    Json,
    Memory,
    Overwrite,
    ParamsFile,
    Rate,
    Selection,
    app,
)
from napari_mesmerize.cli.doctor import has_display, version
from napari_mesmerize.cli.options import (
    open_recording,
    read_image,
    read_params_file,
    to_bytes,
    with_params,
)
from napari_mesmerize.cli.output import (
    print_json,
    print_line,
    print_table,
    progress_bars,
    seconds,
    size,
)
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.engines.pipeline import NONE, prepare, process
from napari_mesmerize.engines.table import engine_names, engines, find_engine
from napari_mesmerize.errors import ParameterError, WriteError
from napari_mesmerize.params import parse_params
from napari_mesmerize.project import Project, create_project, open_project
from napari_mesmerize.project.add_processed import add_to_project, tag_by_quality

_MOTION = ", ".join(engine_names("motion"))
_EXTRACT = ", ".join(engine_names("extract"))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("demo"),
    preset: Annotated[str, typer.Option(help="Preset of the simulation.")] = "2p-small",
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 1,
    open_napari: Annotated[
        bool,
        typer.Option("--open/--no-open", help="Offer to open the result in napari."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Analyse a simulated recording and compare the result with the truth."""
    from napari_mesmerize.cli.demo import run_demo  # brings matplotlib along

    with progress_bars() as progress:
        report = run_demo(out, preset=preset, seed=seed, progress=progress)
    if as_json:
        print_json({**vars(report), "usages": [vars(u) for u in report.usages]})
        return
    print_table(
        "Steps",
        ("step", "time", "CPU", "peak memory"),
        [
            (u.name, seconds(u.seconds), seconds(u.cpu_seconds), size(u.peak_bytes))
            for u in report.usages
        ],
        right=("time", "CPU", "peak memory"),
    )
    s = report.scores
    print_table(
        "Compared with the known truth",
        ("what", "result"),
        [
            ("shift error, uncorrected", f"{s['uncorrected_rmse_px']:.3f} px"),
            ("shift error (RMSE)", f"{s['shift_rmse_px']:.3f} px"),
            ("cells in the recording", f"{s['true_cells']:.0f}"),
            ("components accepted", f"{s['accepted_components']:.0f}"),
            ("- out of focus or at the edge", f"{s['unscored_components']:.0f}"),
            ("F1 of the others", f"{s['f1']:.3f}"),
            ("precision / recall", f"{s['precision']:.3f} / {s['recall']:.3f}"),
            ("trace correlation", f"{s['trace_correlation']:.3f}"),
            ("spike correlation", f"{s['spike_correlation']:.3f}"),
        ],
        right=("result",),
    )
    print_line(f"Picture: {report.summary}\nProject: {report.project}")
    if open_napari and has_display() and sys.stdin.isatty() and version("napari"):
        _offer_napari(report.project)


def _offer_napari(folder: Path) -> None:
    if typer.confirm("Open the project in napari?", default=True):
        command = [
            sys.executable,
            "-m",
            "napari_mesmerize.widgets.hooks.launch",
            str(folder),
        ]
        subprocess.run(command, check=False)


@app.command("motion")
@with_params(*(engine.params for engine in engines("motion")))
def motion_command(
    file: File,
    out: Annotated[Path, typer.Argument(help="Result: a .zarr folder.")],
    engine: Annotated[str, typer.Option(help=f"One of: {_MOTION}.")] = "rigid",
    selection: Selection = "",
    frame_rate: Rate = 0.0,
    params: ParamsFile = None,
    template: Annotated[
        Path | None, typer.Option(help="Image to align to, such as another day's mean.")
    ] = None,
    region: Annotated[
        Path | None, typer.Option(help="Mask image: only pixels > 0 are compared.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda for a GPU.")] = "cpu",
    workers: Annotated[
        int, typer.Option(help="Number of threads; 0 uses one for each core.", min=0)
    ] = 0,
    max_memory: Memory = 0.0,
    overwrite: Overwrite = False,
    as_json: Json = False,
    *,
    given: dict[str, Any],
) -> None:
    """Correct the motion of a recording and write the result."""
    chosen = find_engine("motion", engine)
    values = {**_section(read_params_file(params), chosen.step), **given}
    own = parse_params(chosen.params, values)
    recording = open_recording(file, selection, frame_rate)
    with progress_bars() as progress:
        result = chosen.run(
            recording,
            own,
            out=out,
            template=read_image(template, "mean"),
            region=read_image(region, "max"),
            device=device,
            workers=workers or None,
            max_memory=to_bytes(max_memory),
            overwrite=overwrite,
            progress=progress,
        )
    largest = abs(result.shifts).max(axis=0)
    report = {
        "out": str(out),
        "n_frames": len(result.shifts),
        "largest_shift_px": largest.tolist(),
    }
    if as_json:
        print_json(report)
        return
    print_line(
        f"{len(result.shifts)} frames corrected, largest shift "
        f"{' x '.join(f'{value:.1f}' for value in largest)} px. Written: {out}"
    )


@app.command()
@with_params(*(engine.params for engine in engines("extract")))
def extract(
    file: File,
    out: Annotated[Path, typer.Argument(help="Result: a .zarr folder.")],
    method: Annotated[str, typer.Option(help=f"One of: {_EXTRACT}.")] = "cnmf",
    selection: Selection = "",
    frame_rate: Rate = 0.0,
    params: ParamsFile = None,
    max_memory: Memory = 0.0,
    overwrite: Overwrite = False,
    as_json: Json = False,
    *,
    given: dict[str, Any],
) -> None:
    """Extract components from a (motion-corrected) recording and write them.

    After a cancel or a crash, finished parts are in OUT.partial, and the same command
    continues from there.
    """
    engine = find_engine("extract", method)
    values = {**_section(read_params_file(params), engine.step), **given}
    own = parse_params(engine.params, values)
    if out.exists() and not overwrite:
        raise WriteError(f"{out} exists; choose another name or add --overwrite.")
    recording = open_recording(file, selection, frame_rate)
    with progress_bars() as progress:
        components = engine.run(
            recording,
            own,
            max_memory=to_bytes(max_memory),
            progress=progress,
            resume_dir=out.with_name(out.name + ".partial"),
        )
    components.save(out, overwrite=overwrite)
    n_accepted = int(components.accepted.sum())
    if as_json:
        print_json(
            {"out": str(out), "n_components": len(components), "n_accepted": n_accepted}
        )
        return
    print_line(
        f"{len(components)} components found, {n_accepted} accepted. Written: {out}"
    )
    _print_advice(components)


@app.command()
def run(
    file: File,
    project: Annotated[
        Path, typer.Option(help="Project folder; it is made if it does not exist.")
    ],
    animal: Annotated[str, typer.Option(help="Animal id.")],
    trial: Annotated[str, typer.Option(help="Trial id.")],
    selection: Selection = "",
    frame_rate: Rate = 0.0,
    motion_engine: Annotated[
        str, typer.Option("--motion", help=f"One of: {_MOTION}, {NONE}.")
    ] = "rigid",
    extraction_engine: Annotated[
        str, typer.Option("--extract", help=f"One of: {_EXTRACT}, {NONE}.")
    ] = "cnmf",
    params: ParamsFile = None,
    max_memory: Memory = 0.0,
    keep_recording: Annotated[
        bool, typer.Option(help="Copy the (corrected) recording into the sample.")
    ] = True,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Motion correction, extraction and a sample of a project, in one go."""
    sections = read_params_file(params)
    recording = open_recording(file, selection, frame_rate)
    prepare(recording, motion_engine, extraction_engine, sections)
    opened = _project_for(project, animal, trial, overwrite=overwrite)
    with progress_bars() as progress:
        processed = process(
            recording,
            motion_engine=motion_engine,
            extraction_engine=extraction_engine,
            params=sections,
            max_memory=to_bytes(max_memory),
            progress=progress,
        )
    rois = None
    if processed.components is not None:
        rois = roi_table_from_components(processed.components)
        if "quality" in opened.roi_tags:
            rois = tag_by_quality(rois)
    sample = add_to_project(
        opened,
        animal,
        trial,
        processed,
        rois=rois,
        keep_recording=keep_recording,
        overwrite=overwrite,
    )
    report = {
        "project": str(project),
        "sample_id": sample.sample_id,
        "n_rois": 0 if rois is None else len(rois),
        "n_accepted": 0 if rois is None else int(rois["accepted"].sum()),
        "usages": [vars(usage) for usage in processed.usages],
    }
    _tell_of_sample(report, processed.components, as_json=as_json)


def _tell_of_sample(
    report: dict[str, Any], components: Components | None, *, as_json: bool
) -> None:
    if as_json:
        print_json(report)
        return
    print_line(
        f"Sample {report['sample_id']} of {report['project']}: {report['n_rois']} "
        f"ROIs, {report['n_accepted']} accepted."
    )
    _print_advice(components)


def _project_for(folder: Path, animal: str, trial: str, *, overwrite: bool) -> Project:
    """Open or make the project, and find before the work whether the sample fits."""
    if not folder.exists():
        return create_project(folder)
    project = open_project(folder)
    sample_id = project.sample_id(animal, trial)
    if sample_id in project.samples and not overwrite:
        raise ParameterError(
            f"The project {folder} already has a sample {sample_id}; choose another "
            "--trial, or add --overwrite (the old one goes to backups/)."
        )
    return project


def _print_advice(components: Components | None) -> None:
    """Say what to try where no component was accepted."""
    if components is not None and not components.accepted.any():
        print_line(str(components.scores.attrs.get("advice", "")))


def _section(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a section of a parameter file, or all of one without sections."""
    if not {"motion", "extract"} & set(values):
        return values
    section = values.get(name, {})
    if not isinstance(section, dict):
        raise ParameterError(f"'{name}' of the parameter file must be an object.")
    return section
