import sys

import numpy as np
import pytest

from napari_mesmerize.widgets.hooks import sample_data
from napari_mesmerize.widgets.layers.recordings import is_recording, recording_of
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.workspace import sample_cache

SIMULATOR = sys.modules["napari_mesmerize.simulation.simulate"]


@pytest.fixture
def small_samples(monkeypatch):
    """The samples with fewer frames, so that the tests are fast."""
    for name, options in SIMULATOR.SAMPLES.items():
        shape = SIMULATOR.PRESETS[options["preset"]]["shape"]
        small = options | {"shape": (60, *shape[1:])}
        monkeypatch.setitem(SIMULATOR.SAMPLES, name, small)


@pytest.mark.parametrize(
    ("key", "dims"), [("2p-small", 3), ("1p-small", 3), ("3d-small", 4)]
)
def test_samples_open_from_the_menu_with_epochs(
    make_napari_viewer, small_samples, key, dims
):
    viewer = make_napari_viewer()
    (layer,) = viewer.open_sample("napari-mesmerize", key, wait=True)
    assert layer.name == key
    assert layer.ndim == dims
    known = layer.metadata["mesmerize"]
    assert known["recording"].attrs["frame_rate"] > 0
    assert len(known["epochs"]) >= 1 or known["recording"].sizes["frame"] < 70
    assert known["truth"].footprints.shape[1] > 10


def test_a_sample_is_simulated_once_while_the_window_lives_on(
    make_napari_viewer, small_samples, qtbot
):
    viewer = make_napari_viewer()
    session = get_session(viewer)
    (layer,) = viewer.open_sample("napari-mesmerize", "2p-small")
    assert "being simulated" in layer.name
    assert not is_recording(layer)
    assert session.recording_layers() == []
    qtbot.waitUntil(lambda: layer.name == "2p-small", timeout=60_000)
    assert session.recording_layers() == [layer]
    made = recording_of(layer)
    assert np.asarray(layer.data[7]).max() == made[7].max() > 0
    assert layer.contrast_limits[1] > 1
    qtbot.waitUntil(lambda: not sample_data._under_way)
    assert list(viewer.layers) == [layer]

    (again,) = viewer.open_sample("napari-mesmerize", "2p-small")
    assert is_recording(again)
    np.testing.assert_array_equal(recording_of(again), made)
    assert recording_of(again).attrs == made.attrs
    assert again.metadata["mesmerize"]["truth"].shifts.shape == (60, 2)


def test_a_layer_that_is_closed_meanwhile_stays_closed(
    make_napari_viewer, small_samples, qtbot
):
    viewer = make_napari_viewer()
    viewer.open_sample("napari-mesmerize", "2p-small")
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not sample_data._under_way, timeout=60_000)
    assert len(viewer.layers) == 0
    assert sample_cache.load_sample("two-photon") is not None


def test_a_failure_is_told_and_leaves_no_layer(
    make_napari_viewer, small_samples, qtbot, monkeypatch
):
    from napari_mesmerize.errors import ParameterError

    def fail(sample):
        raise ParameterError("no memory for it")

    monkeypatch.setattr(sample_data, "make_sample", fail)
    viewer = make_napari_viewer()
    viewer.open_sample("napari-mesmerize", "2p-small")
    qtbot.waitUntil(lambda: not sample_data._under_way)
    assert len(viewer.layers) == 0


def test_a_damaged_or_old_sample_is_simulated_anew(small_samples, tmp_path):
    first = sample_cache.make_sample("two-photon")
    (folder,) = sample_cache.cache_folder().iterdir()
    assert sample_cache.load_sample("two-photon") is not None
    with open(folder / "frames.npy", "r+b") as file:
        file.truncate(1000)
    assert sample_cache.load_sample("two-photon") is None
    folder.rename(folder.with_name("two-photon-of-before"))
    again = sample_cache.make_sample("two-photon")
    assert [f.name for f in sample_cache.cache_folder().iterdir()] == [folder.name]
    np.testing.assert_array_equal(first.recording, again.recording)


def test_without_a_place_for_it_a_sample_is_made_all_the_same(
    small_samples, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sample_cache, "cache_folder", lambda: tmp_path / "file")
    assert sample_cache.make_sample("two-photon").recording.sizes["frame"] == 60


def test_samples_move_rigidly():
    for name in ("two-photon", "one-photon", "volume"):
        assert SIMULATOR.SAMPLES[name]["motion"] == "rigid"
