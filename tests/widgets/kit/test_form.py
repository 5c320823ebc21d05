from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, model_validator
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.widgets.kit.form import ParamsForm, label_of


class Params(BaseModel, frozen=True, extra="forbid"):
    """Parameters of a test."""

    max_shift: Annotated[
        int,
        Field(
            ge=0,
            le=50,
            description="Largest shift; 0: chosen",
            json_schema_extra={"unit": "px", "also": "max_shifts"},
        ),
    ] = 0
    decay_time_s: Annotated[
        float, Field(gt=0, description="Decay", json_schema_extra={"unit": "s"})
    ] = 0.4
    whiten: Annotated[bool, Field(description="Use phase only")] = True
    border: Annotated[Literal["nearest", "nan"], Field(description="Fill")] = "nearest"
    min_snr: float = 2.123456789

    @model_validator(mode="after")
    def _fit(self):
        if self.border == "nan" and self.max_shift == 7:
            raise ValueError("border='nan' does not go with max_shift=7")
        return self


@pytest.fixture
def form(qtbot):
    made = ParamsForm(Params, presets={"Miniscope": {"max_shift": 20}})
    qtbot.addWidget(made)
    return made


def test_an_untouched_form_returns_the_defaults_exactly(form):
    assert form.value() == Params()


def test_values_go_through_the_form_and_back(form):
    params = Params(max_shift=12, decay_time_s=1.25, whiten=False, border="nan")
    form.set_values(params.model_dump())
    assert form.value() == params


def test_fields_have_kind_range_unit_and_tooltip(form):
    shift = form.fields["max_shift"]
    assert isinstance(shift, QSpinBox)
    assert (shift.minimum(), shift.maximum()) == (0, 50)
    assert shift.text() == "auto"
    assert "Largest shift" in shift.toolTip()
    assert "max_shifts" in shift.toolTip()
    assert isinstance(form.fields["decay_time_s"], QDoubleSpinBox)
    assert form.fields["decay_time_s"].minimum() > 0
    assert isinstance(form.fields["whiten"], QCheckBox)
    assert isinstance(form.fields["border"], QComboBox)
    label = label_of("decay_time_s", Params.model_fields["decay_time_s"])
    assert label == "Decay time [s]"
    assert label_of("min_snr", Params.model_fields["min_snr"]) == "Min SNR"


def test_presets_change_some_values_and_reset_returns(form):
    form.preset.setCurrentText("Miniscope")
    form.preset.activated.emit(form.preset.currentIndex())
    assert form.value() == Params(max_shift=20)
    form.reset_button.click()
    assert form.value() == Params()
    assert form.preset.currentText() == "Defaults"


def test_what_does_not_fit_is_marked_and_explained(form):
    form.set_values({"max_shift": 7, "border": "nan"})
    with pytest.raises(ParameterError, match="does not go with"):
        form.value()
    assert "does not go with" in form.message.text()
    assert "color" in form._labels["max_shift"].styleSheet()
    form.fields["max_shift"].setValue(8)
    assert form.message.isHidden()
    assert form.value() == Params(max_shift=8, border="nan")


def test_rare_parameters_fold_away(qtbot):
    form = ParamsForm(Params, basic=("decay_time_s", "max_shift"))
    qtbot.addWidget(form)
    assert form.fields["whiten"].parent() is form.more_box
    assert form.more_box.isHidden()
    form.more.setChecked(True)
    assert not form.more_box.isHidden()
    assert form.value() == Params()


def test_scrolling_over_a_field_does_not_change_it(form, qtbot):
    form.show()
    field = form.fields["max_shift"]
    field.setValue(5)
    field.clearFocus()
    form.setFocus()
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(field.mapToGlobal(QPoint(5, 5))),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(field, event)
    assert field.value() == 5
