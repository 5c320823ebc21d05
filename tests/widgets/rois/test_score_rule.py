import numpy as np
import pytest

from napari_mesmerize.widgets.rois.evaluation_dock import RULES
from napari_mesmerize.widgets.rois.score_rule import Rule, RuleEditor


@pytest.fixture
def editor(qtbot):
    made = RuleEditor(RULES[0])
    qtbot.addWidget(made)
    made.set_value(2.5)
    made.show_scores(np.array([1.0, 2.0, 3.0, 8.0, np.nan]))
    return made


def test_slider_number_and_line_agree(editor, qtbot):
    with qtbot.waitSignal(editor.changed):
        editor.slider.setValue(500)
    middle = editor.number.maximum() / 2
    assert editor.value == pytest.approx(middle)
    editor.show_verdict(np.ones(5, bool))
    (line,) = editor._lines
    assert line.value() == pytest.approx(middle)
    line.setValue(3.0)
    line.sigDragged.emit(line)
    assert editor.value == pytest.approx(3.0)


def test_values_keep_all_their_digits(editor):
    editor.set_value(0.123456)
    assert editor.value == 0.123456
    editor.number.setValue(0.5)
    assert editor.value == 0.5


def test_zero_is_off(editor):
    editor.set_value(0)
    editor.show_verdict(np.ones(5, bool))
    assert editor.number.text() == "off"
    assert not any(line.isVisible() for line in editor._lines)


def test_the_histogram_tells_accepted_from_rejected(editor):
    editor.show_verdict(np.array([False, False, True, True, True]))
    everything, kept = (bars.opts["height"] for bars in editor._bars)
    assert everything.sum() == 4
    assert kept.sum() == 2


def test_a_size_factor_cuts_at_both_ends(qtbot):
    rule = next(rule for rule in RULES if rule.name == "max_size_factor")
    editor = RuleEditor(rule)
    qtbot.addWidget(editor)
    editor.set_value(2.0)
    editor.show_scores(np.array([0.4, 1.0, 2.5]))
    editor.show_verdict(np.array([False, True, False]))
    assert sorted(line.value() for line in editor._lines) == [0.5, 2.0]
    lower = min(editor._lines, key=lambda line: line.value())
    lower.setValue(0.25)
    lower.sigDragged.emit(lower)
    assert editor.value == pytest.approx(4.0)


def test_no_scores_are_no_error(editor):
    editor.show_scores(np.zeros(0))
    editor.show_verdict(np.zeros(0, bool))


def test_a_threshold_that_cuts_other_scores_has_no_line(qtbot):
    rule = Rule("tolerance", "r", "Lower by", "", 0.3, lambda value: ())
    editor = RuleEditor(rule)
    qtbot.addWidget(editor)
    editor.set_value(0.05)
    editor.show_scores(np.linspace(0, 0.9, 50))
    editor.show_verdict(np.ones(50, bool))
    assert editor.value == 0.05
    assert not [line for line in editor._lines if line.isVisible()]
    editor.slider.setValue(editor.slider.maximum())
    assert editor.value == pytest.approx(0.3)
