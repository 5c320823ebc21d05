"""The main job on a simulated recording, scored against its known truth."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from napari_mesmerize.compute.resources import Usage, measure
from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.data.recording import frame_times
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.engines.pipeline import Processed, process
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.plots import (
    plot_outlines,
    plot_projection,
    plot_shifts,
    plot_traces,
)
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.project import Sample, create_project, open_project
from napari_mesmerize.project.add_processed import (
    QUALITY_TAG,
    add_to_project,
    tag_by_quality,
)
from napari_mesmerize.simulation.scores import score_components, shift_error
from napari_mesmerize.simulation.simulate import simulate

if TYPE_CHECKING:
    from napari_mesmerize.simulation.simulate import Simulation

MARKER = ".napari-mesmerize-demo"
_COLOURS = {"good": "#2ecc71", "fair": "#f1c40f", "rejected": "#e74c3c"}


@dataclass(frozen=True)
class DemoReport:
    """What the demo found and cost.

    Attributes
    ----------
    scores : dict of str to float
        ``shift_rmse_px``, ``f1``, ``precision``, ``recall``, ``trace_correlation``, ...
    usages : list of Usage
        Cost of each step.
    project : pathlib.Path
        The project folder.
    summary : pathlib.Path
        The picture.
    """

    scores: dict[str, float]
    usages: list[Usage]
    project: Path
    summary: Path


def run_demo(
    folder: str | Path = "demo",
    *,
    preset: str = "2p-small",
    seed: int = 1,
    progress: Progress = silent,
    **overrides: Any,
) -> DemoReport:
    """Simulate a recording, analyse it, save and reopen a project, and score it.

    Parameters
    ----------
    folder : path, optional
        Where ``project/`` and ``summary.png`` go. A folder of an earlier demo is
        replaced; any other folder that holds something is left alone.
    preset : str, optional
        A preset of :func:`napari_mesmerize.simulation.simulate`.
    seed : int, optional
        Seed of the simulation.
    progress : Progress, optional
        Wraps the loops.
    **overrides
        Parameters of the simulation, such as ``shape``.

    Raises
    ------
    ParameterError
        If ``folder`` holds something else.
    """
    folder = _empty_folder(Path(folder))
    with measure("simulation") as simulating:
        simulation = simulate(preset, "rigid", seed, **overrides)
    recording = simulation.recording
    engine = "cnmfe" if preset.startswith("1p") else "cnmf"
    processed = process(recording, extraction_engine=engine, progress=progress)
    with measure("project") as saving:
        sample = _save_and_reopen(folder / "project", processed, simulation)
    with measure("summary picture") as drawing:
        summary = folder / "summary.png"
        draw_summary(simulation, processed, sample).savefig(summary, dpi=110)
    usages = [simulating, *processed.usages, saving, drawing]
    return DemoReport(
        _score(simulation, processed, sample), usages, folder / "project", summary
    )


def _empty_folder(folder: Path) -> Path:
    if folder.exists() and not (folder / MARKER).exists() and any(folder.iterdir()):
        raise ParameterError(
            f"{folder} exists and holds something that is not an earlier demo; name "
            "another folder with --out, or move it away."
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    return folder


def demo_epochs(duration_s: float) -> pd.DataFrame:
    """Return alternating epochs of two stimuli over a recording of ``duration_s``."""
    length = duration_s / 9
    names = ("grating 0°", "grating 90°")
    colours = ("#3498db", "#e67e22")
    return make_epochs(
        [
            {
                "stimulus_type": "vision",
                "name": names[i % 2],
                "start_s": (2 * i + 1) * length,
                "stop_s": (2 * i + 2) * length,
                "colour": colours[i % 2],
            }
            for i in range(4)
        ]
    )


def _save_and_reopen(
    path: Path, processed: Processed, simulation: "Simulation"
) -> Sample:
    """Save the tagged sample in a new project and return it as read from disk."""
    assert processed.components is not None
    rois = tag_by_quality(roi_table_from_components(processed.components))
    times = frame_times(simulation.recording)
    project = create_project(path, roi_tags=(QUALITY_TAG,), stimulus_types=("vision",))
    sample = add_to_project(
        project,
        "simulated",
        str(simulation.truth.params["preset"]),
        processed,
        rois=rois,
        epochs=demo_epochs(float(times[-1])),
        comments="A simulated recording with known truth.",
    )
    return open_project(path).sample(sample.sample_id)


def _score(
    simulation: "Simulation", processed: Processed, sample: Sample
) -> dict[str, float]:
    """Score what was read back from the project, not what is in memory."""
    assert processed.motion is not None
    truth = simulation.truth
    motion = shift_error(processed.motion.shifts, truth.shifts)
    components = sample.components
    assert components is not None
    kept = components.select(components.accepted)
    found = score_components(truth, kept, offset=motion["offset"])
    return {
        "shift_rmse_px": motion["rmse"],
        "uncorrected_rmse_px": motion["identity"],
        "f1": found["f1"],
        "precision": found["precision"],
        "recall": found["recall"],
        "trace_correlation": found.get("trace_corr", float("nan")),
        "spike_correlation": found.get("spike_corr", float("nan")),
        "true_cells": found["n_true"],
        "accepted_components": found["n_est"],
        "unscored_components": found["n_ignored"],
        "rejected_components": len(components) - found["n_est"],
    }


def draw_summary(
    simulation: "Simulation", processed: Processed, sample: Sample
) -> Figure:
    """Draw the picture that shows the whole chain at a glance."""
    assert processed.motion is not None
    assert sample.components is not None
    figure = Figure(figsize=(12, 9), layout="constrained")
    rows: Any = figure.subfigures(3, 1, height_ratios=(4, 4, 1.7))
    images, middle, bottom = rows
    left, centre, right = images.subplots(1, 3)
    before, after = processed.projections["mean_raw"], processed.projections["mean"]
    low, high = np.nanpercentile(after, (1, 99.7))
    limits = float(low), float(high)
    plot_projection(before, ax=left, title="Mean image, raw", limits=limits)
    plot_projection(
        after, ax=centre, title="Mean image, motion corrected", limits=limits
    )
    plot_projection(processed.projections["correlation"], ax=right)
    rois = sample.rois
    shown = rois[rois["accepted"].to_numpy(bool)]
    colours = [_COLOURS[tag] for tag in shown[QUALITY_TAG]]
    plot_outlines(list(shown["outline"]), ax=right, colors=colours)
    right.set_title(f"{len(shown)} components on the correlation image")
    _draw_traces(middle.subplots(), sample, shown)
    times = frame_times(simulation.recording)
    true_shifts = -simulation.truth.shifts.astype(np.float64)
    true_shifts += np.median(processed.motion.shifts - true_shifts, axis=0)
    plot_shifts(
        processed.motion.shifts,
        times_s=times,
        true_shifts=true_shifts,
        ax=bottom.subplots(),
    ).set_title("Estimated shifts (colours) over the true ones (grey)", fontsize=10)
    return figure


def _draw_traces(
    ax: Any, sample: Sample, shown: pd.DataFrame, n_traces: int = 8
) -> None:
    """Draw the most active components' dF/F or denoised traces with the epochs."""
    components = sample.components
    assert components is not None
    order = shown.sort_values("snr", ascending=False) if "snr" in shown else shown
    position = {roi_id: i for i, roi_id in enumerate(components.roi_ids)}
    rows = [position[str(roi_id)] for roi_id in order.index[:n_traces]]
    kind = next(k for k in ("dff", "denoised", "raw") if k in components.traces)
    times = np.arange(components.n_frames) / (components.frame_rate or 1.0)
    plot_traces(
        components.traces[kind][rows],
        times_s=times,
        epochs=sample.epochs,
        colors=[_COLOURS[tag] for tag in order[QUALITY_TAG][:n_traces]],
        ax=ax,
    )
    label = {"dff": "dF/F", "denoised": "Denoised fluorescence", "raw": "Fluorescence"}
    ax.set_title(
        f"{label[kind]} of {len(rows)} components; bands are stimulus epochs "
        "(green: good, yellow: fair)",
        fontsize=10,
    )
