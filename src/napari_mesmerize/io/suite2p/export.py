"""Components as a Suite2p folder that its program opens."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError

_IMAGES = {"mean": "meanImg", "max": "max_proj", "correlation": "Vcorr"}


def write_suite2p(
    components: Components,
    path: str | Path,
    *,
    images: Mapping[str, ArrayLike] | None = None,
    neuropil_factor: float = 0.7,
    overwrite: bool = False,
) -> Path:
    """Write components as Suite2p would: a folder with ``plane0`` in it.

    Parameters
    ----------
    components : Components
        Of single planes. Traces ``raw`` (or else ``denoised``) become F, ``neuropil``
        Fneu, ``spikes`` spks; what is missing is 0. ``accepted`` becomes iscell.
    path : path
        The folder, usually named ``suite2p``.
    images : mapping, optional
        ``mean``, ``max``, ``correlation``.
    neuropil_factor : float, optional
        Written into the settings.
    overwrite : bool, optional
        Whether a folder of that name may be replaced.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ParameterError
        If the components are of volumes.
    WriteError
        If the folder exists, or can not be written.

    Notes
    -----
    Use it to curate in Suite2p's window or for tools that read its folders. Suite2p
    expects neuropil: where the components have none, Fneu is 0. Volumes do not fit;
    write NWB.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import Components
    >>> from napari_mesmerize.data.rois import footprints_from_masks
    >>> masks = np.zeros((2, 16, 16))
    >>> masks[0, 2:6, 2:6] = masks[1, 9:13, 9:14] = 1
    >>> components = Components.build(
    ...     footprints_from_masks(masks),
    ...     image_shape=(16, 16),
    ...     traces={"raw": np.ones((2, 20))},
    ...     frame_rate=10.0,
    ... )
    >>> from napari_mesmerize.io.results import read_results, write_suite2p
    >>> path = write_suite2p(components, "suite2p")
    >>> len(read_results(path))
    2
    """
    path = Path(path)
    if len(components.image_shape) != 2:
        raise ParameterError(
            f"These components are of volumes of shape {components.image_shape}; "
            "Suite2p has single planes. Write another format, or one plane."
        )
    with written_whole(path, overwrite=overwrite) as parts:
        plane = parts / "plane0"
        plane.mkdir(parents=True)
        for name, values in _traces(components).items():
            _save(plane / f"{name}.npy", values)
        probability = components.scores.get("iscell_prob", components.accepted)
        cells = np.column_stack([components.accepted, np.asarray(probability, float)])
        _save(plane / "iscell.npy", cells.astype(np.float64))
        _save_objects(plane / "stat.npy", _stat(components))
        settings = _settings(components, images or {}, neuropil_factor)
        for name, content in settings.items():
            _save_objects(plane / f"{name}.npy", content)
    return path


def _save(path: Path, array: Any) -> None:
    """Write an array by Python's own file; numpy's drops its end on a full disk."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    path.write_bytes(content.getbuffer())


def _save_objects(path: Path, content: Any) -> None:
    """Write dicts as Suite2p has them: in a pickle, here of plain data only."""
    values = content
    if isinstance(content, list):
        values = np.empty(len(content), object)
        values[:] = content
    _save(path, values)


def _traces(components: Components) -> dict[str, NDArray[np.float32]]:
    traces = components.traces
    nothing = np.zeros((len(components), components.n_frames), np.float32)
    return {
        "F": traces.get("raw", traces.get("denoised", nothing)),
        "Fneu": traces.get("neuropil", nothing),
        "spks": traces.get("spikes", nothing),
    }


def _stat(components: Components) -> list[dict[str, Any]]:
    matrix = components.footprints
    width = components.image_shape[1]
    covered = np.bincount(matrix.indices, minlength=matrix.shape[0])
    raw = _traces(components)["F"] - 0.7 * _traces(components)["Fneu"]
    spread = raw.std(axis=1) if raw.size else np.zeros(len(components))
    centred = raw - raw.mean(axis=1, keepdims=True) if raw.size else raw
    cubes = (centred**3).mean(axis=1) if raw.size else np.zeros(len(components))
    skew = np.divide(cubes, spread**3, out=np.zeros_like(cubes), where=spread > 0)
    sizes = np.diff(matrix.indptr)
    typical = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1.0
    stat = []
    for i, (start, stop) in enumerate(
        zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
    ):
        pixels = matrix.indices[start:stop].astype(np.int64)
        y, x = pixels // width, pixels % width
        weights = matrix.data[start:stop]
        entry = {
            "ypix": y,
            "xpix": x,
            "lam": weights.astype(np.float32),
            "npix": int(stop - start),
            "overlap": covered[pixels] > 1,
            "soma_crop": np.ones(len(pixels), bool),
            "npix_soma": int(stop - start),
            "npix_norm": float((stop - start) / typical),
            "footprint": 1.0,
            "skew": float(skew[i]),
            "std": float(spread[i]),
        }
        stat.append(entry | _shape(y, x))
    return stat


def _shape(y: NDArray[np.int64], x: NDArray[np.int64]) -> dict[str, Any]:
    """Return centre, radius and compactness of a ROI, which Suite2p shows."""
    if len(y) == 0:
        centre, radii, spread = [0, 0], np.zeros(2), 0.0
    else:
        centre = [int(np.median(y)), int(np.median(x))]
        points = np.stack([y - y.mean(), x - x.mean()])
        radii = 2 * np.sqrt(
            np.maximum(np.linalg.eigvalsh(points @ points.T / len(y)), 0)
        )
        spread = float(np.hypot(y - centre[0], x - centre[1]).mean())
    disk = 2 / 3 * np.sqrt(max(len(y), 1) / np.pi)
    return {
        "med": centre,
        "radius": float(radii.max()),
        "aspect_ratio": float(2 * radii.max() / max(radii.sum(), 1e-3)),
        "mrs": spread,
        "mrs0": float(disk),
        "compact": float(max(1.0, spread / disk)),
    }


def _settings(
    components: Components, images: Mapping[str, ArrayLike], factor: float
) -> dict[str, dict[str, Any]]:
    height, width = components.image_shape
    rate = components.frame_rate or 1.0
    db = {
        "Ly": height,
        "Lx": width,
        "nframes": components.n_frames,
        "nplanes": 1,
        "nchannels": 1,
        "functional_chan": 1,
        "iplane": 0,
        "data_path": [],
        "file_list": [],
        "save_path": "",
        "reg_file": "",
    }
    nested: dict[str, Any] = {
        "extraction": {"neuropil_coefficient": factor, "batch_size": 500},
        "detection": {"soma_crop": True},
        "io": {"save_mat": False},
    }
    nested["batch_size"] = 500
    settings = {"fs": float(rate), "tau": 1.0, "diameter": [12.0, 12.0], **nested}
    registration: dict[str, Any] = {"yrange": [0, height], "xrange": [0, width]}
    registration["badframes"] = np.zeros(components.n_frames, bool)
    shown = {
        key: np.asarray(images.get(name, np.zeros((height, width))), np.float32)
        for name, key in _IMAGES.items()
    }
    mean = {"meanImg": shown.pop("meanImg")}
    old = {**db, **registration, **mean, **shown, "meanImgE": mean["meanImg"]}
    old |= {"fs": float(rate), "tau": 1.0, "diameter": [12, 12], "aspect": 1.0}
    old |= {"neucoeff": factor, **nested}  # as 0.x and as 1.x
    return {
        "ops": old,
        "db": db | mean,
        "settings": settings,
        "reg_outputs": registration,
        "detect_outputs": shown,
    }
