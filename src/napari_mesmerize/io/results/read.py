"""Results of other programs, whatever the format: what a path holds says which."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.atomic import settle
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import labels
from napari_mesmerize.io.caiman import results as caiman
from napari_mesmerize.io.imagej import results as imagej
from napari_mesmerize.io.nwb import results as nwb
from napari_mesmerize.io.suite2p import folder as suite2p_folder
from napari_mesmerize.io.suite2p import results as suite2p

FORMATS = {
    "suite2p": "Suite2p folder",
    "caiman": "CaImAn HDF5",
    "imagej": "ImageJ ROIs",
    "labels": "label image",
    "isxd": "Inscopix cell set",
    "nwb": "NWB segmentation",
}


def detect_format(path: str | Path) -> str:
    """Return which of ``FORMATS`` a file or folder is, by what is in it.

    Parameters
    ----------
    path : path
        A file or folder.

    Returns
    -------
    str
        A key of ``FORMATS``: ``suite2p``, ``caiman``, ``imagej``, ``labels``, ``isxd``
        or ``nwb``.

    Raises
    ------
    ReadError
        If it is none of them.

    Notes
    -----
    Use it to find out whether a path holds results at all. :func:`read_results` calls
    it by itself.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.io.results import detect_format
    >>> np.save("labels.npy", np.eye(8, dtype=np.int32))
    >>> detect_format("labels.npy")
    'labels'
    """
    path = Path(path)
    if not path.exists():
        settle(path)  # finishes what a killed writer was about to
    if not path.exists():
        raise ReadError(f"{path} does not exist; check the name and the folder.")
    if path.is_dir():
        suite2p_folder.find_planes(path)
        return "suite2p"
    suffix = path.suffix.lower()
    if path.name in ("stat.npy", "F.npy", "iscell.npy", "ops.npy"):
        return "suite2p"
    if suffix == ".isxd":
        return "isxd"
    if suffix == ".nwb":
        return "nwb"
    if suffix == ".roi" or (suffix == ".zip" and zipfile.is_zipfile(path)):
        return "imagej"
    if suffix in (".hdf5", ".h5", ".hdf") or h5py.is_hdf5(path):
        return "caiman"
    if suffix in labels.SUFFIXES:
        return "labels"
    raise ReadError(
        f"{path.name} is none of the results that can be read: "
        f"{', '.join(FORMATS.values())}."
    )


def read_results(
    path: str | Path,
    *,
    image_shape: Sequence[int] | None = None,
    format: str | None = None,
    **options: Any,
) -> Components | pd.DataFrame:
    """Read what another program found or what was drawn in it.

    Parameters
    ----------
    path : path
        A Suite2p folder, CaImAn's ``.hdf5``, ImageJ's ``.roi`` or ``.zip``, a label
        image, or an Inscopix cell set.
    image_shape : sequence of int, optional
        (height, width) or (n_planes, height, width) of the recording, where the file
        does not say it. With it, ImageJ's ROIs become footprints, holes included.
    format : str, optional
        One of ``FORMATS``; default what the file looks like.
    **options
        Options of the format: ``only_accepted`` (Suite2p, CaImAn, NWB), ``plane``,
        ``neuropil_factor``, ``overlap`` (Suite2p), ``swap_axes``, ``table`` (NWB).

    Returns
    -------
    Components or pandas.DataFrame
        Components with the traces and scores as stored; of ImageJ's ROIs without
        ``image_shape`` the ROI table with their outlines.

    Raises
    ------
    ReadError
        If the file is missing, damaged or of none of these formats.

    Notes
    -----
    Use it for results that exist. To measure ROIs on a recording yourself, read them
    and call :func:`~napari_mesmerize.extract_traces`; to refine them, give them as
    ``seeds=`` to :func:`~napari_mesmerize.extract_components`. Check with
    :func:`check_fit` that they belong to your recording.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.io.results import read_results
    >>> labels = np.zeros((16, 16), np.int32)
    >>> labels[2:6, 2:6], labels[9:13, 9:13] = 1, 2
    >>> np.save("labels.npy", labels)
    >>> components = read_results("labels.npy")
    >>> len(components), components.image_shape
    (2, (16, 16))
    """
    form = detect_format(path) if format is None else format
    if form == "suite2p":
        return suite2p.read(path, image_shape=image_shape, **options)
    if form == "caiman":
        return caiman.read(path, image_shape=image_shape, **options)
    if form == "nwb":
        return nwb.read(path, image_shape=image_shape, **options)
    if form == "labels":
        return labels.read(path, image_shape=image_shape, **options)
    if form == "isxd":
        from napari_mesmerize.io.inscopix.results import read_cell_set

        return read_cell_set(path, **options)
    if form == "imagej":
        if image_shape is None:
            return imagej.read(path, **options)
        return imagej.read_components(path, image_shape, **options)
    raise ReadError(f"format={form!r} is unknown; use one of {', '.join(FORMATS)}.")


def read_result_images(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the images (mean, maximum, correlation, ...) that results come with.

    Parameters
    ----------
    path : path
        As for :func:`read_results`.

    Returns
    -------
    dict of str to numpy.ndarray
        Images by name; empty for formats that hold none.

    Raises
    ------
    ReadError
        If the path holds no results, or is damaged.

    Notes
    -----
    Use it to look at results without their recording. With the recording at hand,
    :func:`~napari_mesmerize.transforms.project` computes the images from its pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.io.results import read_result_images
    >>> np.save("labels.npy", np.eye(8, dtype=np.int32))
    >>> read_result_images("labels.npy")  # a label image comes alone
    {}
    """
    form = detect_format(path)
    if form == "suite2p":
        return dict(suite2p_folder.read_images(path))
    if form == "caiman":
        return dict(caiman.read_images(path))
    return {}
