"""The figures about a motion correction show what it found."""

import numpy as np
import pytest

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion import PiecewiseParams, correct_motion
from napari_mesmerize.plots.motion import (
    plot_bending,
    plot_crispness,
    plot_field,
    plot_motion,
    plot_template_correlation,
)


@pytest.fixture(scope="module")
def rigid(small_2p_rigid):
    frames = small_2p_rigid.recording[:80].copy(deep=True).astype(np.float32)
    frames[10] = np.nan
    return correct_motion(frames)


def test_correlations_and_outliers(rigid):
    ax = plot_template_correlation(rigid)
    before, after, outliers = ax.lines
    np.testing.assert_array_equal(after.get_ydata(), rigid.quality.correlation_after)
    assert before.get_label() == "before"
    assert 10 in outliers.get_xdata()


def test_a_field_is_drawn_over_the_template(small_2p_rigid, rigid):
    result = correct_motion(small_2p_rigid.recording[:60], PiecewiseParams())
    ax = plot_field(result, 5)
    assert len(ax.images) == 1
    assert result.field[0, ..., 0].size == ax.collections[0].N
    with pytest.raises(ParameterError, match="no field to draw"):
        plot_field(rigid, 5)


def test_bending_over_time(small_2p_rigid, rigid):
    result = correct_motion(small_2p_rigid.recording[:60], PiecewiseParams())
    largest, typical = plot_bending(result).lines
    assert len(typical.get_ydata()) == 60
    assert (largest.get_ydata() >= typical.get_ydata()).all()
    assert len(plot_motion(result).axes) == 5
    with pytest.raises(ParameterError, match="no bending to draw"):
        plot_bending(rigid)


def test_crispness_before_and_after(rigid):
    bars = plot_crispness(rigid).patches
    quality = rigid.quality
    expected = [quality.crispness_after, quality.crispness_before]
    assert [bar.get_width() for bar in bars] == expected


def test_a_page_about_the_correction(rigid):
    figure = plot_motion(rigid)
    titles = [ax.get_title() for ax in figure.axes[:2]]
    assert titles[0].startswith("mean before")
    assert len(figure.axes) == 4
