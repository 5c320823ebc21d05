from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_mesmerize.motion import MotionQuality
from napari_mesmerize.motion.quality import bending
from napari_mesmerize.widgets.kit.column import DOCK_WIDTH
from napari_mesmerize.widgets.motion.field_arrows import (
    NAME,
    TIMES,
    FieldArrows,
    arrows_of,
    has_field,
)
from napari_mesmerize.widgets.motion.result_view import BENDING, MotionResultView

PLACES = (np.array([4.0, 14.0]), np.array([5.0, 15.0, 25.0]))


@pytest.fixture
def result(recording):
    """The tissue moves by (1, 2) px; in frame 3 its lower half by 1 px more in y."""
    n = recording.sizes["frame"]
    field = np.zeros((n, 2, 3, 2), np.float32) + np.float32([1, 2])
    field[3, 1, :, 0] += 1
    flat = np.ones(n)
    quality = MotionQuality(
        0.5 * flat, flat, flat > 2, 1.0, 2.0,
        np.zeros((20, 30), np.float32), np.zeros((20, 30), np.float32),
        (0, 0, 0, 0), (5, 5), 0.05,
    )  # fmt: skip
    return SimpleNamespace(
        field=field, patch_centers=PLACES, shifts=field.mean((1, 2)), quality=quality
    )


def test_bending_is_what_is_left_beside_the_shift_of_the_frame(result):
    largest, typical = bending(result.field)
    np.testing.assert_allclose(largest, np.where(np.arange(40) == 3, 0.5, 0), atol=1e-6)
    np.testing.assert_allclose(typical, largest, atol=1e-6)
    arrows = arrows_of(result.field, result.patch_centers, 3)
    assert arrows.shape == (6, 2, 2)
    np.testing.assert_allclose(arrows[:, 0, 0], [4, 4, 4, 14, 14, 14])
    np.testing.assert_allclose(arrows[:, 1, 0], TIMES * np.repeat([-0.5, 0.5], 3))
    np.testing.assert_allclose(arrows[:, 1, 1], 0, atol=1e-6)


def test_arrows_follow_the_slider(viewer, session, recording, result):
    layer = session.show_recording(recording)
    arrows = FieldArrows(viewer)
    viewer.dims.set_current_step(0, 3)
    arrows.show(result, layer)
    drawn = viewer.layers[NAME]
    assert np.abs(drawn.data[:, 1]).max() == pytest.approx(TIMES * 0.5)
    np.testing.assert_array_equal(drawn.scale, layer.scale[-2:])
    viewer.dims.set_current_step(0, 4)
    assert np.abs(drawn.data[:, 1]).max() == pytest.approx(0, abs=1e-5)
    viewer.layers.remove(layer)
    viewer.dims.set_current_step(0, 3)
    assert not drawn.visible


def test_the_view_offers_it_where_there_is_a_field(
    viewer, session, recording, result, qtbot
):
    raw = session.show_recording(recording, name="raw")
    corrected = session.show_recording(recording.copy(), name="raw corrected")
    view = MotionResultView(session)
    qtbot.addWidget(view)
    view.show_result(result, raw, corrected)
    for i in range(view.what.count()):
        view.what.setCurrentIndex(i)
        wide = [w for w in view.findChildren(QWidget) if w.isVisibleTo(view)]
        assert view.minimumSizeHint().width() < DOCK_WIDTH - 16, wide
    view.what.setCurrentText(BENDING)
    assert "typical" in view.legend.text()
    view.field.setChecked(True)
    assert viewer.layers[NAME].visible
    view.field.setChecked(False)
    assert not viewer.layers[NAME].visible
    rigid = SimpleNamespace(**(vars(result) | {"field": None, "patch_centers": None}))
    assert not has_field(rigid)
    view.show_result(rigid, raw, corrected)
    offered = [view.what.itemText(i) for i in range(view.what.count())]
    assert offered == ["Shifts", "Correlation", "Crispness"]
    assert view.field.isHidden()
