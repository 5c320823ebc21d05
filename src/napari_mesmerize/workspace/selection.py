"""What is selected: one selection, which windows, plots and tracers all follow."""

from collections.abc import Iterable

from psygnal import Signal


class Selection:
    """The sample, the ROIs, the frame and the datapoint that are looked at.

    Whoever shows something connects to the events; whoever lets the user choose calls
    the ``set_`` methods. An event comes only when something is different afterwards.

    Notes
    -----
    A selection holds names, not objects: an ROI that is merged away, or a sample that
    is closed, leaves nothing behind.

    Examples
    --------
    >>> selection = Selection()
    >>> heard = selection.rois_changed.connect(print)
    >>> selection.set_rois(["a", "b"])
    ('a', 'b')
    >>> selection.set_rois(["a", "b"])
    >>> selection.current_roi
    'b'
    """

    sample_changed = Signal(object)  # sample_id or None
    rois_changed = Signal(tuple)  # roi_ids, the current one last
    frame_changed = Signal(object)  # number of the frame or None
    datapoint_changed = Signal(object)  # id of the datapoint or None

    def __init__(self) -> None:
        self._sample: str | None = None
        self._rois: tuple[str, ...] = ()
        self._frame: int | None = None
        self._datapoint: str | None = None

    @property
    def sample(self) -> str | None:
        """The ``sample_id`` of the sample that is looked at."""
        return self._sample

    @property
    def rois(self) -> tuple[str, ...]:
        """The ``roi_id`` of each selected ROI; the current one is the last."""
        return self._rois

    @property
    def current_roi(self) -> str | None:
        """The ROI that is drawn on top, and whose trace is shown."""
        return self._rois[-1] if self._rois else None

    @property
    def frame(self) -> int | None:
        """The frame that is shown."""
        return self._frame

    @property
    def datapoint(self) -> str | None:
        """The datapoint of a plot or table that is traced back."""
        return self._datapoint

    def set_sample(self, sample_id: str | None) -> None:
        """Look at another sample."""
        if sample_id != self._sample:
            self._sample = sample_id
            self.sample_changed.emit(sample_id)

    def set_rois(self, roi_ids: Iterable[str], current: str | None = None) -> None:
        """Select ROIs.

        Parameters
        ----------
        roi_ids : iterable of str
            Which; none of them deselects.
        current : str, optional
            The one of them that is shown on top; default the last.
        """
        rois = tuple(dict.fromkeys(roi_ids))
        if current in rois:
            rois = (*(name for name in rois if name != current), str(current))
        if rois != self._rois:
            self._rois = rois
            self.rois_changed.emit(rois)

    def set_frame(self, frame: int | None) -> None:
        """Show another frame."""
        if frame != self._frame:
            self._frame = frame
            self.frame_changed.emit(frame)

    def set_datapoint(self, datapoint: str | None) -> None:
        """Trace another datapoint."""
        if datapoint != self._datapoint:
            self._datapoint = datapoint
            self.datapoint_changed.emit(datapoint)
