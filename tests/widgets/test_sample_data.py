import pytest

from napari_mesmerize import simulate as simulator
from napari_mesmerize.widgets import sample_data


@pytest.fixture
def small_samples(monkeypatch):
    """The samples with fewer frames, so that the tests are fast."""
    import sys

    module = sys.modules["napari_mesmerize.simulate"]
    for name, options in module.SAMPLES.items():
        shape = module.PRESETS[options["preset"]]["shape"]
        small = options | {"shape": (60, *shape[1:])}
        monkeypatch.setitem(module.SAMPLES, name, small)


@pytest.mark.parametrize(
    ("key", "dims"), [("2p-small", 3), ("1p-small", 3), ("3d-small", 4)]
)
def test_samples_open_from_the_menu_with_epochs(
    make_napari_viewer, small_samples, key, dims
):
    viewer = make_napari_viewer()
    viewer.open_sample("napari-mesmerize", key)
    (layer,) = viewer.layers
    assert layer.name == key
    assert layer.ndim == dims
    known = layer.metadata["mesmerize"]
    assert known["recording"].attrs["frame_rate"] > 0
    assert len(known["epochs"]) >= 1 or known["recording"].sizes["frame"] < 70
    assert known["truth"].footprints.shape[1] > 10


def test_samples_move_rigidly():
    import sys

    samples = sys.modules["napari_mesmerize.simulate"].SAMPLES
    for name in ("two-photon", "one-photon", "volume"):
        assert samples[name]["motion"] == "rigid"
    assert callable(simulator)
    assert callable(sample_data.open_2p)
