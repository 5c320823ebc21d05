"""What a dropped file or folder is: a recording, results of a program, or both."""

import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import LIBRARIES, MesmerizeError, ReadError, reading

EVENTS, VESSELS = "isxd-events", "isxd-vessels"
TITLES = {EVENTS: "Inscopix event set", VESSELS: "Inscopix vessel set"}
_ARRAYS = ("stat.npy", "F.npy", "Fneu.npy", "spks.npy", "iscell.npy", "ops.npy")
_LARGEST_LABELS = 2**26  # pixels up to which an image is looked at


def results_in(path: str | Path) -> str | None:
    """Return the format of the results that a path holds; ``None`` for no results.

    Only names and headers are read. The format is one of
    :data:`~napari_mesmerize.io.results.FORMATS`, ``EVENTS`` or ``VESSELS``.
    """
    path = Path(path)
    name, suffix = path.name, path.suffix.lower()
    try:
        with reading(path, "results", libraries=LIBRARIES | {"zipfile"}):
            if path.is_dir():
                return "suite2p" if _has_planes(path) else None
            if name in _ARRAYS and (path.parent / "stat.npy").exists():
                return "suite2p"
            if name.lower().endswith("_seg.npy"):
                return "labels"
            if suffix == ".roi":
                return "imagej"
            if suffix == ".zip" and zipfile.is_zipfile(path):
                return "imagej" if _holds_rois(path) else None
            if suffix == ".isxd":
                return _inscopix(path)
            if suffix in (".hdf5", ".h5", ".hdf", ".nwb") and h5py.is_hdf5(path):
                return _hdf5(path)
    except ReadError:
        return None  # whoever opens it says what is wrong
    return None


def holds_recording(path: str | Path) -> bool:
    """Say whether a path with results also holds a movie."""
    from napari_mesmerize.io.read import list_recordings
    from napari_mesmerize.io.readers import SUFFIXES

    path = Path(path)
    if path.is_dir():
        movies = tuple(SUFFIXES)
        if (path / "stat.npy").exists():  # a plane of Suite2p: its arrays are results
            movies = tuple(suffix for suffix in SUFFIXES if suffix != ".npy")
        return any(file.name.lower().endswith(movies) for file in path.iterdir())
    if path.suffix.lower() != ".nwb":
        return False
    try:
        return any(not info.problem for info in list_recordings(path))
    except MesmerizeError:
        return False


def _has_planes(folder: Path) -> bool:
    from napari_mesmerize.io.suite2p.folder import find_planes

    return bool(find_planes(folder))


def _holds_rois(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.lower().endswith(".roi") for name in archive.namelist())


def _inscopix(path: Path) -> str | None:
    from napari_mesmerize.io.inscopix import container as isxd

    known = {isxd.CELL_SET: "isxd", isxd.EVENTS: EVENTS, isxd.VESSEL_SET: VESSELS}
    return known.get(isxd.read_footer(path).type)


def _hdf5(path: Path) -> str | None:
    with h5py.File(path, "r") as file:
        if path.suffix.lower() == ".nwb":
            return "nwb" if _has_segmentation(file) else None
        return "caiman" if "estimates" in file else None


def _has_segmentation(file: Any) -> bool:
    found = file.get("processing", {})

    def is_table(name: str, item: Any) -> bool | None:
        kind = item.attrs.get("neurodata_type", "")
        kind = kind.decode() if isinstance(kind, bytes) else kind
        return True if kind == "PlaneSegmentation" else None  # None: look on

    return bool(found and found.visititems(is_table))


def is_label_image(path: str | Path, image_shapes: list[tuple[int, ...]]) -> bool:
    """Say whether a TIFF is a label image that fits one of the open recordings.

    An image of whole numbers, as large as the recording (or with its axes exchanged),
    mostly made of pieces of equal numbers on a ground of 0.
    """
    from napari_mesmerize.io.read import list_recordings, read_recording

    shapes = {*image_shapes, *((*s[:-2], s[-1], s[-2]) for s in image_shapes)}
    if not shapes or Path(path).suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        infos = list_recordings(path)
    except MesmerizeError:
        return False
    if len(infos) != 1 or infos[0].problem:
        return False
    shape = tuple(infos[0].shape)
    fits = shape in shapes or (shape[0] == 1 and shape[1:] in shapes)
    if not fits or np.dtype(infos[0].dtype).kind not in "iub":
        return False
    if np.prod(shape) > _LARGEST_LABELS:
        return False
    return looks_like_labels(read_recording(path).to_numpy())


def looks_like_labels(image: NDArray[Any]) -> bool:
    """Say whether an image of whole numbers is made of pieces of equal numbers."""
    image = np.squeeze(image)
    if image.ndim not in (2, 3) or image.dtype.kind not in "iub" or image.min() != 0:
        return False
    inside = image > 0
    if not inside.any():
        return False
    both = inside[..., 1:] & inside[..., :-1]
    equal = (image[..., 1:] == image[..., :-1])[both]
    return bool(equal.size > 0 and equal.mean() > 0.6)
