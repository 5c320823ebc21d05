"""Write results, whatever the format: the suffix or a name says which."""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError


class ResultFormat(NamedTuple):
    """A format: its title, its suffix (none: a folder), and what writes it."""

    title: str
    suffix: str
    module: str
    function: str


_IO = "napari_mesmerize.io"
EXPORTS: dict[str, ResultFormat] = {
    "csv": ResultFormat("Traces as CSV", ".csv", f"{_IO}.csv", "write_traces_csv"),
    "imagej": ResultFormat(
        "ImageJ ROIs", ".zip", f"{_IO}.imagej.export", "write_imagej_rois"
    ),
    "caiman": ResultFormat(
        "CaImAn HDF5", ".hdf5", f"{_IO}.caiman.export", "write_caiman"
    ),
    "suite2p": ResultFormat(
        "Suite2p folder", "", f"{_IO}.suite2p.export", "write_suite2p"
    ),
    "mat": ResultFormat("MATLAB", ".mat", f"{_IO}.matlab.export", "write_mat"),
    "nwb": ResultFormat("NWB", ".nwb", f"{_IO}.nwb.export", "write_nwb"),
    "isxd": ResultFormat(
        "Inscopix cell set",
        ".isxd",
        "napari_mesmerize.io.inscopix.results",
        "write_cell_set",
    ),
}


def write_results(
    components: Components,
    path: str | Path,
    *,
    format: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Write components for another program.

    Parameters
    ----------
    components : Components
        What to write.
    path : path
        The file or folder; its suffix says the format, no suffix is a Suite2p folder.
    format : str, optional
        One of ``EXPORTS``.
    overwrite : bool, optional
        Whether what is there may be replaced.
    **options
        Options of the format, such as ``layout`` of CSV or ``session`` of NWB.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ParameterError
        If the format is unknown.
    WriteError
        If something is there already, or can not be written.

    Notes
    -----
    Use it to hand components to another program, and
    :meth:`~napari_mesmerize.Components.save` to keep them: no other format holds
    background, scores and history together. The functions ``write_...`` of one format
    offer the same with their options spelled out.

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
    >>> from napari_mesmerize.io.results import write_results
    >>> write_results(components, "traces.csv", layout="long").name
    'traces.csv'
    >>> write_results(components, "rois.zip").name
    'rois.zip'
    """
    path = Path(path)
    if format is None:
        suffix = {".h5": ".hdf5"}.get(path.suffix.lower(), path.suffix.lower())
        fitting = [name for name, known in EXPORTS.items() if known.suffix == suffix]
        format = fitting[0] if fitting else None
    if format not in EXPORTS:
        raise ParameterError(
            f"{path.name} does not say a format that results are written in; use a "
            f"suffix of {', '.join(f.suffix for f in EXPORTS.values() if f.suffix)}, "
            f"or format= one of {', '.join(EXPORTS)}."
        )
    known = EXPORTS[format]
    write = getattr(importlib.import_module(known.module), known.function)
    written = write(components, path, overwrite=overwrite, **options)
    return path if written is None else Path(written)
