"""A sample as it lies in a project: its parts, read when asked for."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ProjectError, ReadError
from napari_mesmerize.project import backups, parquet, reopen, stored_images
from napari_mesmerize.project.commit import current_folder
from napari_mesmerize.project.config import Config, fill_roi_tags
from napari_mesmerize.project.json_files import Remedy, read_json
from napari_mesmerize.project.recording_copy import CopiedFrames

FORMAT = "napari-mesmerize sample"
FORMAT_VERSION = 1
T = TypeVar("T")


class Sample:
    """A recording's components, ROI table, epochs and facts, as the project keeps them.

    Nothing is read before it is asked for; what is returned is the reader's own copy,
    and changes are saved through the project (``update_rois`` and its kin).

    Parameters
    ----------
    project : pathlib.Path
        The project folder.
    name : str
        The sample's folder name.
    config : callable
        Returns the project's configuration as it is now.

    Notes
    -----
    ``project.sample(id)`` returns one. Use it to read; to change a sample, use the
    methods of :class:`~napari_mesmerize.project.Project`. Parts that were not saved are
    ``None`` or empty.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording, create_project
    >>> recording = as_recording(np.zeros((10, 16, 16)), frame_rate=10)
    >>> project = create_project("my_project")
    >>> _ = project.add_sample("m1", "t1", recording=recording, comments="First.")
    >>> sample = project.sample("m1-_-t1")
    >>> sample.comments, sample.facts["frame_rate"], sample.components
    ('First.', 10.0, None)
    """

    def __init__(self, project: Path, name: str, config: Callable[[], Config]) -> None:
        self._project = project
        self._name = name
        self._config = config

    def __repr__(self) -> str:
        return f"<Sample {self.sample_id} of {self._project}>"

    @property
    def path(self) -> Path:
        """The sample's folder."""
        return current_folder(self._project / "samples", self._name)

    @property
    def folder_name(self) -> str:
        """Name of its folder, as the file system spells it."""
        return self._name

    @property
    def sample_id(self) -> str:
        """``<animal_id>-_-<trial_id>``."""
        return unicodedata.normalize("NFC", self._name)

    @property
    def animal_id(self) -> str:
        """The animal."""
        return str(self._document["animal_id"])

    @property
    def trial_id(self) -> str:
        """The trial."""
        return str(self._document["trial_id"])

    @property
    def comments(self) -> str:
        """Free text."""
        return str(self._document.get("comments", ""))

    @property
    def custom(self) -> dict[str, Any]:
        """Value of each custom column of the project."""
        saved = self._document.get("custom", {})
        return {
            column.name: column.convert(saved[column.name])
            if column.name in saved
            else column.default
            for column in self._config().custom_columns
        }

    @property
    def facts(self) -> dict[str, Any]:
        """The recording's facts: ``frame_rate``, ``shape``, ``source``, ..."""
        facts = dict(self._document.get("recording") or {})
        if facts.get("pixel_size_um") is not None:
            facts["pixel_size_um"] = tuple(facts["pixel_size_um"])
        return facts

    @property
    def history(self) -> list[dict[str, Any]]:
        """The steps that led to the sample, curation included."""
        name = "rois.parquet"
        edits = self._read(
            lambda: parquet.read_table_history(self.path / name, self.remedy(name))
        )
        return [*self._document.get("history", []), *edits]

    @property
    def rois(self) -> pd.DataFrame:
        """The ROI table, with each ROI tag of the project as a column."""
        return fill_roi_tags(self.roi_columns(), self._config())

    def roi_columns(self, *, outlines: bool = True) -> pd.DataFrame:
        """Return the ROI table as the file holds it, optionally without outlines."""
        name, without = "rois.parquet", () if outlines else ("outline",)
        return self._read(
            lambda: parquet.read_table(
                self.path / name, parquet.ROIS, self.remedy(name), without=without
            )
        )

    def row(self) -> dict[str, Any]:
        """Return what the project's tables show of it; custom values as saved."""
        document = self._document
        recording = document.get("recording") or {}
        rate, shape = recording.get("frame_rate"), recording.get("shape") or [0]
        return {
            "sample_id": document["sample_id"],
            "animal_id": document["animal_id"],
            "trial_id": document["trial_id"],
            "date": recording.get("date"),
            "comments": document.get("comments", ""),
            "frame_rate": np.nan if rate is None else float(rate),
            "n_frames": int(shape[0]),
            "custom": dict(document.get("custom", {})),
        }

    @property
    def epochs(self) -> pd.DataFrame:
        """Stimulus epochs; a table without rows if there are none."""
        return self._table("epochs.parquet", parquet.EPOCHS)

    @property
    def frame_times(self) -> NDArray[np.float64] | None:
        """Real time stamps of the frames in seconds, or None if the file had none."""
        if "frame_times.parquet" not in self._document.get("parts", []):
            return None
        times = self._table("frame_times.parquet", parquet.TIMES)["time_s"]
        return np.asarray(times, dtype=np.float64)

    @property
    def components(self) -> Components | None:
        """The components, or None; ``accepted`` is that of the ROI table."""
        if "components.zarr" not in self._document.get("parts", []):
            return None
        components = self._read(self._load_components)
        curated = self.roi_columns(outlines=False)["accepted"].to_dict()
        accepted = [
            bool(curated.get(roi_id, found))
            for roi_id, found in zip(
                components.roi_ids, components.accepted, strict=True
            )
        ]
        return replace(components, accepted=np.array(accepted, dtype=bool))

    @property
    def projections(self) -> dict[str, NDArray[Any]]:
        """Mean, maximum, ... image by name; empty if none were kept."""
        if "projections.zarr" not in self._document.get("parts", []):
            return {}
        return self._read(self._load_projections)

    @property
    def has_recording(self) -> bool:
        """Whether the project holds a copy of the recording."""
        return "recording.zarr" in self._document.get("parts", [])

    def open_recording(
        self,
        *,
        path: str | Path | None = None,
        reader: reopen.Reader | None = None,
        **options: Any,
    ) -> xr.DataArray:
        """Open the recording lazily: the project's copy, or else its source.

        Parameters
        ----------
        path : str or pathlib.Path, optional
            Where the source lies now, if it was moved.
        reader : callable, optional
            Opens the source, called as ``reader(path, selection=..., **options)``;
            default :func:`napari_mesmerize.io.read_recording`.
        **options
            Passed to the reader.

        Returns
        -------
        xarray.DataArray
            With the facts of the sample. A source is opened as it was recorded: if the
            sample was made from a corrected recording and has no copy of it,
            ``attrs["missing_steps"]`` lists the operations that the source lacks.

        Raises
        ------
        ProjectError
            If it is missing, changed or does not fit the sample; the text says what to
            do.
        """
        facts = self.facts
        if self.has_recording and path is None and reader is None:
            frames = self._read(self._open_copy)
            return reopen.from_copy(frames, facts, self.frame_times)
        place = Path(path) if path is not None else None
        return reopen.from_source(
            self.sample_id, facts, self._project, place, reader, options
        )

    def verify(self) -> list[str]:
        """Read everything and compare it with the checksums of when it was written.

        Of a copied recording only the header and the number and size of files are read.

        Returns
        -------
        list of str
            What is wrong, one message per part; empty if all is well.
        """
        try:
            measured = self._document.get("measured", {})
        except ProjectError as error:
            return [str(error)]
        problems = []
        for part, recorded in measured.items():
            folder = self.path / part
            try:
                stored_images.check_tree(folder, recorded, self.remedy(part), deep=True)
            except ProjectError as error:
                problems.append(str(error))
        reads: list[Callable[[], object]] = [
            lambda: self.rois,
            lambda: self.epochs,
            lambda: self.frame_times,
            lambda: self.components,
            lambda: self.projections,
        ]
        if self.has_recording:
            reads.append(self._open_copy)
        for read in reads:
            try:
                read()
            except ProjectError as error:
                problems.append(str(error))
        return list(dict.fromkeys(problems))

    @property
    def _document(self) -> dict[str, Any]:
        return self._read(self._load_document)

    def _load_document(self) -> dict[str, Any]:
        path, remedy = self.path / "sample.json", self.remedy("sample.json")
        if not path.exists() and self.path.is_dir():
            raise ProjectError(f"{path} is missing. {remedy()}")
        document = read_json(path, FORMAT, FORMAT_VERSION, remedy)
        for key in ("sample_id", "animal_id", "trial_id"):
            if not isinstance(document.get(key), str):
                raise ProjectError(
                    f"{path} is damaged: it has no text {key!r}. {remedy()}"
                )
        if document["sample_id"] != self.sample_id:
            raise ProjectError(
                f"{path} is of sample {document['sample_id']}, but its folder is named "
                f"{self._name}. Ids can not be changed: name the folder "
                f"{document['sample_id']} again."
            )
        return document

    def _load_components(self) -> Components:
        path = self.path / "components.zarr"
        self._check(path)
        try:
            return Components.load(path)
        except (ReadError, RuntimeError, TypeError) as error:
            remedy = self.remedy(path.name)()
            raise ProjectError(f"{path} is damaged: {error} {remedy}") from error

    def _load_projections(self) -> dict[str, NDArray[Any]]:
        path = self.path / "projections.zarr"
        self._check(path)
        return stored_images.read_projections(path, self.remedy(path.name))

    def _open_copy(self) -> CopiedFrames:
        path = self.path / "recording.zarr"
        self._check(path)
        return CopiedFrames(path, self.remedy(path.name))

    def _check(self, folder: Path) -> None:
        recorded = self._document.get("measured", {}).get(folder.name)
        stored_images.check_tree(folder, recorded, self.remedy(folder.name))

    def _table(self, name: str, form: str) -> pd.DataFrame:
        return self._read(
            lambda: parquet.read_table(self.path / name, form, self.remedy(name))
        )

    def remedy(self, part: str) -> Remedy:
        """Return what says, when called, how to get a damaged part back."""
        file = self._project / "samples" / self._name / part
        return lambda: backups.remedy(self._project, file)

    def _read(self, read: Callable[[], T]) -> T:
        """Read; once more if another process replaced the sample meanwhile."""
        before = self._identity()
        try:
            return read()
        except (ProjectError, OSError):
            after = self._identity()
            if after is None:
                raise ProjectError(
                    f"The sample {self._name} is not in the project {self._project} "
                    "any more; it was removed meanwhile (see backups/)."
                ) from None
            if after == before:
                raise
            return read()

    def _identity(self) -> tuple[Path, int] | None:
        try:
            return self.path, self.path.stat().st_ino
        except FileNotFoundError:
            return None
