"""Named arrays as a Zarr folder (projections), and a quick check that all is there."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.errors import ParameterError, ProjectError, ReadError, reading
from napari_mesmerize.project.json_files import Remedy, check_format

FORMAT = "napari-mesmerize projections"
FORMAT_VERSION = 1
_NOT_OURS = frozenset(["thumbs.db", "desktop.ini"])


def write_projections(path: Path, projections: Mapping[str, ArrayLike]) -> None:
    """Write images by name to a new Zarr folder."""
    root = zarr.create_group(path)
    root.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
    for name, values in projections.items():
        image = np.ascontiguousarray(values)
        if image.ndim not in (2, 3) or image.dtype.kind not in "buif":
            raise ParameterError(
                f"Projection {name!r} has shape {image.shape} and dtype {image.dtype}; "
                "expected real numbers of shape (y, x) or (z, y, x)."
            )
        dims = ("y", "x") if image.ndim == 2 else ("z", "y", "x")
        chunks = tuple(max(1, size) for size in image.shape)
        root.create_array(
            str(name),
            data=image,
            chunks=chunks,
            dimension_names=dims,
            config={"write_empty_chunks": True},
        )


def read_projections(path: Path, remedy: Remedy) -> dict[str, NDArray[Any]]:
    """Read what :func:`write_projections` wrote.

    Raises
    ------
    ProjectError
        If the folder is damaged, something else or of a newer version.
    """
    try:
        with reading(path, "images", remedy=""):
            root = zarr.open_group(path, mode="r")
            check_format(dict(root.attrs), path, FORMAT, FORMAT_VERSION, remedy)
            return {name: np.asarray(array[...]) for name, array in root.arrays()}
    except ReadError as error:
        raise ProjectError(f"{path} is damaged: {error} {remedy()}") from error


def measure_tree(folder: Path, *, deep: bool) -> dict[str, Any]:
    """Return how many files a folder holds, their bytes and, if ``deep``, a checksum.

    The checksum is SHA-256 over each file's path (forward slashes), size and content,
    in the order of the paths. Files that an operating system adds by itself do not
    count.
    """
    names: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        names += [
            os.path.relpath(os.path.join(parent, name), folder)
            for name in files
            if not name.startswith("._") and name != ".DS_Store"
        ]
    names = sorted(
        name.replace(os.sep, "/")
        for name in names
        if os.path.basename(name).lower() not in _NOT_OURS
    )
    measure: dict[str, Any] = {
        "files": len(names),
        "bytes": sum((folder / name).stat().st_size for name in names),
    }
    if deep:
        digest = hashlib.sha256()
        for name in names:
            content = (folder / name).read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        measure["sha256"] = digest.hexdigest()
    return measure


def check_tree(
    folder: Path,
    recorded: Mapping[str, Any] | None,
    remedy: Remedy,
    *,
    deep: bool = False,
) -> None:
    """Raise if a folder is not as it was measured when it was written.

    Zarr takes a chunk that is missing for zeros; this finds it.

    Raises
    ------
    ProjectError
        If files are missing, cut short or, with ``deep``, changed.
    """
    if not folder.is_dir():
        raise ProjectError(f"{folder} is missing. {remedy()}")
    if not recorded:
        return
    deep = deep and "sha256" in recorded
    found = measure_tree(folder, deep=deep)
    for key in ("files", "bytes", "sha256"):
        if key in found and key in recorded and found[key] != recorded[key]:
            raise ProjectError(
                f"{folder} is damaged: {key} is {found[key]}, but was "
                f"{recorded[key]} when it was written. {remedy()}"
            )
