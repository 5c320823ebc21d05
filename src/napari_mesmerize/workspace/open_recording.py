"""A recording that is open: its stimulus epochs and its facts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr
from psygnal import Signal

from napari_mesmerize.project import Project
from napari_mesmerize.workspace.undo import Place


class OpenRecording:
    """A recording, what its stimulus epochs are, and to which sample it belongs.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    epochs : pandas.DataFrame, optional
        Its stimulus epochs.
    """

    epochs_changed = Signal()
    facts_changed = Signal()
    problem = Signal(str)  # what the user must know: a step that was not kept

    def __init__(
        self, recording: xr.DataArray, epochs: pd.DataFrame | None = None
    ) -> None:
        self.recording = recording
        self.epochs = epochs
        self.project: Project | None = None
        self.sample_id: str | None = None
        self.journalled = True
        self.edited_facts: set[str] = set()  # names of those that are not saved

    @property
    def place(self) -> Place | None:
        """The journal that steps go into; ``None`` while there is no sample."""
        if not self.journalled or self.project is None or self.sample_id is None:
            return None
        if self.sample_id not in self.project:
            return None
        return Place(self.project.journal, self.sample_id)

    def set_epochs(self, epochs: pd.DataFrame | None) -> None:
        """Write other epochs; a workspace makes a step of it."""
        self.epochs = epochs
        self.epochs_changed.emit()

    def write_facts(
        self, facts: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write other facts; a workspace makes a step of it."""
        self.recording.attrs.update(facts)
        self.recording.attrs["history"] = [dict(step) for step in history]
        self.edited_facts |= set(facts)
        self.facts_changed.emit()

    def unsaved_facts(self) -> dict[str, Any]:
        """Return the facts that were edited and are not in the sample yet."""
        attrs = self.recording.attrs
        return {name: attrs.get(name) for name in sorted(self.edited_facts)}

    def is_of(self, other: xr.DataArray) -> bool:
        """Say whether a recording has the same times: it, or another channel of it."""
        if other is self.recording:
            return True
        source = _source(self.recording)
        return source is not None and _source(other) == source


def _source(recording: xr.DataArray) -> tuple[str, str] | None:
    """Return the file and the unit in it, without the channel, and the frames."""
    known = recording.attrs.get("source") or {}
    if not known.get("uri"):
        return None
    channel = str((recording.attrs.get("meta") or {}).get("channel", ""))
    selection = str(known.get("selection") or "").removesuffix(channel)
    return str(known["uri"]), f"{selection} {recording.sizes['frame']}"
