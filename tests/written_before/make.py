"""Write ``written_by_0_1``: what users of napari-mesmerize 0.1 have on their disks.

    python make.py FOLDER [--at PLACE]

Run it with the version that is to be remembered; ``ORIGIN.md`` says which one that was.
It imports modules of that version, so that later ones can not run it. All is written at
PLACE, a folder that must not exist, and then moved to FOLDER: the files name PLACE as
where recordings were, and later it is not there any more.
"""

import argparse
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import facts
import numpy as np
from napari.components import ViewerModel

import napari_mesmerize as mesmerize
from napari_mesmerize.cnmf.curate import (
    carry_table,
    merge_components,
    split_component,
)
from napari_mesmerize.errors import Cancelled, ParameterError
from napari_mesmerize.io import write_recording
from napari_mesmerize.progress import Progress, reporting, silent
from napari_mesmerize.projections import project as project_images
from napari_mesmerize.stimulus import make_epochs
from napari_mesmerize.widgets.drawn_layer import DrawnLayer
from napari_mesmerize.widgets.roi_set import RoiSet
from napari_mesmerize.widgets.sample_opening import open_sample
from napari_mesmerize.widgets.sample_work import save_curation
from napari_mesmerize.widgets.session import get_session
from napari_mesmerize.widgets.work import trace_outlines

COMPUTER = "another-computer"  # instead of the name of this one
STEP = 64  # counts of the simulation in a grey level, so that files stay small
RATE = 15.0  # Hz
SOURCE = Path("recordings", "day2.ome.tif")
CORRECTED = Path("finished_motion", "corrected.zarr")
CELLS = mesmerize.CnmfParams(
    cell_diameter=9.2, decay_time_s=0.55, min_snr=2.0, background_modes=2
)
PATCHES = CELLS.model_copy(update={"patch_size": 20, "patch_overlap": 12})
ENGINES = {
    "bending": mesmerize.PiecewiseParams(),
    "moving": mesmerize.RigidParams(output_dtype="uint8"),
}
STOPPED = {"bending": ("Estimating", 2), "moving": ("Writing", 1)}  # after batches
PATCH_STEPS = 2 * 11 + 2  # two patches and a little of the third


def eight_bit(motion: str, seed: int, shape: tuple[int, ...], **options: Any) -> Any:
    """Return frames of a simulated recording in few grey levels."""
    made = mesmerize.simulate("2p-small", motion, seed, shape=shape, **options)
    levels = made.recording.to_numpy() // STEP
    return np.minimum(levels, 255).astype(np.uint8)


def stop_after(what: str, done_before: int) -> Progress:
    """Return a progress that cancels ``what`` after a number of steps."""

    def stop(desc: str, done: int, total: int) -> None:
        if desc.startswith(what) and done >= done_before:
            raise Cancelled("stopped, to be resumed")

    return reporting(stop)


def cancelled(function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Call a function that has to be cut off."""
    try:
        function(*args, **options)
    except Cancelled:
        return
    raise AssertionError(f"{function.__name__} ended before it was cut off")


# -------------------------------------------------------------------- projects
def write_source(place: Path) -> None:
    """Write the recording that samples point to."""
    place.parent.mkdir(parents=True)
    frames = eight_bit("none", 21, (120, 36, 44), n_cells=6)
    recording = mesmerize.as_recording(
        frames, frame_rate=RATE, pixel_size_um=(1.5, 1.5), date="2026-03-04T10:00:00"
    )
    write_recording(recording, place, compression="zlib")


def write_project(at: Path) -> None:
    """Write a project of two samples, curated and saved as scripts and docks do it."""
    project = mesmerize.create_project(
        at / "project",
        name="Two days",
        roi_tags=["region"],
        stimulus_types=["odour", "light"],
        custom_columns={
            "genotype": str,
            "age_days": {"dtype": "int", "default": -1},
            "weight_g": float,
            "trained": bool,
        },
    )
    add_day1(project)
    project.add_roi_tag("cell_type")
    project.add_custom_column("drug", default="none")
    project.set_visible_columns(["animal_id", "trial_id", "genotype", "comments"])
    curate_day1(project)
    add_day2(project, at / SOURCE)
    merge_on_day2(project)
    project.close()


def add_day1(project: Any) -> None:
    """Add a sample with a copy of its recording and real time stamps."""
    frames = eight_bit("none", 11, (100, 36, 40), n_cells=5)
    jitter = np.random.default_rng(0).uniform(-1e-3, 1e-3, len(frames))
    recording = mesmerize.as_recording(
        frames,
        frame_rate=RATE,
        name="day 1",
        pixel_size_um=(1.5, 1.25),
        date="2026-03-03T09:30:00",
        origin="two-photon",
        meta={"laser_nm": 920, "objective": "16x"},
        time_s=np.arange(len(frames)) / RATE + jitter,
    )
    project.add_sample(
        "fish1",
        "day1",
        recording=recording,
        components=mesmerize.extract_components(recording, CELLS),
        epochs=make_epochs([("odour", "mint", 1.0, 2.0)]),
        projections=project_images(recording, ("mean", "std")),
        comments="first look",
        custom={"genotype": "wt", "age_days": 6, "weight_g": 0.25, "trained": True},
        copy_recording=True,
    )


def curate_day1(project: Any) -> None:
    """Tag, reject and comment as a script does it."""
    rois = project.sample("fish1-_-day1").rois
    rois["region"] = ["Hörrinde", *["tectum"] * (len(rois) - 1)]
    rois.loc[rois.index[:2], "cell_type"] = "pyramidal"
    rois.loc[rois.index[-1], "accepted"] = False
    project.update_rois("fish1-_-day1", rois)
    epochs = make_epochs(
        [
            ("odour", "mint", 1.0, 2.0),
            ("odour", "rose", 3.0, 4.5, "#aa3377"),
            ("light", "blue", 0.5, 6.0),
        ]
    )
    project.update_epochs("fish1-_-day1", epochs)
    project.update_sample(
        "fish1-_-day1", comments="ruhig, 3 µm tiefer", custom={"drug": "MK-801"}
    )


def add_day2(project: Any, source: Path, **custom: Any) -> None:
    """Add a sample that points to its recording."""
    recording = mesmerize.read_recording(source)
    project.add_sample(
        "fish1",
        "day2",
        recording=recording,
        components=mesmerize.extract_components(recording, CELLS),
        epochs=make_epochs([("light", "green", 2.0, 4.0)]),
        projections=project_images(recording, ("mean",)),
        comments="the day after",
        custom=custom,
    )


def opened(project: Any, sample_id: str) -> RoiSet:
    """Return the ROIs of a sample as the docks open them."""
    roi_set = open_sample(project, sample_id, progress=silent).roi_set
    assert roi_set is not None
    return roi_set


def merge(roi_set: RoiSet, positions: list[int]) -> None:
    """Merge ROIs as the dock does it."""
    made = merge_components(roi_set.components, positions)
    roi_set.exchange(made.components, carry_table(roi_set.table, made))


def split(roi_set: RoiSet, position: int) -> None:
    """Split an ROI as the dock does it."""
    made = split_component(
        roi_set.components, position, recording=roi_set.recording, n_parts=2
    )
    roi_set.exchange(made.components, carry_table(roi_set.table, made))


def save(roi_set: RoiSet) -> None:
    """Save curation as the project dock does it."""
    table = roi_set.table.copy()
    save_curation(
        roi_set.project,
        roi_set.sample_id,
        roi_set.curated_components(),
        table,
        roi_set.tag_columns,
        progress=silent,
    )
    roi_set.mark_saved(table)


def merge_on_day2(project: Any) -> None:
    """Merge two ROIs, and save."""
    roi_set = opened(project, "fish1-_-day2")
    roi_set.set_tag("region", "tectum", [0, 1])
    roi_set.set_tag("region", "habenula", [2])
    merge(roi_set, [0, 1])
    roi_set.set_accepted(False, [len(roi_set) - 1])
    save(roi_set)


def write_crashed_project(at: Path) -> None:
    """Write a project whose session tagged, merged, split, drew, and never saved."""
    project = mesmerize.create_project(
        at / "project_with_journal",
        name="Cut off",
        roi_tags=["region", "cell_type"],
        stimulus_types=["light"],
    )
    add_day2(project, at / SOURCE)
    curate_without_saving(opened(project, "fish1-_-day2"))
    draw_without_saving(project, at / SOURCE)
    # no project.close(): the journal stays, as after a crash


def curate_without_saving(roi_set: RoiSet) -> None:
    """Edit, save, then go on and save no more."""
    roi_set.set_tag("region", "tectum", [0, 1])
    save(roi_set)
    roi_set.set_tag("cell_type", "pyramidal", [0, 1])
    roi_set.set_accepted(False, [2])
    roi_set.set_tag("region", "a mistake", [3])
    roi_set.undo()
    merge(roi_set, [0, 1])
    roi_set.set_tag("region", "habenula", [0])
    for position in range(len(roi_set) - 1, 0, -1):
        try:
            split(roi_set, position)
        except ParameterError:
            continue
        break
    else:
        raise AssertionError("no ROI could be split")
    roi_set.set_accepted(False, [position])
    roi_set.set_tag("cell_type", "glia", [position + 1])
    merge(roi_set, [0, 1])
    roi_set.undo()
    roi_set.set_accepted(True, [1])
    roi_set.undo()
    # as a script takes an edit back
    name, journal = roi_set.table.index[0], roi_set.project.journal
    journal.record(roi_set.sample_id, "region", {name: "x"}, {name: "habenula"})
    journal.undo(roi_set.sample_id)


def draw_without_saving(project: Any, source: Path) -> None:
    """Draw ROIs in a Shapes layer, add them as a sample, then draw and move some."""
    recording = mesmerize.read_recording(source)

    def on_drawn(drawn: DrawnLayer) -> None:
        outlines, ids = drawn.outlines(), drawn.roi_ids()
        drawn.set_components(trace_outlines(recording, outlines, ids, progress=silent))

    viewer = ViewerModel()
    drawn = DrawnLayer(viewer, get_session(viewer).show_recording(recording), on_drawn)
    size = np.array([1.5, 1.5])  # shapes lie in micrometres
    square = np.array([[0, 0], [0, 7], [7, 7], [7, 0]])
    drawn.layer.add_polygons([(square + 3) * size])
    drawn.layer.add_polygons([(square + np.array([12, 20])) * size])
    roi_set = drawn.roi_set
    sample = project.add_sample(
        "fish1",
        "day2 drawn",
        recording=recording,
        components=roi_set.components,
        rois=roi_set.table,
    )
    roi_set.project, roi_set.sample_id = project, sample.sample_id
    roi_set.mark_saved(roi_set.table)
    roi_set.add_tag_column("region")
    roi_set.set_tag("region", "by hand", [0])
    drawn.layer.add_polygons([np.array([[20, 4], [24, 14], [30, 5]]) * size])
    drawn.layer.data = [
        drawn.layer.data[0] + 2 * size,  # moved
        *drawn.layer.data[1:],
    ]
    roi_set.set_tag("region", "a corner", [2])
    roi_set.set_accepted(False, [1])


# ------------------------------------------------------------- unfinished work
def write_unfinished_motion(at: Path) -> None:
    """Write motion corrections that were cut off: in the estimates, in the writing."""
    folder = at / "unfinished_motion"
    folder.mkdir()
    frames = eight_bit("rigid", 5, (192, 32, 40), n_cells=8, max_shift=3.0)
    np.savez_compressed(folder / "movie.npz", frames=frames)
    recording = mesmerize.as_recording(frames, frame_rate=RATE)
    for name, params in ENGINES.items():
        cancelled(
            mesmerize.correct_motion,
            recording,
            params,
            out=folder / f"{name}.zarr",
            batch_size=facts.BATCH,
            progress=stop_after(*STOPPED[name]),
        )
    (at / CORRECTED).parent.mkdir()
    few = mesmerize.as_recording(
        frames[:28],
        frame_rate=RATE,
        pixel_size_um=(1.5, 1.5),
        time_s=np.arange(28) / RATE + 0.001,
    )
    params = mesmerize.PiecewiseParams(output_dtype="uint16")
    mesmerize.correct_motion(few, params, out=at / CORRECTED)


def write_unfinished_extraction(at: Path) -> None:
    """Write an extraction that was cut off after some patches; and whole components."""
    folder = at / "unfinished_extraction"
    folder.mkdir()
    frames = eight_bit("none", 33, (120, 60, 22), n_cells=5)
    np.savez_compressed(folder / "movie.npz", frames=frames)
    recording = mesmerize.as_recording(frames, frame_rate=RATE)
    cancelled(
        mesmerize.extract_components,
        recording,
        PATCHES,
        workers=1,
        resume_dir=folder / "patches",
        progress=stop_after("Extracting", PATCH_STEPS),
    )
    mesmerize.extract_components(recording, CELLS).save(at / "components.zarr")


# ------------------------------------------------------------- expected values
def motion_facts(folder: Path) -> dict[str, Any]:
    """Return what the motion corrections find if they are not cut off."""
    recording = facts.load_movie(folder)
    left = {
        "bending": {"Estimating": 1, "Writing": 3},
        "moving": {"Estimating": 0, "Measuring": 0, "Writing": 2},
    }
    found: dict[str, Any] = {}
    for name, params in ENGINES.items():
        result = mesmerize.correct_motion(recording, params)
        found[name] = {
            "params": params.model_dump(exclude_defaults=True),
            "batches left": left[name],
            "shifts": np.round(result.shifts, 3),
            "row": result.recording[facts.FRAME, facts.ROW].to_numpy(),
        }
    return found


def extraction_facts(folder: Path) -> dict[str, Any]:
    """Return what the extraction finds if it is not cut off."""
    found = mesmerize.extract_components(facts.load_movie(folder), PATCHES)
    finished = [path.name for path in sorted((folder / "patches").glob("*.npz"))]
    return {
        "params": PATCHES.model_dump(exclude_defaults=True),
        "finished": finished,
        "components": facts.of_components(found),
    }


def crash_facts(project: Path) -> dict[str, Any]:
    """Return what comes back from a journal; the project stays as it is."""
    copy = project.with_name("copy")  # beside the recording
    shutil.copytree(project, copy)
    try:
        facts.crashed_here(copy)
        return facts.of_crash(copy)
    finally:
        shutil.rmtree(copy)


def expected(at: Path) -> dict[str, Any]:
    """Return the values that tests compare with."""
    components = mesmerize.Components.load(at / "components.zarr")
    return {
        "version": mesmerize.__version__,
        "project": facts.of_project(at / "project"),
        "project_with_journal": crash_facts(at / "project_with_journal"),
        "unfinished_motion": motion_facts(at / "unfinished_motion"),
        "unfinished_extraction": extraction_facts(at / "unfinished_extraction"),
        "finished_motion": facts.of_corrected(at / CORRECTED),
        "components": facts.of_components(components)
        | {"scores": facts.of_table(components.scores)},
    }


ORIGIN = """\
# Written by napari-mesmerize 0.1

The files in `written_by_0_1.zip` were written by napari-mesmerize {version}, before its
modules were moved, with the scripts `make.py` and `facts.py`. Tests open them with the
version at hand; they are not to be written again by a later one. `expected.json` holds
what the version of then read from them, and what it computed without being cut off.

- `project`: two samples, curated and saved; one with a copy of its recording, one that
  points to `recordings`
- `project_with_journal`: two samples whose last session merged, split, drew and tagged,
  and did not save
- `unfinished_motion`: `bending` was cut off among the estimates, `moving` while frames
  were written
- `unfinished_extraction`: two of three patches are finished
- `finished_motion`, `components.zarr`: finished work
- `recordings`: what samples point to; it was at `{place}` then, which is gone

All recordings are simulated. The journal says that it is of the computer
`{computer}`; nobody can know whether a process of another computer is alive, so that a
test first says there that it was this one. Folders without files were left out.
"""


def remove_empty_folders(folder: Path) -> None:
    """Remove folders without files, which version control does not keep."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def main() -> None:
    """Write everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="becomes a .zip; must not exist")
    parser.add_argument("--at", type=Path, default=Path("/data/imaging"))
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f"{options.folder} exists")
    platform.node = lambda: COMPUTER  # no names of computers in the files
    at = options.at
    at.mkdir(parents=True)
    write_source(at / SOURCE)
    write_project(at)
    write_crashed_project(at)
    write_unfinished_motion(at)
    write_unfinished_extraction(at)
    remove_empty_folders(at)
    origin = ORIGIN.format(
        version=mesmerize.__version__,
        place=(options.at / SOURCE).parent.as_posix(),
        computer=COMPUTER,
    )
    shutil.move(at, options.folder)
    found = facts.plain(expected(options.folder.absolute()))
    text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    options.folder.with_name("expected.json").write_text(text + "\n", "utf-8")
    options.folder.with_name("ORIGIN.md").write_text(origin, "utf-8")
    shutil.make_archive(str(options.folder), "zip", options.folder)
    shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
