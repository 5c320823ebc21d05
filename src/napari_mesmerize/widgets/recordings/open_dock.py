"""Open: see what files hold before they are opened, and choose."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QLineEdit,
    QSpinBox,
)

from napari_mesmerize.data.pictures import contrast_limits
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.io import SUFFIXES, list_recordings, read_recording
from napari_mesmerize.io.items import RecordingInfo
from napari_mesmerize.progress import Progress
from napari_mesmerize.transforms.thumbnails import thumbnail
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import (
    Column,
    Hint,
    button,
    dropped_files,
    form_of,
)
from napari_mesmerize.widgets.recordings.container_tree import (
    ContainerTree,
    Listed,
    Source,
)
from napari_mesmerize.widgets.session.session import get_session

if TYPE_CHECKING:
    import napari.viewer

_MOST_PICTURES = 24
_START = (
    "<b>Start here:</b> choose files or a folder, or drop them on this panel. What "
    "they hold is listed without reading the movies."
)


class OpenDock(Column):
    """Look into files and open recordings of them.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self._paths: list[str] = []
        self._options: dict[str, Any] = {}
        self._without_picture: list[Listed] = []
        self.hint = Hint(_START)
        self.path = QLineEdit()
        self.path.setPlaceholderText("a file, a folder, or a glob such as day1/*.tif")
        self.files = button("Files …", "Choose one or more files")
        self.folder = button(
            "Folder …", "Choose a folder with the files of a recording"
        )
        self.joined = QCheckBox("Several files are one recording")
        self.joined.setToolTip("Their frames follow each other in order of name")
        self.joined.setChecked(True)
        self.axes = QLineEdit()
        self.axes.setPlaceholderText("as the file says; such as TZYX")
        self.axes.setToolTip(
            "Order of the file's axes, where the file is wrong about it"
        )
        self.planes = QSpinBox()
        self.planes.setRange(0, 10_000)
        self.planes.setSpecialValueText("as the file says")
        self.planes.setToolTip("Planes of a volume, where the file does not say it")
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0, 100_000)
        self.rate.setDecimals(3)
        self.rate.setSpecialValueText("as the file says")
        self.tree = ContainerTree()
        self.open = button("Open", "Show the chosen recordings", primary=True)
        self.job = JobBar(self._session.open_viewer)
        self.setAcceptDrops(True)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.add_row(self.path, self.files, self.folder, stretch=0)
        self.rows.addWidget(self.joined)
        self.rows.addWidget(self.tree, 1)
        form = form_of(
            ("Axes", self.axes),
            ("Planes", self.planes),
            ("Frame rate [Hz]", self.rate),
        )
        self.rows.addLayout(form)
        self.rows.addWidget(self.job)
        self.add_row(self.open, stretch=0)
        self.open.setEnabled(False)

    def _connect(self) -> None:
        self.files.clicked.connect(self._ask_files)
        self.folder.clicked.connect(self._ask_folder)
        self.path.returnPressed.connect(lambda: self.look_into([self.path.text()]))
        self.axes.editingFinished.connect(self._look_again)
        self.planes.editingFinished.connect(self._look_again)
        self.joined.toggled.connect(lambda _: self._look_again(force=True))
        self.tree.itemSelectionChanged.connect(self._enable)
        self.tree.itemDoubleClicked.connect(lambda *_: self._on_open())
        self.open.clicked.connect(self._on_open)
        self.job.running_changed.connect(self._on_running)

    # ------------------------------------------------------------------ looking
    def dropEvent(self, event: QDropEvent | None) -> None:
        """Look into the files that were dropped."""
        if event is not None:
            self.look_into(dropped_files(event))

    def look_into(self, paths: Sequence[str | Path]) -> None:
        """List what files hold, then fetch a picture of each recording."""
        names = [str(path) for path in paths if str(path).strip()]
        if not names or self.job.running:
            return
        self._paths, self._options = names, self._axes_options()
        self.path.setText(names[0] if len(names) == 1 else f"{len(names)} files")
        joined = len(names) > 1 and self.joined.isChecked()
        whole: list[Source] = [names] if joined else [*names]
        self.job.start(
            "Looking",
            scan,
            whole,
            self._options,
            lasting=False,
            on_result=self._show_found,
        )

    def _look_again(self, *, force: bool = False) -> None:
        if self._paths and (force or self._axes_options() != self._options):
            self.look_into(self._paths)

    def _axes_options(self) -> dict[str, Any]:
        axes = self.axes.text().strip().upper()
        options: dict[str, Any] = {"axes": axes} if axes else {}
        if self.planes.value():
            options["n_planes"] = self.planes.value()
        return options

    def _show_found(self, found: list[Listed]) -> None:
        self.tree.show_found(found)
        leaves = len(self.tree.leaves())
        self.job.say("" if leaves else "Nothing that can be opened was found.")
        self.hint.say(
            "Choose recordings and press <b>Open</b>. Grey ones can not be opened; "
            "point at them to see why."
            if leaves
            else _START
        )
        self._without_picture = found if leaves else []

    def _on_running(self, running: bool) -> None:
        self._enable()
        if not running and self._without_picture:
            found, self._without_picture = self._without_picture, []
            self.job.start(
                "Fetching pictures",
                pictures,
                found,
                self._options,
                lasting=False,
                on_result=self._show_pictures,
            )

    def _show_pictures(self, found: list[tuple[int, NDArray[np.uint8]]]) -> None:
        self.job.say("")
        for at, picture in found:
            self.tree.show_picture(at, picture)

    # ------------------------------------------------------------------ opening
    def _on_open(self) -> None:
        chosen = self.tree.chosen()
        if not chosen:
            return
        facts = dict(self._options)
        if self.rate.value():
            facts["frame_rate"] = self.rate.value()
        self.job.start("Opening", read, chosen, facts, on_result=self._show)

    def _show(self, opened: list[tuple[xr.DataArray, tuple[float, float]]]) -> None:
        for recording, limits in opened:
            self._session.show_recording(recording, limits=limits)
        self.job.say(f"{len(opened)} opened.")
        self.hint.say(
            "Next: <b>Motion correction</b> under Plugins › napari-mesmerize. Pixel "
            "size or frame rate missing? <b>Recording facts</b> holds them."
        )

    def _enable(self) -> None:
        self.open.setEnabled(bool(self.tree.selectedItems()) and not self.job.running)

    def _ask_files(self) -> None:
        pattern = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        paths, _ = QFileDialog.getOpenFileNames(
            self, "Open recordings", "", f"Recordings ({pattern});;All files (*)"
        )
        self.look_into(paths)

    def _ask_folder(self) -> None:
        self.look_into([QFileDialog.getExistingDirectory(self, "Open a folder")])


def scan(
    paths: Sequence[Source], options: dict[str, Any], *, progress: Progress
) -> list[Listed]:
    """Return (path, recordings) of each path."""
    return [
        (path, list_recordings(path, **options))
        for path in progress(paths, desc="Looking", total=len(paths))
    ]


def pictures(
    found: Sequence[Listed], options: dict[str, Any], *, progress: Progress
) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return (position, picture) of the recordings that can be opened."""
    items = [(path, i) for path, infos in found for i in infos if not i.problem]
    items = items[:_MOST_PICTURES]
    made = []
    for at, (path, info) in enumerate(progress(items, desc="Pictures")):
        try:
            recording = read_recording(path, selection=info.selection, **options)
            made.append((at, thumbnail(recording)))
        except MesmerizeError:
            continue  # a recording without a picture is still listed
    return made


def read(
    chosen: Sequence[tuple[Source, RecordingInfo]],
    facts: dict[str, Any],
    *,
    progress: Progress,
) -> list[tuple[xr.DataArray, tuple[float, float]]]:
    """Return (recording, display limits) of what was chosen."""
    opened = []
    for path, info in progress(chosen, desc="Opening", total=len(chosen)):
        recording = read_recording(path, selection=info.selection or None, **facts)
        opened.append((recording, contrast_limits(recording)))
    return opened
