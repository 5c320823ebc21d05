"""Suite2p's output folders (0.x and 1.x) to components."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ReadError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.npy_objects import load_array, load_objects
from napari_mesmerize.io.suite2p.folder import find_planes, read_settings

_log = logging.getLogger(__name__)
_SCORES = (
    "skew",
    "std",
    "snr",
    "npix",
    "npix_norm",
    "compact",
    "radius",
    "aspect_ratio",
    "footprint",
    "chan2_prob",
)
_TRACES = {
    "raw": "F.npy",
    "neuropil": "Fneu.npy",
    "spikes": "spks.npy",
    "raw_channel2": "F_chan2.npy",
    "neuropil_channel2": "Fneu_chan2.npy",
}
DEFAULT_NEUROPIL_FACTOR = 0.7


def read(
    path: str | Path,
    *,
    image_shape: Sequence[int] | None = None,
    plane: int | None = None,
    only_accepted: bool = False,
    neuropil_factor: float | None = None,
    overlap: bool = True,
) -> Components:
    """Read what Suite2p found.

    Parameters
    ----------
    path : path
        The folder ``suite2p``, one above or below it.
    image_shape : sequence of int, optional
        (height, width), where the folder does not say it.
    plane : int, optional
        Which plane, counted from 0. By default the only one, or all as a volume.
    only_accepted : bool, optional
        Leave out what Suite2p's classifier, or the user, said is no cell.
    neuropil_factor : float, optional
        How much of the neuropil is subtracted in the trace ``corrected``; default what
        the folder says, otherwise 0.7.
    overlap : bool, optional
        Keep the pixels that several ROIs share in their footprints.

    Returns
    -------
    Components
        Footprints are Suite2p's weights ``lam``. Traces ``raw`` (F), ``neuropil``
        (Fneu), ``spikes`` (spks) and ``corrected`` (F - factor x Fneu); scores
        ``iscell``, ``iscell_prob``, ``skew``, ``npix``, ...; ``component`` is the row
        in Suite2p's arrays. ROIs that were merged into another are left out.

    Raises
    ------
    ReadError
        If files are missing, damaged or do not fit each other.
    """
    timer = StepTimer(
        "read_results",
        {"format": "suite2p", "plane": plane, "neuropil_factor": neuropil_factor},
        inputs=[str(path)],
    )
    folders = find_planes(Path(path))
    if plane is not None:
        if not 0 <= plane < len(folders):
            raise ReadError(
                f"{path} has {len(folders)} plane(s); plane={plane} is none of them."
            )
        folders = [folders[plane]]
    parts = [_Plane(folder, image_shape, neuropil_factor) for folder in folders]
    shapes = {part.image_shape for part in parts}
    if len(shapes) > 1:
        raise ReadError(
            f"The planes of {path} have different shapes {sorted(shapes)}; read them "
            "one by one: plane=0, plane=1, ..."
        )
    (shape,) = shapes
    n_frames = min(part.n_frames for part in parts)
    if any(part.n_frames != n_frames for part in parts):
        _log.warning("Planes differ in frames; all are cut to %d", n_frames)
    kinds = [k for k in parts[0].traces if all(k in part.traces for part in parts)]
    matrices = [part.footprints(overlap) for part in parts]
    components = Components.build(
        sparse.block_diag(matrices, format="csc") if len(parts) > 1 else matrices[0],
        (len(parts), *shape) if len(parts) > 1 else shape,
        {
            kind: np.concatenate([p.traces[kind][:, :n_frames] for p in parts])
            for kind in kinds
        },
        scores=pd.concat([part.scores for part in parts], ignore_index=True),
        accepted=np.concatenate([part.accepted for part in parts]),
        frame_rate=parts[0].frame_rate,
    )
    keep = components.accepted if only_accepted else np.ones(len(components), bool)
    keep = keep & np.concatenate([part.kept for part in parts])
    components = components.select(keep)
    components.history.extend(timer.extend([]))
    return components


class _Plane:
    """One plane's arrays, checked to fit each other."""

    def __init__(
        self, folder: Path, image_shape: Sequence[int] | None, factor: float | None
    ) -> None:
        self.folder = folder
        self.settings = read_settings(folder)
        stat = load_objects(folder / "stat.npy")
        stat = list(np.atleast_1d(stat)) if isinstance(stat, np.ndarray) else [stat]
        if not all(isinstance(roi, Mapping) for roi in stat):
            raise ReadError(f"{folder / 'stat.npy'} does not hold a dict for each ROI.")
        self.stat: list[Mapping[str, Any]] = stat
        self.n_rois = len(stat)
        self.image_shape = self._image_shape(image_shape)
        self.traces = self._traces(factor)
        self.n_frames = next(iter(self.traces.values())).shape[1]
        self.scores, self.accepted = self._scores()
        self.kept = np.array([not _number(r.get("inmerge"), 0) > 0 for r in stat], bool)
        rate = _number(self.settings.get("fs"), 0.0)
        self.frame_rate = rate if rate > 0 else None

    def _image_shape(self, given: Sequence[int] | None) -> tuple[int, int]:
        if given is not None:
            height, width = (int(size) for size in given[-2:])
        else:
            height, width = (int(self.settings.get(k) or 0) for k in ("Ly", "Lx"))
        if height <= 0 or width <= 0:
            raise ReadError(
                f"{self.folder} does not say the size of the images (ops.npy or db.npy "
                "is missing); give it: image_shape=(height, width)."
            )
        return height, width

    def _traces(self, factor: float | None) -> dict[str, NDArray[np.float32]]:
        traces: dict[str, NDArray[np.float32]] = {}
        for kind, name in _TRACES.items():
            if (self.folder / name).exists():
                traces[kind] = load_array(self.folder / name)
        if "raw" not in traces:
            raise ReadError(f"{self.folder} has no F.npy, the traces of its ROIs.")
        expected = (self.n_rois, traces["raw"].shape[-1])
        for kind, values in traces.items():
            if values.shape != expected:
                raise ReadError(
                    f"{self.folder / _TRACES[kind]} has shape {values.shape}, expected "
                    f"{expected}: stat.npy has {self.n_rois} ROIs. The files are of "
                    "different runs; run Suite2p again, or copy the whole folder."
                )
        if "neuropil" in traces:
            share = self._factor() if factor is None else factor
            traces["corrected"] = traces["raw"] - share * traces["neuropil"]
        return traces

    def _factor(self) -> float:
        extraction = self.settings.get("extraction")
        found = self.settings.get("neucoeff")
        if isinstance(extraction, Mapping):
            found = extraction.get("neuropil_coefficient", found)
        return _number(found, DEFAULT_NEUROPIL_FACTOR)

    def _scores(self) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        scores: dict[str, Any] = {"component": np.arange(self.n_rois)}
        scores["plane"] = np.full(self.n_rois, _plane_number(self.folder))
        accepted = np.ones(self.n_rois, bool)
        for name, first, second in (
            ("iscell.npy", "iscell", "iscell_prob"),
            ("redcell.npy", "redcell", "redcell_prob"),
        ):
            if not (self.folder / name).exists():
                continue
            pair = load_array(self.folder / name)
            if pair.shape != (self.n_rois, 2):
                raise ReadError(
                    f"{self.folder / name} has shape {pair.shape}, expected "
                    f"({self.n_rois}, 2) as stat.npy has {self.n_rois} ROIs."
                )
            scores[first], scores[second] = pair[:, 0] > 0.5, pair[:, 1]
            if name == "iscell.npy":
                accepted = scores[first]
        for key in _SCORES:
            if any(key in roi for roi in self.stat):
                scores[key] = np.array([_number(r.get(key), np.nan) for r in self.stat])
        return pd.DataFrame(scores), accepted

    def footprints(self, overlap: bool) -> Any:
        """Return the weights ``lam`` as a matrix (pixels, ROIs)."""
        height, width = self.image_shape
        rows, weights, sizes = [], [], []
        for number, roi in enumerate(self.stat):
            y, x = _row(roi.get("ypix")), _row(roi.get("xpix"))
            weight = _row(roi["lam"]) if "lam" in roi else np.ones(len(y))
            whole = y.dtype.kind in "iu" and x.dtype.kind in "iu"
            if not whole or not len(y) == len(x) == len(weight):
                raise ReadError(
                    f"ROI {number} of {self.folder / 'stat.npy'} has {len(y)} ypix of "
                    f"type {y.dtype}, {len(x)} xpix of {x.dtype} and {len(weight)} "
                    "lam; expected as many whole numbers of each. Copy it again."
                )
            shared = _row(roi.get("overlap")).astype(bool)
            if not overlap and len(shared) == len(y) and not shared.all():
                y, x, weight = y[~shared], x[~shared], weight[~shared]
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            if not inside.all():
                raise ReadError(
                    f"ROI {number} of {self.folder / 'stat.npy'} reaches to pixel "
                    f"({int(y.max())}, {int(x.max())}), outside the image of shape "
                    f"{self.image_shape}; give the right image_shape=(height, width)."
                )
            rows.append(y.astype(np.int64) * width + x.astype(np.int64))
            weights.append(weight)
            sizes.append(len(y))
        indptr = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        joined = [np.concatenate(p) if p else np.zeros(0) for p in (weights, rows)]
        matrix = sparse.csc_array(
            (joined[0].astype(np.float32), joined[1].astype(np.int64), indptr),
            shape=(height * width, self.n_rois),
        )
        matrix.sum_duplicates()
        return matrix


def _row(value: Any) -> NDArray[Any]:
    """Return numbers in a row; none (of type float) where they are no numbers."""
    if isinstance(value, list | tuple) and all(
        isinstance(number, int | float | np.number) for number in value
    ):
        value = np.array(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "buif":
        return np.ravel(value)
    return np.empty(0)


def _number(value: Any, default: float) -> float:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def _plane_number(folder: Path) -> int:
    digits = "".join(sign for sign in folder.name if sign.isdigit())
    return int(digits) if digits else 0
