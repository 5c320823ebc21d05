import numpy as np
import pytest
from napari.layers import Image

from napari_mesmerize.data.recording import LayerArray, as_recording, lazy_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.widgets.layers import recordings


def make_layer(recording):
    data, options, kind = recordings.layer_data_tuple(recording)
    assert kind == "image"
    return Image(data, **options)


def test_layer_is_drawn_lazily_and_keeps_the_recording(recording):
    layer = make_layer(recording)
    assert isinstance(layer.data, LayerArray)
    assert recordings.recording_of(layer) is recording
    assert layer.metadata["mesmerize"]["facts"]["frame_rate"] == 10.0


def test_a_step_of_the_slider_is_a_frame_and_space_is_in_micrometres(viewer, recording):
    viewer.add_layer(make_layer(recording))
    assert viewer.dims.range[0].step == 1
    assert viewer.dims.nsteps[0] == recording.sizes["frame"]
    layer = viewer.layers[0]
    assert tuple(layer.scale) == (1, 2, 2)
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]
    assert layer.axis_labels == ("frame", "y", "x")


def test_unknown_pixel_size_is_pixels(recording):
    recording.attrs["pixel_size_um"] = None
    layer = make_layer(recording)
    assert tuple(layer.scale) == (1, 1, 1)
    assert str(layer.units[-1]) == "pixel"


def test_volumes_need_all_three_sizes():
    frames = np.zeros((2, 3, 4, 5), np.uint8)
    known = as_recording(frames, pixel_size_um=(1.5, 2.0), z_step_um=5.0)
    assert recordings.spatial_scale(known) == (5.0, 1.5, 2.0)
    assert recordings.spatial_scale(as_recording(frames, z_step_um=5.0)) == (1, 1, 1)


class CountedFrames:
    """Frames that count how many of them were read."""

    shape, dtype = (5000, 8, 8), np.dtype(np.uint16)
    n_read = 0

    def __getitem__(self, frames):
        self.n_read += frames.stop - frames.start
        return np.full((frames.stop - frames.start, 8, 8), 7, np.uint16)


def test_contrast_limits_come_from_few_frames():
    frames = CountedFrames()
    low, high = recordings.contrast_limits(lazy_recording(frames))
    assert low < high
    assert frames.n_read <= 10


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_contrast_limits_of_hopeless_frames_are_defined(value):
    low, high = recordings.contrast_limits(as_recording(np.full((3, 4, 4), value)))
    assert low < high


def test_a_layer_of_another_plugin_is_a_recording_without_facts(viewer, session):
    layer = viewer.add_image(np.zeros((5, 6, 7)), name="elsewhere")
    recording = recordings.recording_of(layer)
    assert recording.dims == ("frame", "y", "x")
    assert recording.attrs["frame_rate"] is None
    session.set_facts(layer, {"frame_rate": 12.0})
    assert recordings.recording_of(layer).attrs["frame_rate"] == 12
    assert layer.metadata["mesmerize"]["facts"]["frame_rate"] == 12
    session.undo()
    assert recordings.recording_of(layer).attrs["frame_rate"] is None


def test_an_image_is_no_recording(viewer):
    layer = viewer.add_image(np.zeros((6, 7)), name="photo")
    assert not recordings.is_recording(layer)
    with pytest.raises(ParameterError, match="'photo' has 2 axes"):
        recordings.recording_of(layer)


def test_summary_says_what_is_known(recording):
    assert recordings.summary(recording) == "40 frames · 20 × 30 px · 10 Hz · 2 µm/px"


def test_an_image_of_a_volume_is_no_recording(viewer):
    from napari_mesmerize.widgets.layers.projection_layers import show_projections

    images = {"mean": np.zeros((3, 8, 9), np.float32), "mine": np.ones((3, 8, 9))}
    limits = dict.fromkeys(images, (0.0, 1.0))
    made = show_projections(viewer, "a", images, limits, recording=None, like=None)
    assert [layer.name for layer in made] == ["a mine", "a mean image"]
    assert [layer.visible for layer in made] == [False, True]
    assert not any(map(recordings.is_recording, made))
