"""Let napari say, before it closes a window, which curation would be lost."""

import weakref
from collections.abc import Sequence
from typing import Any

from napari_mesmerize.workspace.roi_set import RoiSet


class UnsavedNotice:
    """A line in the question that napari asks before it closes.

    Parameters
    ----------
    viewer : napari viewer
        Whose window asks.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._task: Any = None

    def update(self, roi_sets: Sequence[RoiSet]) -> None:
        """Name those that are curated and in no project; none: say nothing.

        Curation of a sample is in the journal of its project, and is not lost.
        """
        window = getattr(self._viewer(), "window", None)
        register = getattr(window, "_register_task_status", None)
        if register is None:
            return
        from napari.utils.task_status import Status

        names = [rois.name for rois in roi_sets if rois.curated and not rois.in_sample]
        text = (
            f"the tags and decisions of {', '.join(names)} are not saved. To keep "
            "them, add a sample to a project first."
        )
        if self._task is not None:
            status = Status.BUSY if names else Status.COMPLETED
            window._update_task_status(self._task, status, text)
        elif names:
            self._task = register("napari-mesmerize", Status.BUSY, text)
