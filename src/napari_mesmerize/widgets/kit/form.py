"""A form made from a params model: units in labels, descriptions as tooltips."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.params import explain_validation
from napari_mesmerize.widgets.kit.inputs import (
    Field,
    change_signal,
    get_value,
    make_field,
    set_value,
)

P = TypeVar("P", bound=BaseModel)
_UNIT_TEXT = {"um": "µm", "um/px": "µm/px"}


class ParamsForm(QWidget, Generic[P]):
    """Edit the parameters of an engine.

    Parameters
    ----------
    model : type of pydantic.BaseModel
        A flat params model whose fields all have defaults.
    basic : sequence of str, optional
        Fields that are always visible; the others fold away under "More". Default: all.
    presets : mapping, optional
        Names to values, offered at the top.
    """

    changed = Signal()

    def __init__(
        self,
        model: type[P],
        *,
        basic: Sequence[str] = (),
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self.presets = dict(presets or {})
        self.fields: dict[str, Field] = {}
        self.touched = False
        self._labels: dict[str, QLabel] = {}
        self._wheel = _IgnoreWheel(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._make_top())
        shown = [name for name in model.model_fields if not basic or name in basic]
        hidden = [name for name in model.model_fields if name not in shown]
        if basic:
            shown.sort(key=list(basic).index)
        layout.addLayout(self._make_rows(shown))
        self.more = QToolButton()
        self.more_box = QWidget()
        self.more_box.setLayout(self._make_rows(hidden))
        self._make_more(layout, len(hidden))
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setStyleSheet("color: #ff8a80;")
        self.message.hide()
        layout.addWidget(self.message)
        self.reset()

    # ------------------------------------------------------------------ values
    def value(self) -> P:
        """Return the parameters.

        Raises
        ------
        ParameterError
            If they do not fit; the fields are marked and the reason is shown.
        """
        self._mark(())
        values = {name: get_value(field) for name, field in self.fields.items()}
        try:
            return self.model(**values)
        except ValidationError as error:
            self._mark(
                [str(problem["loc"][0]) for problem in error.errors() if problem["loc"]]
            )
            text = explain_validation(self.model, error)
            self.show_error(text)
            raise ParameterError(text) from error

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Write some values into the form."""
        for name, value in values.items():
            if name in self.fields:
                set_value(self.fields[name], value)
        self.changed.emit()

    def reset(self) -> None:
        """Return to the defaults."""
        self._mark(())
        self.set_values(
            {n: f.get_default(call_default_factory=True)
             for n, f in self.model.model_fields.items()}
        )  # fmt: skip
        if self.presets:
            self.preset.setCurrentIndex(0)
        self.touched = False

    def suggest(self, preset: str, values: Mapping[str, Any]) -> None:
        """Offer values that fit a recording, unless the user has changed some."""
        if not self.touched:
            self.reset()
            self.set_values(values)
            self.preset.setCurrentText(preset)
            self.touched = False

    def show_error(self, text: str) -> None:
        """Show why the parameters do not fit; fields that the text names are marked."""
        self.message.setText(text)
        self.message.setVisible(bool(text))
        named = [name for name in self.fields if re.search(rf"\b{name}\b", text)]
        self._mark(named, keep_message=True)

    # ------------------------------------------------------------------ layout
    def _make_top(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.preset = QComboBox()
        self.preset.addItem("Defaults")
        self.preset.addItems(list(self.presets))
        self.preset.setToolTip(
            "Values for a kind of recording; change them as you like"
        )
        self.preset.activated.connect(self._on_preset)
        self.reset_button = QPushButton("Reset")
        self.reset_button.setToolTip("Return to the defaults")
        self.reset_button.clicked.connect(self.reset)
        if self.presets:
            row.addWidget(QLabel("Preset"))
            row.addWidget(self.preset, 1)
        else:
            self.preset.setParent(self)
            self.preset.hide()
            row.addStretch(1)
        row.addWidget(self.reset_button)
        return row

    def _make_rows(self, names: Sequence[str]) -> QFormLayout:
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setVerticalSpacing(3)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        for name in names:
            info = self.model.model_fields[name]
            field = make_field(info)
            field.setToolTip(_tooltip(name, info))
            field.installEventFilter(self._wheel)
            field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            label = QLabel(label_of(name, info))
            label.setToolTip(field.toolTip())
            rows.addRow(label, field)
            self.fields[name], self._labels[name] = field, label
            change_signal(field).connect(self._on_edited)
        return rows

    def _make_more(self, layout: QVBoxLayout, n_hidden: int) -> None:
        self.more.setText(f"More parameters ({n_hidden})")
        self.more.setCheckable(True)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setAutoRaise(True)
        self.more.toggled.connect(self._on_more)
        self.more_box.hide()
        layout.addWidget(self.more)
        layout.addWidget(self.more_box)
        self.more.setVisible(n_hidden > 0)

    def _on_more(self, shown: bool) -> None:
        self.more.setArrowType(
            Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow
        )
        self.more_box.setVisible(shown)

    def _on_preset(self, index: int) -> None:
        name = self.preset.itemText(index)
        self.reset()
        if name in self.presets:
            self.set_values(self.presets[name])
            self.preset.setCurrentIndex(index)
        self.touched = True

    def _on_edited(self, *_: object) -> None:
        self.touched = True
        self._mark(())
        self.changed.emit()

    def _mark(self, names: Sequence[str], *, keep_message: bool = False) -> None:
        for name, label in self._labels.items():
            label.setStyleSheet("color: #ff8a80;" if name in names else "")
        if any(self.fields[name].parent() is self.more_box for name in names):
            self.more.setChecked(True)
        if not names and not keep_message:
            self.show_nothing()

    def show_nothing(self) -> None:
        """Remove the message."""
        if hasattr(self, "message"):
            self.message.hide()


def label_of(name: str, info: FieldInfo) -> str:
    """Return a field's label, with its unit: ``max_shift`` -> ``Max shift [px]``."""
    unit = _extra(info).get("unit", "")
    words = name
    for suffix in (unit, {"px": "pixels"}.get(unit, "")):
        if suffix and words.endswith(f"_{suffix}"):
            words = words[: -len(suffix) - 1]
    words = words.replace("_", " ")
    words = re.sub(r"\b(snr|pnr|dff)\b", lambda m: m.group().upper(), words)
    text = words[:1].upper() + words[1:]
    return f"{text} [{_UNIT_TEXT.get(unit, unit)}]" if unit else text


def _extra(info: FieldInfo) -> Mapping[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _tooltip(name: str, info: FieldInfo) -> str:
    also = _extra(info).get("also")
    default = info.get_default(call_default_factory=True)
    lines = [f"<b>{name}</b>", info.description or ""]
    if also:
        lines.append(f"Known as <i>{also}</i>.")
    lines.append(f"Default: {default}")
    return "<p>" + "<br>".join(line for line in lines if line) + "</p>"


class _IgnoreWheel(QObject):
    """Scrolling over a form must not change the values under the pointer."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Swallow wheel events of fields that do not have the focus."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if isinstance(watched, QWidget) and watched.hasFocus():
            return False
        event.ignore()
        return True
