"""Let napari say, before it closes a window, which curation would be lost."""

from collections.abc import Sequence

from napari.components import ViewerModel

from napari_mesmerize.widgets.napari_api import CloseNotice
from napari_mesmerize.workspace.roi_set import RoiSet


class UnsavedNotice:
    """A line in the question that napari asks before it closes.

    Parameters
    ----------
    viewer : napari viewer
        Whose window asks.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._notice = CloseNotice(viewer)

    def update(self, roi_sets: Sequence[RoiSet]) -> None:
        """Name those that are curated and in no project; none: say nothing.

        Curation of a sample is in the journal of its project, and is not lost.
        """
        names = [rois.name for rois in roi_sets if rois.curated and not rois.in_sample]
        if not names:
            self._notice.withdraw()
            return
        self._notice.say(
            f"the tags and decisions of {', '.join(names)} are not saved. To keep "
            "them, add a sample to a project first."
        )
