"""Simulated recordings under File > Open Sample."""

from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def open_2p() -> list[LayerData]:
    """Two-photon: 1000 frames of 128 x 128 px that move as a whole."""
    return _open("two-photon", "2p-small")


def open_1p() -> list[LayerData]:
    """One-photon (miniscope): 1000 frames of 128 x 128 px that move as a whole."""
    return _open("one-photon", "1p-small")


def open_3d() -> list[LayerData]:
    """Volumetric: 200 volumes of 10 x 96 x 96 px that move as a whole."""
    return _open("volume", "3d-small")


def _open(sample: str, name: str) -> list[LayerData]:
    from napari_mesmerize.simulate import make_stimulus_epochs, sample_recording
    from napari_mesmerize.widgets.layers import KEY, layer_data_tuple

    recording, truth = sample_recording(sample)
    data, options, kind = layer_data_tuple(recording, name=name)
    duration = recording.sizes["frame"] / recording.attrs["frame_rate"]
    options["metadata"][KEY]["epochs"] = make_stimulus_epochs(duration)
    options["metadata"][KEY]["truth"] = truth
    return [(data, options, kind)]
