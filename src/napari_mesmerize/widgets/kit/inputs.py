"""Widgets for the fields of a params model: one for each type of value."""

import enum
import re
from typing import Any, Literal, TypeAlias, get_args, get_origin

from pydantic.fields import FieldInfo
from qtpy.QtCore import SignalInstance
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSpinBox,
)

Field: TypeAlias = QCheckBox | QComboBox | QLineEdit | QSpinBox | QDoubleSpinBox
_AUTOMATIC = re.compile(r"\b0(:| chooses| estimates| lets| derives| is as many)")
_LARGEST = 10**9


def _bounds(info: FieldInfo) -> tuple[float, float, bool]:
    """Return (lowest, highest, lowest excluded)."""
    low, high, open_low = -float(_LARGEST), float(_LARGEST), False
    for rule in info.metadata:
        if getattr(rule, "ge", None) is not None:
            low = float(rule.ge)
        if getattr(rule, "gt", None) is not None:
            low, open_low = float(rule.gt), True
        if getattr(rule, "le", None) is not None:
            high = float(rule.le)
        if getattr(rule, "lt", None) is not None:
            high = float(rule.lt)
    return low, high, open_low


def make_field(info: FieldInfo) -> Field:
    """Return the widget that edits a field: check box, list, number or line."""
    kind = info.annotation
    if kind is bool:
        return QCheckBox()
    if get_origin(kind) is Literal:
        box = QComboBox()
        for choice in get_args(kind):
            box.addItem(str(choice), choice)
        return box
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        box = QComboBox()
        for choice in kind:
            box.addItem(str(choice.value), choice)
        return box
    if kind in (int, float):
        return _make_number(info)
    return QLineEdit()


def _make_number(info: FieldInfo) -> QSpinBox | QDoubleSpinBox:
    low, high, open_low = _bounds(info)
    default = info.get_default(call_default_factory=True)
    box: QSpinBox | QDoubleSpinBox
    if info.annotation is int:
        whole = box = QSpinBox()
        low, high = max(low, -(2**31)), min(high, 2**31 - 1)
        whole.setRange(int(low) + open_low, int(high))
        whole.setSingleStep(10 if default >= 100 else 1)
    else:
        real = box = QDoubleSpinBox()
        real.setDecimals(3 if abs(default) < 1 else 2)
        smallest = 10.0 ** -real.decimals()
        real.setRange(low + (smallest if open_low else 0), high)
        real.setSingleStep(0.05 if high <= 1 else 0.1 if abs(default) < 2 else 0.5)
    if low == 0 and not open_low and _AUTOMATIC.search(info.description or ""):
        box.setSpecialValueText("auto")
    box.setMinimumWidth(90)
    return box


def get_value(field: Field) -> Any:
    """Return what a widget holds."""
    if isinstance(field, QCheckBox):
        return field.isChecked()
    if isinstance(field, QComboBox):
        return field.currentData()
    if isinstance(field, QLineEdit):
        return field.text()
    if isinstance(field, QDoubleSpinBox):
        # a spin box must not add digits to a value it shows
        exact = field.property("exact")
        if exact is not None and abs(exact - field.value()) < 10.0 ** -field.decimals():
            return exact
        return field.value()
    return field.value()


def set_value(field: Field, value: Any) -> None:
    """Write a value into a widget."""
    if isinstance(field, QCheckBox):
        field.setChecked(bool(value))
    elif isinstance(field, QComboBox):
        field.setCurrentIndex(max(0, field.findData(value)))
    elif isinstance(field, QLineEdit):
        field.setText(str(value))
    elif isinstance(field, QDoubleSpinBox):
        field.setProperty("exact", float(value))
        field.setValue(float(value))
    else:
        field.setValue(int(value))


def change_signal(field: Field) -> SignalInstance:
    """Return the signal of a widget that tells of changes."""
    if isinstance(field, QCheckBox):
        return field.toggled
    if isinstance(field, QComboBox):
        return field.currentIndexChanged
    if isinstance(field, QLineEdit):
        return field.textEdited
    return field.valueChanged
