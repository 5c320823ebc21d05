import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.plots import (
    PLOTS,
    plot_outlines,
    plot_projection,
    plot_shifts,
    plot_traces,
)

SQUARE = [[1.0, 2.0], [1.0, 6.0], [5.0, 6.0], [5.0, 2.0]]


def test_every_plot_is_registered_under_its_name():
    assert {name: f.__name__ for name, f in PLOTS.items()} == {
        name: f"plot_{name}" for name in PLOTS
    }
    assert {"outlines", "projection", "shifts", "field", "traces"} <= set(PLOTS)


def test_plot_projection_shows_the_image_with_its_percentiles_as_contrast():
    image = np.arange(100.0).reshape(10, 10)
    ax = plot_projection(image, percentiles=(10, 90), title="mean")
    (shown,) = ax.images
    np.testing.assert_array_equal(shown.get_array(), image)
    assert shown.get_clim() == pytest.approx((9.9, 89.1))
    assert ax.get_title() == "mean"


def test_plot_projection_of_a_volume_is_its_maximum_over_planes():
    volume = np.stack([np.zeros((4, 5)), np.eye(4, 5)])
    (shown,) = plot_projection(volume).images
    np.testing.assert_array_equal(shown.get_array(), np.eye(4, 5))


def test_plot_projection_draws_a_scale_bar_of_a_round_length():
    ax = plot_projection(np.ones((50, 100)), pixel_size_um=(1.3, 1.3))
    (text,) = ax.texts
    assert text.get_text() == "20 µm"
    (bar,) = ax.lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(20 / 1.3)


def test_plot_projection_survives_an_image_of_nothing_but_nan():
    assert plot_projection(np.full((3, 3), np.nan)).images


def test_plot_projection_rejects_a_trace():
    with pytest.raises(ParameterError, match=r"shape \(5,\)"):
        plot_projection(np.zeros(5))


def test_plot_outlines_closes_each_outline_and_swaps_to_x_y():
    ax = plot_outlines([SQUARE], colors=["red"], numbers=True)
    (lines,) = ax.collections
    (path,) = lines.get_paths()
    expected = [[2, 1], [6, 1], [6, 5], [2, 5], [2, 1]]
    np.testing.assert_array_equal(path.vertices, expected)
    assert tuple(lines.get_colors()[0]) == to_rgba("red")
    assert [text.get_text() for text in ax.texts] == ["0"]


def test_plot_outlines_takes_z_y_x_and_no_outline_at_all():
    volume = [[3.0, y, x] for y, x in SQUARE]
    (lines,) = plot_outlines([volume]).collections
    assert lines.get_paths()[0].vertices.shape == (5, 2)
    assert len(plot_outlines([]).collections[0].get_paths()) == 0


def test_plot_outlines_wants_a_colour_each():
    with pytest.raises(ParameterError, match="2 colours for 1 outlines"):
        plot_outlines([SQUARE], colors=["red", "blue"])


def test_plot_traces_draws_each_trace_in_its_own_row_and_epochs_behind():
    traces = np.array([[0.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    epochs = pd.DataFrame(
        {"name": ["on"], "start_s": [0.1], "stop_s": [0.2], "colour": ["#ff0000"]}
    )
    ax = plot_traces(traces, times_s=[0.0, 0.1, 0.2], epochs=epochs, labels=["a", "b"])
    first, second = (path.vertices for path in ax.collections[0].get_paths())
    np.testing.assert_allclose(first[:, 1], [1, 1.95, 1])
    np.testing.assert_allclose(second[:, 1], 0)
    (band,) = ax.patches
    assert band.get_x() == pytest.approx(0.1)
    assert band.get_width() == pytest.approx(0.1)
    assert ax.get_xlabel() == "time (s)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_plot_traces_counts_frames_without_times_and_takes_no_rois():
    assert plot_traces(np.zeros((1, 4))).get_xlabel() == "frame"
    assert len(plot_traces(np.zeros((0, 4))).collections[0].get_paths()) == 0


def test_plot_traces_says_why_epochs_need_times():
    epochs = pd.DataFrame(
        {"name": ["on"], "start_s": [0.0], "stop_s": [1.0], "colour": ["red"]}
    )
    with pytest.raises(ParameterError, match="Epochs are in seconds"):
        plot_traces(np.zeros((1, 4)), epochs=epochs)
    with pytest.raises(ParameterError, match="4 frames"):
        plot_traces(np.zeros((1, 4)), times_s=[0.0, 1.0])


def test_plot_shifts_draws_a_line_an_axis_and_the_truth_behind():
    shifts = np.column_stack([np.arange(5.0), -np.arange(5.0)])
    ax = plot_shifts(shifts, true_shifts=shifts)
    assert len(ax.lines) == 4
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["y", "x"]
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), shifts[:, 0])


def test_plot_shifts_of_volumes_has_three_axes_and_rejects_others():
    ax = plot_shifts(np.zeros((4, 3)), times_s=np.arange(4))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["z", "y", "x"]
    with pytest.raises(ParameterError, match=r"\(4, 1\)"):
        plot_shifts(np.zeros((4, 1)))


def test_plots_draw_on_the_axes_they_are_given(tmp_path):
    figure = Figure()
    axes = figure.subplots(2, 2).ravel()
    assert plot_projection(np.eye(4), ax=axes[0]) is axes[0]
    assert plot_outlines([SQUARE], ax=axes[1]) is axes[1]
    assert plot_traces(np.eye(4), ax=axes[2]) is axes[2]
    assert plot_shifts(np.zeros((4, 2)), ax=axes[3]) is axes[3]
    figure.savefig(tmp_path / "all.png")
    assert (tmp_path / "all.png").stat().st_size > 1000
