"""Component evaluation: move the thresholds of acceptance and see what they do."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QLabel

from napari_mesmerize.cnmf.judge.acceptance import (
    OFF,
    Thresholds,
    advice,
    evaluate,
    first_thresholds,
    reasons_against,
    was_imported,
)
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import Column, Hint, button, note
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive, follow
from napari_mesmerize.widgets.rois.merge_split_panel import MergeSplit
from napari_mesmerize.widgets.rois.score_rule import Rule, RuleEditor
from napari_mesmerize.widgets.rois.verdict_overlay import (
    WORDS,
    VerdictLayer,
    legend,
    verdicts,
)
from napari_mesmerize.widgets.session.session import get_session

if TYPE_CHECKING:
    import napari.viewer


_WAIT_MS = 15  # moves that follow each other are shown together
RULES = (
    Rule("min_snr", "snr", "SNR, at least",
         "Peak of the denoised trace over the trace's noise."),
    Rule("min_shape", "shape", "Shape like a cell, at least",
         "Correlation of the average image of the ROI's events with a typical cell of "
         "this recording (r_values_min).", 1.0),
    Rule("min_shape_corrected", "shape_corrected", "Shape without noise, at least",
         "The same correlation, corrected for the noise of the average image.", 1.0),
    Rule("max_size_factor", "relative_area", "Times typical size, at most",
         "Area divided by a typical cell's; the same factor limits smaller ROIs.",
         6.0, lambda f: (f, 1 / f) if f > 1 else (1.0, 1.0),
         lambda place: max(place, 1 / place)),
    Rule("min_clear_size", "relative_area", "Size of clear ROIs, at least",
         "Smallest area of ROIs that are clearly above the noise, as a fraction of a "
         "typical cell's. Noise shrinks only the footprints of weak ROIs.", 1.0),
    Rule("neighbour_tolerance", "neighbour_r", "Shape of lone ROIs, lower by",
         "Lowers both thresholds of shape for ROIs that stand alone, with activity of "
         "their own, and raises them by twice as much for ROIs that repeat a stronger "
         "neighbour. The histogram shows the correlation with that neighbour.",
         0.3, lambda value: (), lambda place: place),
    Rule("min_planes", "planes", "Planes, at least",
         "Number of planes of the volume that the ROI reaches over.", 10.0),
)  # fmt: skip


class EvaluationDock(Column):
    """Accept and reject components by thresholds, without extracting again.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self._roi_set: Any = None
        self._scores: Any = None
        self._writing = False
        self.reasons: list[str] = []
        self.proposed: NDArray[np.bool_] = np.zeros(0, bool)
        self.overlay = VerdictLayer(self._session.viewer)
        self._make_parts()
        self._lay_out()
        viewer = self._session.open_viewer
        connect_while_alive(self, viewer.events.theme, self._on_theme)
        connect_while_alive(self, viewer.layers.events.removed, self._on_removed)
        connect_while_alive(self, self._session.roi_set_changed, self._on_roi_set)
        self.destroyed.connect(self.overlay.hide)
        self._on_theme()
        self._on_replaced(fresh=True)
        self._on_roi_set()

    def _make_parts(self) -> None:
        self.hint = Hint()
        self.title = note()
        known = [rule for rule in RULES if rule.name in Thresholds.model_fields]
        self.editors = {rule.name: RuleEditor(rule) for rule in known}
        self.by_hand = QCheckBox("Keep what was decided by hand")
        self.by_hand.setToolTip(
            "ROIs that you accepted or rejected yourself (keys K and J) stay so"
        )
        self.by_hand.setChecked(True)
        self.count = note()
        self.legend = QLabel(legend())
        self.legend.setWordWrap(True)
        self.selected = note()
        self.apply = button(
            "Apply", "Write what the thresholds accept into the ROIs", primary=True
        )
        self.reset = button("Reset", "Return to the thresholds of the extraction")
        self.undo = button("Undo", "Take the last change of the ROIs back")
        self.job = JobBar(self._session.open_viewer)
        self.merge_split = MergeSplit(self._session, self.job)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self.show_now)
        for editor in self.editors.values():
            editor.changed.connect(self._timer.start)
        self.by_hand.toggled.connect(self._timer.start)
        self.apply.clicked.connect(self._on_apply)
        self.reset.clicked.connect(self._on_reset)
        self.undo.clicked.connect(self._on_undo)

    def _lay_out(self) -> None:
        for widget in (self.hint, self.title, self.count, self.legend):
            self.rows.addWidget(widget)
        for editor in self.editors.values():
            self.rows.addWidget(editor)
        self.rows.addWidget(self.by_hand)
        self.add_row(self.apply, self.reset, self.undo, stretch=0)
        self.rows.addWidget(self.selected)
        self.rows.addWidget(self.merge_split)
        self.rows.addWidget(self.job)
        self.rows.addStretch(1)

    # ------------------------------------------------------------------ values
    @property
    def _history(self) -> list[dict[str, Any]]:
        history: list[dict[str, Any]] = self._roi_set.components.history
        return history

    def thresholds(self) -> Thresholds:
        """Return the thresholds as they stand; those without scores are off.

        What has no editor stays as it was in the run.
        """
        run = Thresholds() if self._roi_set is None else first_thresholds(self._history)
        values = run.model_dump() | {
            name: editor.value if editor.isVisibleTo(self) else 0
            for name, editor in self.editors.items()
        }
        if "min_planes" in values:
            values["min_planes"] = round(values["min_planes"])
        return Thresholds(**values)

    def show_now(self) -> None:
        """Show what the thresholds would accept."""
        self._timer.stop()
        if self._roi_set is None or self._scores is None:
            return
        table = self._roi_set.table
        now = table["accepted"].to_numpy(bool)
        thresholds = self.thresholds()
        self.reasons = reasons_against(self._scores, thresholds)
        rule = np.array([reason == "" for reason in self.reasons], bool)
        if was_imported(self._history) and thresholds == OFF:
            rule = now  # another program decided
        fixed = self._decided_by_hand() & self.by_hand.isChecked()
        self.proposed = np.where(fixed, now, rule)
        for editor in self.editors.values():
            if editor.isVisibleTo(self):
                editor.show_verdict(self.proposed)
        self._count(now, int(fixed.sum()))
        shown = self._session.roi_layer
        if (self.proposed != now).any() and shown is not None:
            self.overlay.show(self._roi_set, shown.layer, self.proposed)
        else:
            self.overlay.hide()
        self._show_selected()

    def _decided_by_hand(self) -> NDArray[np.bool_]:
        """Return the ROIs whose acceptance is not what a rule wrote."""
        table = self._roi_set.table
        if "rejected_because" not in table:  # another program may have decided
            rejected = ~table["accepted"].to_numpy(bool)
            return np.asarray(rejected & was_imported(self._history))
        rule = table["rejected_because"].fillna("").to_numpy() == ""
        return np.asarray(table["accepted"].to_numpy(bool) != rule)

    # ------------------------------------------------------------------ actions
    def _on_apply(self) -> None:
        roi_set = self._roi_set
        if roi_set is None or self._scores is None:
            return
        self.show_now()
        evaluated = evaluate(roi_set.components, self.thresholds())
        n_changed = int((self.proposed != roi_set.table["accepted"]).sum())
        self._writing = True
        try:
            roi_set.set_columns(
                {
                    "accepted": self.proposed,
                    "rejected_because": np.array(self.reasons, object),
                },
                evaluated,
            )
        finally:
            self._writing = False
        self.job.say(f"Applied: {n_changed} ROIs changed. Undo takes it back.")
        self._on_table()

    def _on_reset(self) -> None:
        if self._roi_set is not None:
            self._set_thresholds(first_thresholds(self._history))
            self.show_now()

    def _on_undo(self) -> None:
        title = self._session.undo()
        self.job.say(f"Undone: {title}." if title else "There is nothing to undo.")

    # ------------------------------------------------------------------- events
    def _on_roi_set(self) -> None:
        old, new = self._roi_set, self._session.roi_set
        if old is not new:
            slots = {
                "table_changed": self._on_table,
                "replaced": self._on_replaced,
                "selection_changed": self._on_selection,
            }
            follow(self, old, new, slots)
            self._roi_set = new
            self.overlay.hide()
            self._on_replaced(fresh=True)

    def _on_replaced(self, *, fresh: bool = False) -> None:
        """Show the scores of other ROIs; thresholds stay unless the set is new."""
        roi_set = self._roi_set
        self._scores = None
        columns: set[str] = set()
        if roi_set is not None:
            columns = {rule.column for rule in RULES} & set(roi_set.table.columns)
            columns &= set(roi_set.components.scores.columns)
        if columns and len(roi_set):
            self._scores = roi_set.components.scores
        for editor in self.editors.values():
            column = editor.rule.column
            usable = self._scores is not None and column in self._scores
            editor.setVisible(usable)
        if self._scores is not None and fresh:
            self._set_thresholds(first_thresholds(self._history))
        if self._scores is not None:
            for editor in self.editors.values():
                if editor.isVisibleTo(self):
                    values = self._scores[editor.rule.column].to_numpy(np.float64)
                    editor.show_scores(values)
        self._say_what_to_do()
        self.show_now()
        self.merge_split.refresh()

    def _set_thresholds(self, thresholds: Thresholds) -> None:
        for name, editor in self.editors.items():
            editor.set_value(float(getattr(thresholds, name)))

    def _on_table(self) -> None:
        if not self._writing:
            self.show_now()

    def _on_selection(self) -> None:
        self._show_selected()
        self.merge_split.refresh()

    def _on_removed(self, event: Any = None) -> None:
        if self.overlay.layer is None:
            self.overlay.hide()  # it covered the ROIs, which show again

    def _on_theme(self, event: Any = None) -> None:
        theme = get_theme(self._session.open_viewer.theme)
        for editor in self.editors.values():
            editor.look(theme)

    # ------------------------------------------------------------------ showing
    def _say_what_to_do(self) -> None:
        roi_set = self._roi_set
        ready = self._scores is not None
        for widget in (self.count, self.legend, self.by_hand, self.selected):
            widget.setVisible(ready)
        for pressed in (self.apply, self.reset):
            pressed.setEnabled(ready)
        self.undo.setEnabled(roi_set is not None)
        self.merge_split.setVisible(roi_set is not None)
        if roi_set is None:
            self.title.setText("")
            self.hint.say(
                "<b>Start here:</b> extract components (Plugins › napari-mesmerize › "
                "CNMF); then move the thresholds that accept them."
            )
            return
        self.title.setText(f"<b>{roi_set.name}</b>")
        if ready:
            self.hint.say(
                "Move a slider, or drag the yellow line in a histogram: the outlines "
                "show at once what changes. <b>Apply</b> keeps it. Single ROIs: click, "
                "then K accepts and J rejects."
            )
        else:
            self.hint.say(
                "These ROIs have no scores; thresholds need those of an extraction. "
                "Accept and reject one by one with K and J."
            )

    def _count(self, now: NDArray[np.bool_], n_fixed: int) -> None:
        n_accepted = int(self.proposed.sum())
        text = (
            f"<b>{n_accepted} accepted</b>, {len(now) - n_accepted} rejected "
            f"of {len(now)}"
        )
        kinds = np.bincount(verdicts(now, self.proposed), minlength=4)
        changes = [f"{kinds[i]} {WORDS[i]}" for i in (2, 3) if kinds[i]]
        if changes:
            text += ": " + ", ".join(changes)
        if n_fixed:
            text += f" · {n_fixed} by hand"
        if n_accepted == 0 and "shape" in self._scores:
            scores = self._scores.assign(rejected_because=self.reasons)
            text += "<br>" + advice(scores, self.proposed)
        self.count.setText(text)
        self.apply.setEnabled(bool(changes) or self._thresholds_moved())

    def _thresholds_moved(self) -> bool:
        return self.thresholds() != first_thresholds(self._history)

    def _show_selected(self) -> None:
        roi_set = self._roi_set
        if roi_set is None or self._scores is None or roi_set.selected is None:
            self.selected.setText("")
            return
        at = roi_set.selected
        if at >= len(self.reasons):
            return
        verdict = "accepted" if self.proposed[at] else "rejected"
        text = f"<b>ROI {at + 1}</b>: {verdict}"
        reason = self.reasons[at]
        if self.proposed[at] and reason:
            text += f" by hand; the thresholds would not: {reason}"
        elif reason:
            text += f", {reason}"
        elif not self.proposed[at]:
            text += " by hand; the thresholds would accept it"
        self.selected.setText(text)
