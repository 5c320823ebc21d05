"""Components as a MATLAB file: matrices by name."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import io, sparse

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError

_LIMIT = 2**31


def write_mat(
    components: Components, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write components so that MATLAB's ``load`` and Octave read them.

    Parameters
    ----------
    components : Components
        What to write.
    path : path
        The ``.mat`` file (version 5).
    overwrite : bool, optional
        Whether a file of that name may be replaced.

    Returns
    -------
    pathlib.Path
        What was written: ``footprints`` (sparse, pixels x ROIs, in MATLAB's
        column-major order, so that ``reshape(full(footprints(:, i)), image_size)`` is
        an image of y by x[ by z]), ``image_size``, ``traces`` (a struct of ROIs x
        frames), ``scores`` (a struct), ``accepted``, ``roi_ids``, ``frame_rate`` (NaN
        if unknown).

    Raises
    ------
    ParameterError
        If an array is larger than the format holds (2 GiB).
    WriteError
        If the file exists, or can not be written.

    Notes
    -----
    Use it for MATLAB and Octave. Files of this version hold arrays up to 2 GiB; for
    longer recordings write NWB or CSV. Footprints are in MATLAB's column-major order.

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
    >>> from scipy.io import loadmat
    >>> from napari_mesmerize.io.results import write_mat
    >>> stored = loadmat(write_mat(components, "cells.mat"))
    >>> stored["footprints"].shape
    (256, 2)
    """
    path = Path(path)
    largest = max((t.nbytes for t in components.traces.values()), default=0)
    if largest >= _LIMIT:
        raise ParameterError(
            f"A trace array of {largest / 2**30:.1f} GiB does not fit into a MATLAB "
            "file of version 5 (2 GiB); write NWB or CSV."
        )
    shape = components.image_shape
    pixels = np.arange(int(np.prod(shape))).reshape(shape)
    if len(shape) == 3:
        pixels = pixels.transpose(1, 2, 0)
    order = pixels.ravel(order="F")
    rows = sparse.csr_matrix(components.footprints.astype(np.float64))[order]
    content: dict[str, Any] = {
        "footprints": sparse.csc_matrix(rows),
        "image_size": np.array(pixels.shape, float),
        "traces": dict(components.traces) or np.zeros((0, 0)),
        "scores": _struct(components),
        "accepted": components.accepted,
        "roi_ids": np.array(components.roi_ids, dtype=object),
        "frame_rate": np.nan
        if components.frame_rate is None
        else components.frame_rate,
    }
    with written_whole(path, overwrite=overwrite) as parts:
        io.savemat(
            str(parts),
            content,
            appendmat=False,
            do_compression=True,
            long_field_names=True,
        )
    return path


def _struct(components: Components) -> Any:
    """Return the scores by names that MATLAB allows as fields."""
    fields: dict[str, Any] = {}
    for key, values in components.scores.items():
        name = "".join(c if c.isascii() and c.isalnum() else "_" for c in str(key))
        name = (name if name[:1].isalpha() else f"x{name}")[:63]
        numbers = values.dtype.kind in "biuf"
        fields[name] = (
            values.to_numpy() if numbers else values.astype(str).to_numpy(object)
        )
    return fields or np.zeros((0, 0))
