"""A sample as one NWB file: movie, segmentation, traces, epochs, history."""

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, Field

from napari_mesmerize.components import Components
from napari_mesmerize.errors import MissingExtraError, ParameterError
from napari_mesmerize.history import json_safe
from napari_mesmerize.io.writers.nwb_movie import add_movie
from napari_mesmerize.io.writers.whole import written_whole
from napari_mesmerize.progress import Progress, silent

_SERIES = {
    "raw": ("RoiResponseSeries", "Fluorescence of each ROI"),
    "dff": ("RoiResponseSeries", "Fluorescence relative to its baseline, dF/F"),
    "denoised": ("Denoised", "Denoised fluorescence of each ROI"),
    "corrected": ("Corrected", "Fluorescence less neuropil"),
    "residual": ("Residual", "Fluorescence less what is denoised"),
    "neuropil": ("Neuropil", "Neuropil around each ROI"),
    "spikes": ("Deconvolved", "Deconvolved activity of each ROI"),
}
_RESERVED = frozenset(
    ["id", "pixel_mask", "voxel_mask", "image_mask", "reference_images"]
)


class NwbSession(BaseModel, frozen=True, extra="forbid"):
    """What an NWB file says about the session and the animal."""

    description: Annotated[str, Field(description="What was recorded")] = (
        "Calcium imaging"
    )
    session_id: Annotated[str, Field(description="Name of the session")] = ""
    start_time: Annotated[
        str, Field(description="ISO 8601; default the recording's date")
    ] = ""
    experimenter: Annotated[str, Field(description="'Last, First'")] = ""
    institution: Annotated[str, Field(description="Institution")] = ""
    lab: Annotated[str, Field(description="Laboratory")] = ""
    experiment_description: Annotated[str, Field(description="Aim of the study")] = (
        "Calcium imaging analysed with napari-mesmerize"
    )
    keywords: Annotated[tuple[str, ...], Field(description="Keywords")] = (
        "calcium imaging",
    )
    subject_id: Annotated[str, Field(description="The animal")] = ""
    species: Annotated[str, Field(description="Latin name")] = "Mus musculus"
    sex: Annotated[str, Field(description="M, F, U or O", pattern="^[MFUO]$")] = "U"
    age: Annotated[str, Field(description="ISO 8601 duration, such as P90D")] = ""
    indicator: Annotated[str, Field(description="Such as GCaMP6f")] = "GCaMP"
    location: Annotated[str, Field(description="Part of the brain")] = "unknown"
    excitation_nm: Annotated[
        float, Field(description="Excitation wavelength", gt=0)
    ] = 920.0
    emission_nm: Annotated[float, Field(description="Emission wavelength", gt=0)] = (
        510.0
    )
    device: Annotated[str, Field(description="Name of the microscope")] = "Microscope"
    manufacturer: Annotated[str, Field(description="Its maker")] = "unknown"
    one_photon: Annotated[bool, Field(description="One-photon imaging")] = False


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
    """
    try:
        import pynwb
    except ImportError as error:
        raise MissingExtraError(
            "NWB export needs pynwb: pip install 'napari-mesmerize[nwb]'"
        ) from error
    path = Path(path)
    _check(components, rois, recording, movie)
    builder = _Builder(session or NwbSession(), components, recording)
    if movie != "none" and recording is not None:
        add_movie(
            builder.file,
            builder.plane,
            recording,
            timing=builder.timing,
            one_photon=builder.session.one_photon,
            link=movie == "link",
            compress=compress,
            progress=progress,
        )
    if components is not None:
        builder.add_components(components, rois)
    if projections:
        builder.add_projections(projections)
    if epochs is not None and len(epochs):
        builder.add_epochs(epochs)
    builder.add_history()
    with (
        written_whole(path, overwrite=overwrite) as parts,
        pynwb.NWBHDF5IO(str(parts), "w") as file,
    ):
        file.write(builder.file)
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


class _Builder:
    """Builds the file's objects; nothing is on disk before they are written."""

    def __init__(
        self,
        session: NwbSession,
        components: Components | None,
        recording: xr.DataArray | None,
    ) -> None:
        self.session = session
        self._attrs: Mapping[str, Any] = {} if recording is None else recording.attrs
        self._history = list(self._attrs.get("history") or [])
        if components is not None:
            known = {step.get("id") for step in self._history}
            self._history += [s for s in components.history if s.get("id") not in known]
        self.timing = self._timing(components, recording)
        self.file = self._file()
        self.plane = self._plane()
        self._module: Any = None

    def _timing(
        self, components: Components | None, recording: xr.DataArray | None
    ) -> dict[str, Any]:
        if recording is not None and "time_s" in recording.coords:
            return {"timestamps": recording.coords["time_s"].to_numpy()}
        rate = self._attrs.get("frame_rate")
        if rate is None and components is not None:
            rate = components.frame_rate
        if rate is None:
            raise ParameterError(
                "NWB needs the frame rate, and neither the recording nor the "
                "components say it. Set recording.attrs['frame_rate'] (Hz)."
            )
        return {"rate": float(rate), "starting_time": 0.0}

    def _file(self) -> Any:
        from pynwb import NWBFile
        from pynwb.file import Subject

        session = self.session
        start = session.start_time or self._attrs.get("date")
        try:
            began = datetime.fromisoformat(start) if start else None
        except ValueError as error:
            raise ParameterError(
                f"start_time={start!r} is no ISO 8601 date, such as "
                "2026-05-01T10:00:00+02:00."
            ) from error
        if began is None:
            began = datetime(1970, 1, 1, tzinfo=UTC)
        if began.tzinfo is None:
            began = began.astimezone()
        file = NWBFile(
            session_description=session.description,
            identifier=str(uuid.uuid4()),
            session_start_time=began,
            session_id=session.session_id or None,
            experimenter=[session.experimenter] if session.experimenter else None,
            institution=session.institution or None,
            lab=session.lab or None,
            experiment_description=session.experiment_description,
            keywords=list(session.keywords),
        )
        if session.subject_id:
            file.subject = Subject(
                subject_id=session.subject_id,
                species=session.species,
                sex=session.sex,
                age=session.age or None,
                description="The animal that was recorded",
            )
        return file

    def _plane(self) -> Any:
        from pynwb.ophys import OpticalChannel

        session = self.session
        device = self.file.create_device(
            name=session.device,
            description=str(self._attrs.get("origin") or "Microscope"),
            manufacturer=session.manufacturer,
        )
        channel = OpticalChannel(
            name="OpticalChannel",
            description=f"Emission of {session.indicator}",
            emission_lambda=session.emission_nm,
        )
        spacing: dict[str, Any] = {}
        size = self._attrs.get("pixel_size_um")
        if size is not None:
            steps = [float(size[1]), float(size[0])]
            if self._attrs.get("z_step_um"):
                steps.append(float(self._attrs["z_step_um"]))
            spacing = {"grid_spacing": steps, "grid_spacing_unit": "micrometers"}
        return self.file.create_imaging_plane(
            name="ImagingPlane",
            optical_channel=channel,
            description="The plane or volume that was imaged",
            device=device,
            excitation_lambda=session.excitation_nm,
            indicator=session.indicator,
            location=session.location,
            imaging_rate=self.timing.get("rate"),
            **spacing,
        )

    @property
    def _ophys(self) -> Any:
        if self._module is None:
            self._module = self.file.create_processing_module(
                name="ophys", description="Segmentation and traces"
            )
        return self._module

    def add_components(self, components: Components, rois: pd.DataFrame | None) -> None:
        """Add footprints, curation, scores and traces."""
        from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation

        if len(components) == 0:
            return
        segmentation = ImageSegmentation(name="ImageSegmentation")
        self._ophys.add(segmentation)
        table = segmentation.create_plane_segmentation(
            name="PlaneSegmentation",
            description="Footprints of the components",
            imaging_plane=self.plane,
        )
        volume = len(components.image_shape) == 3
        for mask in _masks(components):
            table.add_roi(**{"voxel_mask" if volume else "pixel_mask": mask})
        for name, description, values in _columns(components, rois):
            table.add_column(name=name, description=description, data=values)
        groups: dict[str, Any] = {}
        for kind, traces in components.traces.items():
            name, text = _SERIES.get(kind, (kind.title().replace("_", ""), kind))
            group = "DfOverF" if kind == "dff" else "Fluorescence"
            if group not in groups:
                made = DfOverF if kind == "dff" else Fluorescence
                groups[group] = made(name=group)
                self._ophys.add(groups[group])
            self._add_series(groups[group], name, text, traces, table)

    def _add_series(
        self, group: Any, name: str, description: str, traces: NDArray[Any], table: Any
    ) -> None:
        from pynwb import H5DataIO

        region = table.create_roi_table_region(
            region=list(range(len(traces))), description="All components"
        )
        group.create_roi_response_series(
            name=name,
            description=description,
            data=H5DataIO(np.ascontiguousarray(traces.T), compression="gzip"),
            rois=region,
            unit="n.a.",
            **self.timing,
        )

    def add_projections(self, projections: Mapping[str, ArrayLike]) -> None:
        """Add images of single planes."""
        from pynwb.base import Images
        from pynwb.image import GrayscaleImage

        images = [
            GrayscaleImage(
                name=name,
                description=f"{name} over all frames",
                data=np.asarray(image, np.float32).T,
            )
            for name, image in projections.items()
            if np.ndim(image) == 2
        ]
        if images:
            self._ophys.add(
                Images(
                    name="SegmentationImages",
                    images=images,
                    description="Images over all frames",
                )
            )

    def add_epochs(self, epochs: pd.DataFrame) -> None:
        """Add stimulus epochs as trials, in the order of time."""
        columns = {
            "stimulus_type": "Kind of stimulus or behaviour",
            "stimulus_name": "Which stimulus",
            "colour": "Colour to draw it in, #rrggbb",
        }
        for name, description in columns.items():
            self.file.add_trial_column(name=name, description=description)
        for row in epochs.sort_values("start_s", kind="stable").to_dict("records"):
            self.file.add_trial(
                start_time=float(row["start_s"]),
                stop_time=float(row["stop_s"]),
                stimulus_type=str(row["stimulus_type"]),
                stimulus_name=str(row["name"]),
                colour=str(row.get("colour") or "#000000"),
            )

    def add_history(self) -> None:
        """Add the steps that led here, as JSON text."""
        from pynwb.core import ScratchData

        if self._history:
            self.file.add_scratch(
                ScratchData(
                    name="history",
                    data=json.dumps(json_safe(self._history)),
                    description="Steps of the analysis, as JSON",
                )
            )


def _masks(components: Components) -> Iterable[list[tuple[float, ...]]]:
    """Yield the pixels of each footprint: (x, y, weight) or (x, y, z, weight)."""
    matrix = components.footprints
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        places = np.unravel_index(matrix.indices[start:stop], components.image_shape)
        columns = [axis.tolist() for axis in places[::-1]]  # x, y(, z)
        weights = matrix.data[start:stop].astype(float).tolist()
        yield list(zip(*columns, weights, strict=True))


def _columns(
    components: Components, rois: pd.DataFrame | None
) -> list[tuple[str, str, Any]]:
    """Return name, description and values of the segmentation's columns."""
    table = components.scores if rois is None else rois.loc[list(components.roi_ids)]
    accepted = components.accepted if rois is None else table["accepted"].to_numpy(bool)
    columns: list[tuple[str, str, Any]] = [
        ("roi_id", "Unique name of the ROI", list(components.roi_ids)),
        ("accepted", "Whether the ROI was accepted", accepted.tolist()),
    ]
    taken = {"roi_id", "accepted", *_RESERVED}
    for key, values in table.items():
        name = "".join(c if c.isalnum() else "_" for c in str(key)).lower().strip("_")
        if name in taken or key in ("outline", "rings") or not name:
            continue
        taken.add(name)
        if values.dtype.kind in "iufb":
            columns.append((name, f"Score or property {key}", values.to_numpy()))
        else:
            text = ["" if pd.isna(v) else str(v) for v in values]
            columns.append((name, f"Tag or property {key}", text))
    return columns
