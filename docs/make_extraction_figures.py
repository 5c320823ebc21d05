"""Make the figures of how-to/extraction.md: python docs/make_extraction_figures.py.

Simulated recordings with known truth; needs matplotlib. Takes about two minutes.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from scipy import sparse

from napari_mesmerize.cnmf import (
    CnmfeParams,
    CnmfParams,
    Thresholds,
    correlation_pnr,
    evaluate,
    extract_components,
)
from napari_mesmerize.data.components import Components
from napari_mesmerize.simulation.scores import iou_matrix, score_components
from napari_mesmerize.simulation.simulate import Simulation, simulate

IMAGES = Path(__file__).parent / "images"
SHAPE = (700, 96, 96)
COLOURS = {"2p": "tab:blue", "1p": "tab:orange"}
OPEN = {
    "min_shape": 0,
    "min_shape_corrected": 0,
    "max_size_factor": 0,
    "min_clear_size": 0,
    "min_snr": 0,
}


def extract(movie: Simulation, **changes: float) -> Components:
    """Extract with what a user knows about the movie."""
    p = movie.truth.params
    model = CnmfeParams if p["kind"] == "1p" else CnmfParams
    values = {
        "cell_diameter": 2 * p["radius"],
        "decay_time_s": p["tau_decay"],
        "rise_time_s": p["tau_rise"],
    }
    return extract_components(movie.recording, model(**{**values, **changes}))


def rates(movie: Simulation) -> tuple[float, float]:
    """Return precision and recall of what is accepted."""
    found = extract(movie)
    scores = score_components(movie.truth, found.select(found.accepted))
    return scores["precision"], scores["recall"]


def acceptance() -> None:
    """Plot precision and recall as brightness, density, rate and size change."""
    changes = {
        "brightness (preset = 1)": [
            ({"amp": factor}, factor) for factor in (0.4, 0.6, 1.0, 2.0)
        ],
        "cells in 96 x 96 px": [({"n_cells": n}, n) for n in (8, 20, 34, 50)],
        "frame rate (Hz)": [({"fps": fps}, fps) for fps in (5.0, 10.0, 20.0, 40.0)],
        "cell radius (px)": [
            ({"radius": r, "n_cells": round(34 * (4.6 / r) ** 1.6)}, r)
            for r in (3.0, 4.6, 6.5, 9.0)
        ],
    }
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.8), sharey=True)
    for ax, (label, cases) in zip(axes, changes.items(), strict=True):
        for kind in ("2p", "1p"):
            found = []
            for change, _ in cases:
                own = dict(change)
                if "amp" in own:
                    own["amp"] *= 2.6 if kind == "2p" else 14.0
                own.setdefault("n_cells", 34 if kind == "2p" else 22)
                found.append(
                    rates(simulate(f"{kind}-small", seed=61, shape=SHAPE, **own))
                )
            precision, recall = np.array(found).T
            x = [value for _, value in cases]
            ax.plot(
                x, precision, "o--", color=COLOURS[kind], label=f"{kind}: precision"
            )
            ax.plot(x, recall, "o-", color=COLOURS[kind], label=f"{kind}: recall")
        ax.set(xlabel=label, xscale="log", ylim=(0.4, 1.03))
        ax.set_xticks([value for _, value in cases], [f"{v:g}" for _, v in cases])
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("share")
    axes[0].legend(fontsize=7, loc="lower right")
    save(figure, "extraction_acceptance.png")


def scores() -> None:
    """Plot the scores of true and false components beside the thresholds."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
    for ax, kind in zip(axes, ("2p", "1p"), strict=True):
        movie = simulate(f"{kind}-small", seed=62, shape=(700, 128, 128))
        found = extract(movie)
        table = found.scores
        true = overlaps(movie.truth.footprints, found)
        judged = true | ~overlaps(movie.truth.ignored, found)  # others may be either
        for right, colour, label in (
            (True, "tab:blue", "cell"),
            (False, "tab:red", "no cell"),
        ):
            for accepted, marker in ((True, "o"), (False, "x")):
                part = table[judged & (true == right) & (found.accepted == accepted)]
                name = f"{label}, {'accepted' if accepted else 'rejected'}"
                ax.scatter(
                    part["energy"],
                    part["shape_corrected"],
                    c=colour,
                    marker=marker,
                    s=16,
                    label=name,
                )
        limit = (CnmfeParams if kind == "1p" else CnmfParams)().min_shape_corrected
        ax.axhline(limit, color="0.5", lw=0.8)
        ax.set(title=kind, xscale="log", xlabel="energy (trace x footprint over noise)")
        ticks = (15, 30, 60, 120, 240)
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("shape_corrected")
    axes[0].legend(fontsize=7, loc="lower right")
    save(figure, "extraction_scores.png")


def overlaps(true: sparse.csc_array, found: Components) -> np.ndarray:
    """Return which components share a third of their pixels with one of ``true``."""
    if not true.shape[1]:
        return np.zeros(len(found), bool)
    return iou_matrix(true, found.footprints).max(axis=0) >= 0.3


def questions() -> None:
    """Draw ROIs that join cells, that are noise, and the PNR image by diameter."""
    movie = simulate("2p-small", seed=63, shape=(700, 80, 80), n_cells=24)
    mean = movie.recording.mean("frame").to_numpy()
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2))
    for ax, diameter in zip(axes, (4.0, 9.2, 26.0), strict=True):
        found = extract(movie, cell_diameter=diameter)
        outlines(
            ax, mean, found.select(found.accepted), f"cell_diameter = {diameter:g}"
        )
    save(figure, "extraction_diameter.png")

    found = extract(movie)
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2))
    for ax, (name, rule) in zip(
        axes,
        {
            "no thresholds": Thresholds(**OPEN),
            "default": Thresholds(),
            "min_shape = 0.75": Thresholds(min_shape=0.75),
        }.items(),
        strict=True,
    ):
        judged = evaluate(found, rule)
        outlines(ax, mean, judged.select(judged.accepted), name)
    save(figure, "extraction_thresholds.png")

    movie = simulate("1p-small", seed=63, shape=(700, 96, 96), n_cells=18)
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2))
    for ax, diameter in zip(axes, (4.0, 11.2, 40.0), strict=True):
        pnr = correlation_pnr(movie.recording, diameter).pnr
        ax.imshow(pnr, cmap="magma", vmin=2, vmax=12)
        ax.set_title(f"PNR, cell_diameter = {diameter:g}", fontsize=9)
        ax.axis("off")
    save(figure, "extraction_pnr.png")


def outlines(ax: plt.Axes, image: np.ndarray, found: Components, title: str) -> None:
    """Draw the outlines of components on an image."""
    low, high = np.percentile(image, [1, 99.5])
    ax.imshow(image, cmap="gray", vmin=low, vmax=high)
    for column in found.footprints.toarray().T:
        ax.contour(
            column.reshape(image.shape), [0.2], colors="tab:cyan", linewidths=0.8
        )
    ax.set_title(f"{title}: {len(found)} ROIs", fontsize=9)
    ax.axis("off")


def save(figure: plt.Figure, name: str) -> None:
    """Write a figure into the folder of images."""
    figure.tight_layout()
    figure.savefig(IMAGES / name, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    questions()
    scores()
    acceptance()
