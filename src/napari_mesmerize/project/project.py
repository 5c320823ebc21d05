"""A project: samples in a folder, added, changed and read through this object."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from napari_mesmerize.data.components import Components
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.project import backups, recovery, sample_changes
from napari_mesmerize.project.backups import Backup
from napari_mesmerize.project.config import Config, Configuration
from napari_mesmerize.project.journal import PARTS, Journal, Step
from napari_mesmerize.project.journal_reading import abandoned
from napari_mesmerize.project.names import make_sample_id
from napari_mesmerize.project.overview import TableCache
from napari_mesmerize.project.recording_copy import check_space
from napari_mesmerize.project.sample import Sample
from napari_mesmerize.project.write_sample import SampleContent, check_content


class Project:
    """An open project folder. Make one with ``create_project`` or ``open_project``.

    Several processes may have the same folder open; each sample is written by one at a
    time. Nothing here keeps a file open.

    Parameters
    ----------
    path : pathlib.Path
        The project folder, absolute.

    Notes
    -----
    Use :meth:`add_sample` to keep a recording with its results, :meth:`update_rois` to
    save curation, and :meth:`table` to analyse all ROIs together. Do not change files
    in the folder by hand while the project is open. Nothing is lost by overwriting: see
    :meth:`backups`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording, create_project
    >>> from napari_mesmerize.data.rois import roi_table_from_outlines
    >>> project = create_project("my_project")
    >>> sample = project.add_sample(
    ...     "mouse1",
    ...     "trial1",
    ...     recording=as_recording(np.zeros((10, 16, 16)), frame_rate=10),
    ...     rois=roi_table_from_outlines([[(2, 2), (2, 8), (8, 8)]]),
    ... )
    >>> sample.sample_id, len(project.table())
    ('mouse1-_-trial1', 1)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._configuration = Configuration(path)
        self._cache = TableCache()
        self._recovered: dict[str, list[Path]] = {}  # journals they came back from
        self.journal = Journal(path)

    def __repr__(self) -> str:
        return f"<Project {self.config.name!r} with {len(self)} samples at {self.path}>"

    def __len__(self) -> int:
        return len(self.samples)

    def __contains__(self, sample_id: object) -> bool:
        return isinstance(sample_id, str) and sample_id in self.samples

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session: its journal is put away if all edits are saved."""
        self.journal.close()

    # ------------------------------------------------------------- configuration

    @property
    def config(self) -> Config:
        """The configuration as it is on disk now."""
        return self._configuration.read()

    @property
    def name(self) -> str:
        """The project's name."""
        return self.config.name

    @property
    def roi_tags(self) -> tuple[str, ...]:
        """Tag columns of every ROI table."""
        return self.config.roi_tags

    @property
    def stimulus_types(self) -> tuple[str, ...]:
        """Stimulus types that epochs may have."""
        return self.config.stimulus_types

    def add_roi_tag(self, name: str) -> None:
        """Add a tag column to every ROI table; ROIs without a value are untagged."""
        self._configuration.change(lambda config: config.with_roi_tags([name]))

    def add_stimulus_type(self, name: str) -> None:
        """Add a stimulus type."""
        self._configuration.change(lambda config: config.with_stimulus_types([name]))

    def add_custom_column(
        self, name: str, dtype: Any = "str", default: Any = None
    ) -> None:
        """Add a column that every sample has a value of.

        Parameters
        ----------
        name : str
            Name of the column.
        dtype : str or type
            ``str``, ``int``, ``float`` or ``bool``; can not be changed later.
        default : object, optional
            Value of the samples that are there already; default "", 0, NaN or false.
        """
        column = {name: {"dtype": dtype, "default": default}}
        self._configuration.change(lambda config: config.with_custom_columns(column))

    def set_visible_columns(self, names: tuple[str, ...] | list[str]) -> None:
        """Choose the columns that a browser of the project shows; none means all."""
        update = {"visible_columns": tuple(map(str, names))}
        self._configuration.change(lambda config: config.model_copy(update=update))

    # ------------------------------------------------------------------- reading

    @property
    def samples(self) -> list[str]:
        """Ids of all samples, sorted."""
        return list(sample_changes.sample_folders(self.path))

    def sample_id(self, animal_id: str, trial_id: str) -> str:
        """Return the id that a sample of this animal and trial has, checked."""
        return make_sample_id(animal_id, trial_id)

    def sample(self, sample_id: str) -> Sample:
        """Return a sample.

        Raises
        ------
        ProjectError
            If there is none of that id; the text names the nearest.
        """
        name = sample_changes.find_sample(self.path, sample_id)
        return Sample(self.path, name, self._configuration.read)

    def table(
        self,
        *,
        outlines: bool = False,
        skip_damaged: bool = False,
        progress: Progress = silent,
    ) -> pd.DataFrame:
        """Return one row per ROI of all samples, with the columns of its sample.

        Parameters
        ----------
        outlines : bool, optional
            Include the column ``outline``, which is most of the data.
        skip_damaged : bool, optional
            Leave samples out that can not be read, with a warning in the log.
        progress : Progress, optional
            Wraps the reading of the samples.

        Returns
        -------
        pandas.DataFrame
            Index ``roi_id``; columns ``sample_id``, ``animal_id``, ``trial_id``,
            ``date``, ``comments``, ``frame_rate``, ``n_frames``, the custom columns,
            then those of the ROI tables. Only files that changed are read again.

        Raises
        ------
        ProjectError
            If a sample can not be read, unless ``skip_damaged``.

        Notes
        -----
        Start every analysis of the project here, and group by ``animal_id``, tags or
        custom columns. For one row per sample use :meth:`sample_table`; traces are in
        ``project.sample(id).components``.
        """
        return self._cache.roi_table(
            self._all(), self.config, outlines, skip_damaged, progress
        )

    def sample_table(self, *, skip_damaged: bool = False) -> pd.DataFrame:
        """Return one row per sample.

        Parameters
        ----------
        skip_damaged : bool, optional
            Leave samples out that can not be read, with a warning in the log.

        Returns
        -------
        pandas.DataFrame
            Ids, date, comments, frame rate and custom columns.
        """
        return self._cache.sample_table(
            self._all(), self.config, skip_damaged=skip_damaged
        )

    # ------------------------------------------------------------------- writing

    def add_sample(
        self,
        animal_id: str,
        trial_id: str,
        *,
        recording: xr.DataArray | None = None,
        components: Components | None = None,
        rois: pd.DataFrame | None = None,
        epochs: pd.DataFrame | None = None,
        projections: Mapping[str, ArrayLike] | None = None,
        comments: str = "",
        custom: Mapping[str, Any] | None = None,
        copy_recording: bool = False,
        overwrite: bool = False,
        max_memory: int | None = None,
        progress: Progress = silent,
    ) -> Sample:
        """Add a sample: written whole, or not at all.

        Parameters
        ----------
        animal_id, trial_id : str
            They name the sample for good: ``<animal_id>-_-<trial_id>``.
        recording : xarray.DataArray, optional
            The recording that components were extracted from; its facts are kept.
        components : Components, optional
            Footprints, traces and scores.
        rois : pandas.DataFrame, optional
            The ROI table; default that of the components.
        epochs : pandas.DataFrame, optional
            Stimulus epochs, of the project's stimulus types.
        projections : mapping, optional
            Images by name: mean, max, ...
        comments : str, optional
            Free text.
        custom : mapping, optional
            Values of the project's custom columns; the others take their defaults.
        copy_recording : bool, optional
            Keep the pixels in the project; otherwise the sample points to the source.
        overwrite : bool, optional
            Replace a sample of that id; the old one moves to ``backups/``.
        max_memory : int, optional
            Bytes for copying the recording.
        progress : Progress, optional
            Wraps the copying of the recording.

        Returns
        -------
        Sample
            As it now lies in the project.

        Raises
        ------
        ParameterError
            If an id, a value or a part does not fit.
        ProjectError
            If the sample exists, is being written by somebody else, or can not be
            written. What was there before is unchanged.
        """
        content = SampleContent(
            recording=recording,
            components=components,
            rois=rois,
            epochs=epochs,
            projections=projections,
            comments=comments,
            custom=custom,
            copy_recording=copy_recording,
        )
        return self.add(
            animal_id,
            trial_id,
            content,
            overwrite=overwrite,
            max_memory=max_memory,
            progress=progress,
        )

    def add(
        self,
        animal_id: str,
        trial_id: str,
        content: SampleContent,
        *,
        overwrite: bool = False,
        max_memory: int | None = None,
        progress: Progress = silent,
    ) -> Sample:
        """Do what :meth:`add_sample` does, with the content as one object."""
        sample_id = make_sample_id(animal_id, trial_id)
        sample_changes.refuse_existing(self.path, sample_id, overwrite=overwrite)
        checked = check_content(self.config, animal_id, trial_id, content)
        if checked.copy_recording and checked.recording is not None:
            check_space(self.path, checked.recording)
        sample_changes.add(
            self.path,
            checked,
            overwrite=overwrite,
            max_memory=max_memory,
            progress=progress,
        )
        self._settle(sample_id, PARTS)
        return self.sample(sample_id)

    def replace_components(
        self, sample_id: str, components: Components, rois: pd.DataFrame
    ) -> Sample:
        """Save other components with their ROI table, as after a merge or a split.

        The recording, the projections and whatever else is the same is carried over,
        not copied (where the file system has hard links). The old sample is kept in
        ``backups/``, complete.

        Raises
        ------
        ParameterError
            If the components do not fit the recording, or the table the project.
        ProjectError
            If it can not be written; the old sample is unchanged then.
        """
        sample_changes.replace_components(
            self.path, self.sample(sample_id), components, rois, self.config
        )
        self._settle(sample_id)
        return self.sample(sample_id)

    def update_rois(self, sample_id: str, rois: pd.DataFrame) -> Sample:
        """Save a curated ROI table; the old one is kept in ``backups/``.

        Parameters
        ----------
        sample_id : str
            The sample.
        rois : pandas.DataFrame
            The whole table, with the same ``roi_id`` as before.

        Returns
        -------
        Sample
            As it now lies in the project.

        Raises
        ------
        ParameterError
            If the table does not fit the project.
        ProjectError
            If it can not be written; the old table is unchanged then.
        """
        sample_changes.replace_rois(
            self.path, self.sample(sample_id), rois, self.config
        )
        self._settle(sample_id)
        return self.sample(sample_id)

    def update_epochs(self, sample_id: str, epochs: pd.DataFrame) -> Sample:
        """Save other stimulus epochs; the old ones are kept in ``backups/``.

        Parameters
        ----------
        sample_id : str
            The sample.
        epochs : pandas.DataFrame
            All epochs of the sample.

        Returns
        -------
        Sample
            As it now lies in the project.
        """
        sample_changes.replace_epochs(
            self.path, self.sample(sample_id), epochs, self.config
        )
        self._settle(sample_id, ("epochs",))
        return self.sample(sample_id)

    def update_facts(self, sample_id: str, facts: Mapping[str, Any]) -> Sample:
        """Save other facts of the recording; the old ones are kept in ``backups/``.

        Parameters
        ----------
        sample_id : str
            The sample.
        facts : mapping
            Values of ``frame_rate``, ``pixel_size_um``, ``z_step_um``, ``date`` or
            ``origin``; ``None`` where one is unknown.
        """
        sample_changes.replace_facts(self.path, self.sample(sample_id), facts)
        self._settle(sample_id, ("facts",))
        return self.sample(sample_id)

    def update_sample(
        self,
        sample_id: str,
        *,
        comments: str | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> Sample:
        """Save other comments, or values of some custom columns.

        Parameters
        ----------
        sample_id : str
            The sample.
        comments : str, optional
            New comments; the old ones stay if left out.
        custom : mapping, optional
            New values by name of column; the others stay.

        Returns
        -------
        Sample
            As it now lies in the project.
        """
        sample_changes.replace_document(
            self.path, self.sample(sample_id), comments, custom, self.config
        )
        return self.sample(sample_id)

    def remove_sample(self, sample_id: str) -> Path:
        """Move a sample to ``backups/`` and return where it lies now."""
        return sample_changes.remove(self.path, self.sample(sample_id))

    # ------------------------------------------------- backups and crash recovery

    def backups(self, sample_id: str | None = None) -> list[Backup]:
        """Return the backups: everything that was replaced or removed, newest first.

        Parameters
        ----------
        sample_id : str, optional
            Only those of this sample.

        Returns
        -------
        list of Backup
            To be passed to :meth:`restore`.
        """
        return backups.list_backups(self.path, sample_id and f"samples/{sample_id}")

    def restore(self, backup: Backup | str | Path) -> None:
        """Put a backup back in its place; what is there now is kept as a backup too.

        Parameters
        ----------
        backup : Backup, str or pathlib.Path
            One of :meth:`backups`, or its path.
        """
        recovery.restore(self.path, backup)

    def unsaved_edits(self) -> list[str]:
        """Return the samples with edits that a crashed session did not save.

        Returns
        -------
        list of str
            Their ids; :meth:`recover` returns what they should be.
        """
        return recovery.unsaved_edits(self.path, self.journal.path)

    def recover(self, sample_id: str) -> tuple[Components | None, pd.DataFrame]:
        """Return a sample's components and ROI table as crashed sessions left them.

        Parameters
        ----------
        sample_id : str
            One of :meth:`unsaved_edits`.

        Returns
        -------
        components : Components or None
            With merges, splits and drawn ROIs made again.
        rois : pandas.DataFrame
            The ROI table that goes with them. Neither is saved yet.

        Notes
        -----
        After a merge or split, save both with :meth:`replace_components`.
        After tags and verdicts alone, :meth:`update_rois` is enough.
        """
        sample = self.sample(sample_id)
        steps = self.unsaved_steps(sample_id)
        return recovery.recovered(self.path, steps, sample)

    def recover_rois(self, sample_id: str) -> pd.DataFrame:
        """Return a sample's ROI table as crashed sessions left it, not yet saved."""
        return self.recover(sample_id)[1]

    def unsaved_steps(self, sample_id: str) -> list[Step]:
        """Return, in order, what crashed sessions did to a sample and did not save."""
        paths = abandoned(self.path, self.journal.path)
        self._recovered[sample_id] = paths
        return recovery.unsaved_steps(paths, sample_id)

    def journal_problems(self) -> list[str]:
        """Return what of crashed sessions' journals can not be read, in sentences."""
        return recovery.journal_problems(self.path, self.journal.path)

    def forget_unsaved_edits(self) -> None:
        """Move the journals of crashed sessions to ``backups/``."""
        recovery.forget(self.path, self.journal.path)

    def _settle(self, sample_id: str, parts: Collection[str] = ("rois",)) -> None:
        """Note that parts of a sample are saved: steps of the session, and of others.

        Of other sessions only those that this one brought back.
        """
        self.journal.mark_saved(sample_id, parts)
        paths = self._recovered.get(sample_id)
        if paths:
            recovery.settle(self.path, paths, sample_id, parts)

    def _all(self) -> dict[str, Sample]:
        return {
            sample_id: Sample(self.path, name, self._configuration.read)
            for sample_id, name in sample_changes.sample_folders(self.path).items()
        }
