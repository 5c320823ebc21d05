"""What Suite2p's output folders hold besides cells: planes, settings, images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.npy_objects import load_objects
from napari_mesmerize.io.paths import natural_key

_SETTINGS = (
    "db.npy",
    "settings.npy",
    "reg_outputs.npy",
    "detect_outputs.npy",
    "ops.npy",
)
_IMAGES = {
    "mean": "meanImg",
    "enhanced": "meanImgE",
    "max": "max_proj",
    "correlation": "Vcorr",
    "reference": "refImg",
}


def find_planes(path: Path) -> list[Path]:
    """Return the plane folders that a path means, in their order.

    It may be a plane folder, a file in one, the ``suite2p`` folder, or the folder in
    which that lies. ``combined`` is left out, since it holds the planes once more.

    Raises
    ------
    ReadError
        If there is none.
    """
    if path.is_file():
        path = path.parent
    if (path / "stat.npy").exists():
        return [path]
    for folder in (path, path / "suite2p"):
        planes = [p for p in folder.glob("plane*") if (p / "stat.npy").exists()]
        if planes:
            return sorted(planes, key=natural_key)
    raise ReadError(
        f"{path} is no output of Suite2p: neither stat.npy nor folders plane0, plane1, "
        "... with it are there. Choose the folder 'suite2p'."
    )


def read_images(path: str | Path) -> dict[str, NDArray[np.float32]]:
    """Return Suite2p's images in the full frame: mean, max, ...

    Images of several planes are stacked, as their components are a volume; what is
    missing or of another shape in one of them is left out.
    """
    planes = [_images(folder) for folder in find_planes(Path(path))]
    if len(planes) == 1:
        return planes[0]
    return {
        name: np.stack([images[name] for images in planes])
        for name, first in planes[0].items()
        if all(name in i and i[name].shape == first.shape for i in planes)
    }


def _images(folder: Path) -> dict[str, NDArray[np.float32]]:
    settings = read_settings(folder)
    height, width = (int(settings.get(key, 0)) for key in ("Ly", "Lx"))
    images = {}
    for name, key in _IMAGES.items():
        image = settings.get(key)
        if not isinstance(image, np.ndarray) or image.ndim != 2:
            continue
        whole = _paste(image, settings, (height, width))
        if whole is not None:
            images[name] = whole
    return images


def read_settings(folder: Path) -> dict[str, Any]:
    """Return everything that a plane's folder says about how it was made.

    1.x has four files, 0.x one; they are merged into one dict.
    """
    merged: dict[str, Any] = {}
    for name in _SETTINGS:
        if not (folder / name).exists():
            continue
        found = load_objects(folder / name)
        if not isinstance(found, Mapping):
            raise ReadError(f"{folder / name} holds no settings, expected a dict.")
        for key, value in found.items():
            if name != "ops.npy" or key not in merged:
                merged[str(key)] = value
    return merged


def _paste(
    image: NDArray[Any], settings: Mapping[str, Any], shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Return an image that covers only the valid range in a full frame."""
    if image.shape == shape:
        return np.asarray(image, np.float32)
    rows, columns = _range(settings.get("yrange")), _range(settings.get("xrange"))
    whole = np.zeros(shape, np.float32)
    if rows is None or columns is None or whole[rows, columns].shape != image.shape:
        return None
    whole[rows, columns] = image
    return whole


def _range(bounds: Any) -> slice | None:
    """Return the pixels that Suite2p says are valid; None if it says nothing."""
    if not isinstance(bounds, list | tuple | np.ndarray) or np.shape(bounds) != (2,):
        return None
    if not all(isinstance(bound, int | float | np.number) for bound in bounds):
        return None
    first, stop = bounds
    return slice(int(first), int(stop)) if 0 <= first <= stop else None
