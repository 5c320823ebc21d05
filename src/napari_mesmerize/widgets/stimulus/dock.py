"""Stimulus mapping: name the levels of a recorded signal, get stimulus epochs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFileDialog

from napari_mesmerize.data.epochs import with_epochs
from napari_mesmerize.data.recording import duration_s
from napari_mesmerize.data.signals import LEVEL_TOLERANCE, Signal
from napari_mesmerize.errors import MesmerizeError, ReadError
from napari_mesmerize.io.signals import (
    SignalInfo,
    is_epoch_table,
    read_epochs,
    read_signals,
)
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import (
    Column,
    Hint,
    button,
    form_of,
    heading,
    note,
)
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.qt_api import present
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.widgets.stimulus.level_table import LevelTable
from napari_mesmerize.widgets.stimulus.signal_plot import SignalPlot

if TYPE_CHECKING:
    import napari.viewer


_START = (
    "<b>Start here:</b> drop a recording on the canvas. Files of Femtonics (.mes, "
    ".mesc) hold the signals that were recorded with the movie."
)
_CHOOSE = (
    "Choose the channel that carried the stimuli. Then write what each level "
    "<b>means</b>; leave the resting level empty."
)
_OTHER = (
    "This recording's file holds no signals. <b>File …</b> reads Inscopix GPIO "
    "(.isxd), voltages of another .mes file, signals with time stamps (.csv, .h5), or "
    "a table of epochs (.csv with the columns stimulus_type, name, start_s, "
    "stop_s)."
)
_MOST_LEVELS = 40
_WITH_SIGNALS = (".mes", ".mesc")


class StimulusDock(Column):
    """Get stimulus epochs from recorded voltages.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self._signals: dict[str, Signal] = {}
        self._of: Any = None
        self._shown = ""  # the channel whose levels are in the table
        self.hint = Hint(_START)
        self.chooser = RecordingChooser(self._session)
        self.channel = QComboBox()
        self.channel.setToolTip("What was recorded together with the movie")
        self.file = button("File …", "Signals or epochs from another file")
        self.plot = SignalPlot()
        self._make_fields()
        self.table = LevelTable()
        self.problem = note()
        self.make = button("Make epochs", "Show them with the traces", primary=True)
        self.job = JobBar(self._session.open_viewer)
        self.summary = note()
        self.which = QComboBox()
        self.remove = button("Remove", "Forget the epochs of this stimulus type")
        self.setAcceptDrops(True)
        self._lay_out()
        self._connect()
        self._on_theme()
        self._on_recording()

    def _make_fields(self) -> None:
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0.0001, 1e6)
        self.tolerance.setDecimals(4)
        self.tolerance.setSingleStep(0.05)
        self.tolerance.setValue(LEVEL_TOLERANCE)
        self.tolerance.setToolTip(
            "Values that differ by at most twice this belong to one level. Raise it "
            "for noisy signals"
        )
        self.offset = QDoubleSpinBox()
        self.offset.setRange(-1e6, 1e6)
        self.offset.setDecimals(3)
        self.offset.setToolTip("Seconds that are added to the times of the signal")
        self.kind = QComboBox()
        self.kind.setEditable(True)
        present(self.kind.lineEdit()).setPlaceholderText(
            "such as light, odour, grating"
        )
        self.kind.setToolTip(
            "The stimulus type that all names of this channel belong to"
        )

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.add_row(self.channel, self.file, stretch=0)
        self.rows.addWidget(self.plot)
        self.rows.addLayout(form_of(("Stimulus type", self.kind)))
        self.rows.addWidget(self.table)
        form = form_of(("Tolerance", self.tolerance), ("Delay [s]", self.offset))
        self.rows.addLayout(form)
        self.rows.addWidget(self.problem)
        self.rows.addWidget(self.make)
        self.rows.addWidget(self.job)
        self.rows.addWidget(heading("Epochs of this recording"))
        self.rows.addWidget(self.summary)
        self.add_row(self.which, self.remove, stretch=0)
        self.rows.addStretch(1)

    def _connect(self) -> None:
        self.chooser.changed.connect(self._on_recording)
        self.channel.currentIndexChanged.connect(lambda _: self._show_channel())
        self.tolerance.valueChanged.connect(lambda _: self._show_channel())
        self.offset.valueChanged.connect(lambda _: self._show_channel())
        self.kind.editTextChanged.connect(lambda _: self._preview())
        self.table.named.connect(self._preview)
        self.file.clicked.connect(self._ask_file)
        self.make.clicked.connect(self._on_make)
        self.remove.clicked.connect(self._on_remove)
        self.job.running_changed.connect(lambda _: self._enable())
        viewer, session = self._session.open_viewer, self._session
        connect_while_alive(self, viewer.events.theme, self._on_theme)
        connect_while_alive(self, session.project_changed, self._offer_types)
        connect_while_alive(self, session.workspace.epochs_changed, self._show_known)

    # ------------------------------------------------------------------ reading
    def dropEvent(self, event: Any) -> None:
        """Read the file that was dropped."""
        self.look_at(event.mimeData().urls()[0].toLocalFile())

    def look_at(self, path: str | Path) -> None:
        """Read the signals, or the table of epochs, in a file."""
        recording = self.chooser.recording
        if not str(path).strip() or self.job.running:
            return
        if recording is None:
            self.hint.say("Open the recording first; then drop its signals again.")
            return
        try:
            if is_epoch_table(path):
                self._add(read_epochs(path))
                return
        except MesmerizeError as error:
            self.job.show_error(error)
            return
        self._read(str(path), recording)

    def _read(self, path: str, recording: Any, *, quiet: bool = False) -> None:
        """Read signals; ``quiet`` where it is no error that there are none."""
        source = recording.attrs.get("source") or {}
        same = str(source.get("uri", "")) == path
        self.job.start(
            "Reading signals",
            _signals_or_none if quiet else read_signals,
            path,
            source.get("selection") if same or path.endswith(".mesc") else None,
            date=recording.attrs.get("date"),
            lasting=False,
            on_result=self._on_read,
        )

    def _on_read(self, found: dict[str, Signal]) -> None:
        self._signals = found
        self.job.say("")
        if not found:
            self.hint.say(_OTHER)
            return
        self.channel.blockSignals(True)
        self.channel.clear()
        self.channel.addItems(list(found))
        for row, signal in enumerate(found.values()):
            about = SignalInfo.of(signal).describe()
            self.channel.setItemData(row, about, Qt.ItemDataRole.ToolTipRole)
        best = next((n for n, s in found.items() if s.n_changes() > 0), None)
        self.channel.setCurrentIndex(list(found).index(best) if best else 0)
        self.channel.blockSignals(False)
        self.hint.say(_CHOOSE)
        self._show_channel()

    # ------------------------------------------------------------------ showing
    def signal(self) -> Signal | None:
        """Return the chosen signal on the clock of the movie."""
        known = self._signals.get(self.channel.currentText())
        return None if known is None else known.moved(self.offset.value())

    def _show_channel(self) -> None:
        signal, recording = self.signal(), self.chooser.recording
        stop = None if recording is None else duration_s(recording)
        self.plot.show_signal(signal, stop)
        self._complain("")
        levels: list[float] = []
        if signal is not None:
            known = self._session.stimuli.get(signal.name, {})
            if signal.name == self._shown:  # only tolerance or delay have changed
                known = known | {"names": self.table.known()}
            elif "kind" in known:
                self.kind.setCurrentText(known["kind"])
            self._shown = signal.name
            levels = signal.levels(tolerance=self.tolerance.value())
            if len(levels) > _MOST_LEVELS:
                self._complain(
                    f"{signal.name} has {len(levels)} levels: it varies all the time. "
                    "Raise the tolerance, or choose another channel."
                )
                levels = []
            counts = [signal.n_times(at, self.tolerance.value()) for at in levels]
            self.table.show_levels(levels, counts, signal.unit, known.get("names", {}))
        else:
            self._shown = ""
            self.table.show_levels([], [], "", {})
        self._preview()

    def _preview(self) -> None:
        """Show what the names make, before it is written."""
        epochs = None
        names = self.table.names()
        if names:
            try:
                epochs = self._epochs()
                self._complain("")
            except MesmerizeError as error:
                self._complain(str(error))
        known = self.table.known()
        self.plot.show_levels(
            {level: known.get(level, ("", ""))[1] for level in self.table.levels}
        )
        self.plot.show_epochs(epochs)
        self._enable()

    def _complain(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _epochs(self) -> pd.DataFrame:
        signal = self.signal()
        assert signal is not None
        recording = self.chooser.recording
        return signal.epochs(
            self.table.names(),
            self.kind.currentText().strip() or "stimulus",
            colours=self.table.colours(),
            tolerance=self.tolerance.value(),
            stop_s=None if recording is None else duration_s(recording),
        )

    # ------------------------------------------------------------------ actions
    def _on_make(self) -> None:
        signal = self.signal()
        if signal is None:
            return
        kind = self.kind.currentText().strip()
        if not kind:
            self.hint.say("Write the <b>stimulus type</b> first, such as light.")
            self.kind.setFocus()
            return
        try:
            epochs = self._epochs()
        except MesmerizeError as error:
            self.job.show_error(error)
            return
        names = self.table.known()
        self._session.stimuli[signal.name] = {"kind": kind, "names": names}
        self._add(epochs, replacing=kind)

    def _add(self, epochs: pd.DataFrame, replacing: str | None = None) -> None:
        layer = self.chooser.layer
        if layer is None:
            return
        known = self._session.epochs_of(layer)
        self._write(with_epochs(known, epochs, replacing))
        self.job.say(f"{len(epochs)} epochs.")
        self.hint.say(
            "Next: <b>Traces</b> shows them as coloured bands. They are saved with the "
            "sample in <b>Project</b>."
        )

    def _on_remove(self) -> None:
        known = self._session.epochs_of(self.chooser.layer)
        if known is not None:
            left = known[known["stimulus_type"] != self.which.currentText()]
            self._write(left.reset_index(drop=True))
            self.job.say("")

    def _write(self, epochs: pd.DataFrame) -> None:
        self._session.set_epochs(present(self.chooser.layer), epochs)
        self._show_known()

    # ------------------------------------------------------------------- events
    def _on_recording(self) -> None:
        recording = self.chooser.recording
        if recording is None:
            self.hint.say(_START)
            self._signals, self._of = {}, None
            self.channel.clear()
            self._show_channel()
        elif recording is not self._of and not self.job.running:
            self._of, self._signals, self._shown = recording, {}, ""
            self.channel.clear()
            source = str((recording.attrs.get("source") or {}).get("uri", ""))
            self.hint.say(_OTHER)
            if source.lower().endswith(_WITH_SIGNALS):
                self._read(source, recording, quiet=True)
        self._offer_types()
        self._show_known()

    def _offer_types(self) -> None:
        project, text = self._session.project, self.kind.currentText()
        kinds = [] if project is None else list(project.stimulus_types)
        kinds += [known["kind"] for known in self._session.stimuli.values()]
        self.kind.blockSignals(True)
        self.kind.clear()
        self.kind.addItems(list(dict.fromkeys(kinds)))
        self.kind.setCurrentText(text)
        self.kind.blockSignals(False)

    def _show_known(self) -> None:
        epochs = self._session.epochs_of(self.chooser.layer)
        self.summary.setText(_describe(epochs))
        kinds = [] if epochs is None else list(dict.fromkeys(epochs["stimulus_type"]))
        self.which.clear()
        self.which.addItems(kinds)
        for widget in (self.which, self.remove):
            widget.setVisible(bool(kinds))
        self._enable()

    def _enable(self) -> None:
        idle = self.chooser.layer is not None and not self.job.running
        self.file.setEnabled(idle)
        self.channel.setEnabled(idle and bool(self._signals))
        self.make.setEnabled(idle and bool(self.table.names()))

    def _on_theme(self, event: Any = None) -> None:
        self.plot.look(get_theme(self._session.open_viewer.theme))

    def _ask_file(self) -> None:
        suffixes = "*.mes *.mesc *.isxd *.csv *.tsv *.txt *.h5 *.hdf5"
        pattern = f"Signals or epochs ({suffixes})"
        path, _ = QFileDialog.getOpenFileName(
            self, "Signals or epochs", "", f"{pattern};;All files (*)"
        )
        self.look_at(path)


def _signals_or_none(*args: Any, **options: Any) -> dict[str, Signal]:
    """Read the signals in a file; none where it has none or they can not be read."""
    try:
        return read_signals(*args, **options)
    except ReadError:
        return {}


def _describe(epochs: pd.DataFrame | None) -> str:
    """Return what epochs there are, as rich text, a line a stimulus type."""
    if epochs is None or not len(epochs):
        return "None yet."
    lines = []
    for kind, rows in epochs.groupby("stimulus_type", sort=False):
        parts = [
            f'<span style="color:{group["colour"].iat[0]}">■</span> {name} × '
            f"{len(group)}"
            for name, group in rows.groupby("name", sort=False)
        ]
        lines.append(f"<b>{kind}</b>: " + ", ".join(parts))
    return "<br>".join(lines)
