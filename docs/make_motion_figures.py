"""Make the pictures of the how-to page about motion correction.

    python docs/make_motion_figures.py

writes docs/images/motion_*.png from simulated recordings, in about half a minute.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from scipy import ndimage

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import (
    PiecewiseParams,
    RigidParams,
    correct_motion,
    patch_grid,
)
from napari_mesmerize.plots import plot_projection, plot_shifts
from napari_mesmerize.plots.motion import plot_field, plot_motion
from napari_mesmerize.simulation.simulate import simulate

IMAGES = Path(__file__).parent / "images"
N_FRAMES = 400


def save(figure: Figure, name: str) -> None:
    """Write a figure into the folder of images."""
    figure.savefig(IMAGES / f"motion_{name}.png", dpi=100)


def movie(motion: str, **override):
    """Simulate a two-photon movie."""
    return simulate("2p-small", motion, 3, shape=(N_FRAMES, 128, 128), **override)


def page() -> None:
    """The page that a correction should be looked at with."""
    save(plot_motion(correct_motion(movie("rigid").recording)), "quality")


def patches() -> None:
    """The quilt for two distances, and a field."""
    bent = movie("piecewise")
    result = correct_motion(bent.recording, PiecewiseParams())
    figure = Figure(figsize=(10.5, 3.8), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, (strides, overlaps) in zip(axes, ((32, 16), (48, 32)), strict=False):
        plot_projection(result.template, ax=ax)
        params = PiecewiseParams(strides=strides, overlaps=overlaps)
        grid = patch_grid(params, (128, 128))
        middle = len(grid.rectangles) // 2
        for k, corners in enumerate(grid.rectangles):
            style = {"fc": "C1", "alpha": 0.5} if k == middle else {"fill": False}
            ax.add_patch(Polygon(corners[:, ::-1], ec="C0", lw=0.8, **style))
        ax.plot(*grid.centers.T[::-1], "o", color="C1", markersize=3)
        ax.set_title(f"strides {strides}, overlaps {overlaps}")
    bend = result.field - result.field.mean(axis=(1, 2), keepdims=True)
    frame = int((bend**2).sum(axis=(1, 2, 3)).argmax())
    plot_field(result, frame, ax=axes[2])
    save(figure, "patches")


def tearing() -> None:
    """A bending movie corrected as a whole and by a field; rows over time."""
    bent = movie("piecewise").recording
    strips = {
        "raw": bent,
        "one shift a frame": correct_motion(bent, RigidParams()).recording,
        "a field a frame": correct_motion(bent, PiecewiseParams()).recording,
    }
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    axes = figure.subplots(2, 3)
    for column, (name, recording) in enumerate(strips.items()):
        frames = recording.to_numpy().astype(np.float32)
        plot_projection(frames.mean(axis=0), ax=axes[0, column], title=name)
        line = ndimage.uniform_filter1d(frames[:, 18:24].mean(axis=1), 3, axis=0)
        plot_projection(line.T, ax=axes[1, column])
        axes[1, column].set(aspect="auto", xlabel="frame", ylabel="x (px)")
    save(figure, "tearing")


def small_range() -> None:
    """Jumps beyond the search range: cut off, and found when the range may grow."""
    still = simulate("2p-small", "none", 2, shape=(200, 150, 150), n_cells=70)
    frames = still.recording.to_numpy()
    places = np.zeros((200, 2), int)
    places[40:75], places[120:130] = (15, -9), (-12, 16)
    moved = np.stack(
        [
            frame[18 - dy : 132 - dy, 18 - dx : 132 - dx]
            for frame, (dy, dx) in zip(frames, places, strict=True)
        ]
    )
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    for ax, grow in zip(figure.subplots(2, 1), (False, True), strict=True):
        params = RigidParams(max_shift=6, grow_max_shift=grow)
        result = correct_motion(as_recording(moved), params)
        plot_shifts(result.shifts, true_shifts=-places, ax=ax)
        text = "may grow" if grow else "fixed"
        ax.set_title(f"max_shift 6, {text}: {result.quality.outliers.sum()} outliers")
    save(figure, "range")


def false_motion() -> None:
    """A movie without motion in little light: what each estimate makes up."""
    photons = {"bg": 1.1, "cell_f0": 0.6, "amp": 0.33}
    still = movie("none", **photons).recording
    field = correct_motion(still, PiecewiseParams()).field
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_projection(still[:40].to_numpy().mean(axis=0), ax=left)
    left.set_title("mean of 40 dim frames, no motion")
    right.plot(np.sqrt((field**2).sum(axis=-1).mean(axis=(1, 2))))
    right.axhline(0.1, color="0.7", linewidth=0.8)
    right.set(
        xlabel="frame",
        ylabel="false motion (px)",
        ylim=(0, 0.2),
        title="root mean square over the patches",
    )
    save(figure, "false")


def growth() -> None:
    """A movie that becomes 2.5 times brighter while it moves."""
    rigid = movie("rigid")
    frames = rigid.recording.to_numpy().astype(np.float32)
    brighter = 200 + (frames - 200) * np.linspace(1, 2.5, N_FRAMES)[:, None, None]
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1)
    above.plot(brighter.mean(axis=(1, 2)), color="C2")
    above.set(xlabel="frame", ylabel="mean intensity")
    above.margins(x=0)
    shifts = correct_motion(as_recording(brighter)).shifts
    true = -(rigid.truth.shifts - np.median(rigid.truth.shifts, axis=0))
    plot_shifts(shifts, true_shifts=true, ax=below)
    save(figure, "growth")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for make in (page, patches, tearing, small_range, false_motion, growth):
        make()
