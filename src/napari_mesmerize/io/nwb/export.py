"""A sample as one NWB file: movie, segmentation, traces, epochs, history."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import MissingExtraError, ParameterError
from napari_mesmerize.io.hdf5 import writing_hdf5
from napari_mesmerize.io.nwb.export_movie import add_movie
from napari_mesmerize.io.nwb.export_parts import (
    add_components,
    add_epochs,
    add_history,
    add_image_shape,
    add_projections,
)
from napari_mesmerize.io.nwb.export_session import NwbSession, new_file, new_plane
from napari_mesmerize.progress import Progress, silent

__all__ = ["NwbSession", "write_nwb"]

_SAME_S = 1e-6  # times that differ less are the same


def write_nwb(
    components: Components | None,
    path: str | Path,
    *,
    rois: pd.DataFrame | None = None,
    recording: xr.DataArray | None = None,
    epochs: pd.DataFrame | None = None,
    projections: Mapping[str, ArrayLike] | None = None,
    session: NwbSession | None = None,
    movie: str = "none",
    compress: bool = True,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write an NWB file that other programs and DANDI take.

    Parameters
    ----------
    components : Components or None
        Footprints become pixel masks (of volumes voxel masks), traces response series.
    path : path
        The ``.nwb`` file.
    rois : pandas.DataFrame, optional
        The ROI table of the components: tags, curation and scores become columns.
    recording : xarray.DataArray, optional
        Frame rate, time stamps and pixel size are taken from it, and the movie.
    epochs : pandas.DataFrame, optional
        Stimulus epochs, written as trials.
    projections : mapping, optional
        Images by name.
    session : NwbSession, optional
        What is known of session and animal.
    movie : str, optional
        ``none``; ``copy``: the frames, batch by batch; ``link``: the path of the
        source.
    compress : bool, optional
        Compress a copied movie (gzip); takes about five times as long.
    overwrite : bool, optional
        Whether a file of that name may be replaced.
    progress : Progress, optional
        Wraps the copying of the movie.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    MissingExtraError
        If pynwb is not installed.
    ParameterError
        If the parts do not fit each other.
    WriteError
        If the file exists, or can not be written.

    Notes
    -----
    Use it to share data or to publish it on DANDI; give ``session``, without which the
    file lacks what DANDI asks for. ``movie="link"`` keeps the file small but breaks
    when the recording moves; ``"copy"`` holds all frames. To go on working yourself, a
    project is easier to change.

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
    >>> from napari_mesmerize.io.results import NwbSession, write_nwb
    >>> session = NwbSession(description="Odours to an awake mouse", subject_id="m1")
    >>> write_nwb(components, "m1.nwb", session=session).name
    'm1.nwb'
    """
    try:
        import pynwb
    except ImportError as error:
        raise MissingExtraError(
            "NWB export needs pynwb: pip install 'napari-mesmerize[nwb]'"
        ) from error
    path = Path(path)
    _check(components, rois, recording, movie)
    session = session or NwbSession()
    attrs = {} if recording is None else recording.attrs
    timing = _timing(components, recording)
    file = new_file(session, attrs)
    rate = timing.get("rate") or attrs.get("frame_rate")
    plane = new_plane(file, session, attrs, rate)
    if movie != "none" and recording is not None:
        add_movie(
            file,
            plane,
            recording,
            path.parent,
            timing=timing,
            one_photon=session.one_photon,
            link=movie == "link",
            compress=compress,
            progress=progress,
        )
    if components is not None:
        add_components(file, plane, components, rois, timing)
        add_image_shape(file, components.image_shape)
    if projections:
        add_projections(file, projections)
    if epochs is not None and len(epochs):
        add_epochs(file, epochs)
    add_history(file, _history(components, attrs))
    with (
        written_whole(path, overwrite=overwrite) as parts,
        writing_hdf5(),
        pynwb.NWBHDF5IO(str(parts), "w") as stream,
    ):
        stream.write(file)
    return path


def _check(
    components: Components | None,
    rois: pd.DataFrame | None,
    recording: xr.DataArray | None,
    movie: str,
) -> None:
    if movie not in ("none", "copy", "link"):
        raise ParameterError(f"movie={movie!r}; expected 'none', 'copy' or 'link'.")
    if movie != "none" and recording is None:
        raise ParameterError(f"movie={movie!r} needs recording=...")
    if rois is not None and components is not None:
        missing = [roi for roi in components.roi_ids if roi not in rois.index]
        if missing:
            raise ParameterError(
                f"The ROI table lacks {len(missing)} of {len(components)} components, "
                f"such as {missing[0]}; give the table of these components."
            )


def _history(
    components: Components | None, attrs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the steps of recording and components, each once."""
    steps = list(attrs.get("history") or [])
    if components is not None:
        known = {step.get("id") for step in steps}
        steps += [step for step in components.history if step.get("id") not in known]
    return steps


def _timing(
    components: Components | None, recording: xr.DataArray | None
) -> dict[str, Any]:
    """Return the time stamps, or rate and start where the frames are regular."""
    if recording is not None and "time_s" in recording.coords:
        times = recording.coords["time_s"].to_numpy()
        return _regular(times) or {"timestamps": times}
    rate = None if recording is None else recording.attrs.get("frame_rate")
    if rate is None and components is not None:
        rate = components.frame_rate
    if rate is None:
        raise ParameterError(
            "NWB needs the frame rate, and neither the recording nor the "
            "components say it. Set recording.attrs['frame_rate'] (Hz)."
        )
    return {"rate": float(rate), "starting_time": 0.0}


def _regular(times: NDArray[np.float64]) -> dict[str, Any]:
    """Return rate and start of equally spaced times; nothing for others."""
    if len(times) < 2 or not times[0] < times[-1] < np.inf:
        return {}
    even = np.linspace(times[0], times[-1], len(times))
    if not np.abs(times - even).max() <= _SAME_S:
        return {}
    rate = (len(times) - 1) / float(times[-1] - times[0])
    return {"rate": rate, "starting_time": float(times[0])}
