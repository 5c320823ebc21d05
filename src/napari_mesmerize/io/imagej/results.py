"""ImageJ and Fiji ROIs (``.roi``, ``RoiSet.zip``) to an ROI table or components."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.components import Components, new_roi_ids
from napari_mesmerize.errors import ReadError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.imagej.roi_file import ImageJRoi, parse_roi
from napari_mesmerize.io.items import warn

_MAX_BYTES = 2**30


def read(path: str | Path) -> pd.DataFrame:
    """Read ROIs that were drawn in ImageJ.

    Parameters
    ----------
    path : path
        A ``.roi`` file or a ``.zip`` of them.

    Returns
    -------
    pandas.DataFrame
        An ROI table. ``outline`` has vertices (y, x) in px with the centre of the first
        pixel at 0 (ImageJ's areas count from its corner: they are moved by half a
        pixel; lines and points are not); of a composite, the largest ring. Further
        columns: ``name``, ``type``, the position ``c``, ``z``, ``t`` (from 1; 0 means
        all), and, if there are composites, ``rings`` with all rings of each.

    Raises
    ------
    ReadError
        If it is no such file, or damaged.
    """
    return roi_table(read_rois(Path(path)))


def read_rois(path: Path) -> list[ImageJRoi]:
    """Return the ROIs of a ``.roi`` file or a ``.zip`` of them, as ImageJ has them."""
    try:
        if not zipfile.is_zipfile(path):
            if path.stat().st_size > _MAX_BYTES:
                raise ReadError(f"{path} is too large for an ImageJ ROI.")
            rois = [(path.stem, parse_roi(path.read_bytes(), path.name))]
        else:
            with zipfile.ZipFile(path) as archive:
                rois = [
                    (Path(entry.filename).stem, _read_entry(archive, entry, path))
                    for entry in archive.infolist()
                    if _is_roi(entry.filename)
                ]
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(
            f"{path} can not be read as ImageJ ROIs: {error}. Save the set again in "
            "ImageJ's ROI manager (More, Save)."
        ) from error
    except NotImplementedError as error:
        raise ReadError(f"{path} is packed in an unknown way: {error}.") from error
    if not rois:
        raise ReadError(f"{path} holds no .roi files; expected a set of ImageJ's ROIs.")
    return [_named(roi, name) for name, roi in rois]


def _is_roi(name: str) -> bool:
    """Return whether an entry is a ROI, and not what macOS packs beside it."""
    return name.lower().endswith(".roi") and not Path(name).name.startswith("._")


def _read_entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path
) -> ImageJRoi:
    if entry.file_size > _MAX_BYTES:
        raise ReadError(f"{entry.filename} in {path.name} claims over 1 GiB.")
    return parse_roi(archive.read(entry), f"{entry.filename} in {path.name}")


def _named(roi: ImageJRoi, name: str) -> ImageJRoi:
    if roi.name:
        return roi
    return ImageJRoi(name, roi.type, roi.rings, roi.c, roi.z, roi.t)


def roi_table(rois: Sequence[ImageJRoi]) -> pd.DataFrame:
    """Return ImageJ's ROIs as an ROI table (see :func:`read`)."""
    rings = [[_to_pixels(ring, roi) for ring in roi.rings] for roi in rois]
    index = pd.Index(new_roi_ids(len(rois)), name="roi_id", dtype=object)

    def text(values: list[Any]) -> "pd.Series[Any]":
        return pd.Series(values, index=index, dtype=object)

    table = pd.DataFrame(
        {
            "kind": text(["imported"] * len(rois)),
            "outline": text([_largest(parts) for parts in rings]),
            "accepted": True,
            "name": text([roi.name for roi in rois]),
            "type": text([roi.type for roi in rois]),
            "c": [roi.c for roi in rois],
            "z": [roi.z for roi in rois],
            "t": [roi.t for roi in rois],
        },
        index=index,
    )
    if any(roi.type == "composite" for roi in rois):
        table["rings"] = text([[ring.tolist() for ring in parts] for parts in rings])
    return table


def _to_pixels(ring: NDArray[np.float64], roi: ImageJRoi) -> NDArray[np.float64]:
    """Return (y, x) with pixel centres at whole numbers."""
    return ring[:, ::-1] - (0.5 if roi.is_area else 0.0)


def _largest(rings: Sequence[NDArray[np.float64]]) -> list[list[float]]:
    if not rings:
        return []
    largest = max(rings, key=_area) if len(rings) > 1 else rings[0]
    return [[float(y), float(x)] for y, x in largest]


def _area(ring: NDArray[np.float64]) -> float:
    y, x = ring.T
    return 0.5 * abs(float(y @ np.roll(x, 1) - x @ np.roll(y, 1)))


def read_components(path: str | Path, image_shape: Sequence[int]) -> Components:
    """Read ImageJ's areas as components: footprints with their holes, no traces.

    Parameters
    ----------
    path : path
        A ``.roi`` file or a ``.zip`` of them.
    image_shape : sequence of int
        (height, width), or (n_planes, height, width): a ROI is in its plane ``z``, or
        in all if it has none.

    Returns
    -------
    Components
        Every area, in the order of the file; a pixel belongs to it if its centre is
        inside, by the even-odd rule; areas outside the image have no pixels. Lines
        and points are left out. Scores: ``name``, ``type``.

    Raises
    ------
    ReadError
        If it is no such file, or all areas lie outside the image.
    """
    timer = StepTimer("read_results", {"format": "imagej"}, inputs=[str(path)])
    shape = tuple(int(size) for size in image_shape)
    rois = [roi for roi in read_rois(Path(path)) if roi.is_area and roi.rings]
    pixels = [_pixels_of(roi, shape) for roi in rois]
    outside = [roi.name for roi, p in zip(rois, pixels, strict=True) if p.size == 0]
    if outside:
        said = (
            f"{len(outside)} of {len(rois)} ROIs of {path}, such as {outside[0]!r}, "
            f"cover no pixel of an image of shape {shape}; open the recording that "
            "they were drawn on."
        )
        if len(outside) == len(rois):
            raise ReadError(said)
        warn(said)
    indptr = np.concatenate([[0], np.cumsum([p.size for p in pixels], dtype=np.int64)])
    rows = np.concatenate(pixels) if pixels else np.zeros(0, np.int64)
    matrix = sparse.csc_array(
        (np.ones(len(rows), np.float32), rows, indptr),
        shape=(int(np.prod(shape)), len(rois)),
    )
    scores = pd.DataFrame(
        {"name": [r.name for r in rois], "type": [r.type for r in rois]}, dtype=object
    )
    history = timer.extend([])
    return Components.build(matrix, shape, {}, scores=scores, history=history)


def _pixels_of(roi: ImageJRoi, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the numbers of the pixels whose centres a ROI encloses."""
    from skimage.measure import grid_points_in_poly

    height, width = shape[-2:]
    rings = [_to_pixels(ring, roi) for ring in roi.rings]
    joined = np.concatenate(rings)
    first = np.maximum(np.floor(joined.min(0)).astype(int), 0)
    last = np.minimum(np.ceil(joined.max(0)).astype(int), [height - 1, width - 1])
    if (last < first).any() or not np.isfinite(joined).all():
        return np.zeros(0, np.int64)
    inside = np.zeros(tuple(last - first + 1), bool)
    for ring in rings:
        inside ^= grid_points_in_poly(inside.shape, ring - first)
    y, x = np.nonzero(inside)
    flat = (y + first[0]) * width + (x + first[1])
    if len(shape) == 2:
        return np.asarray(flat, np.int64)
    planes = [roi.z - 1] if 0 < roi.z <= shape[0] else range(shape[0])
    return np.concatenate([z * height * width + flat for z in planes])
