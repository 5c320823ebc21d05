"""Simulated recordings under File > Open Sample, made once and without a freeze."""

import uuid
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.notifications import show_info

from napari_mesmerize.data.recording import PLANE_DIMS, VOLUME_DIMS
from napari_mesmerize.progress import Progress
from napari_mesmerize.simulation.simulate import Simulation, make_stimulus_epochs
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.layers.recordings import KEY, layer_data_tuple
from napari_mesmerize.workspace.sample_cache import (
    load_sample,
    make_sample,
    sample_shape,
)

LayerData = tuple[Any, dict[str, Any], str]
_under_way: set[JobBar] = set()


def open_2p(wait: bool = False) -> list[LayerData]:
    """Two-photon: 1000 frames of 128 x 128 px that move as a whole."""
    return _open("two-photon", "2p-small", wait)


def open_1p(wait: bool = False) -> list[LayerData]:
    """One-photon (miniscope): 1000 frames of 128 x 128 px that move as a whole."""
    return _open("one-photon", "1p-small", wait)


def open_3d(wait: bool = False) -> list[LayerData]:
    """Volumetric: 200 volumes of 10 x 96 x 96 px that move as a whole."""
    return _open("volume", "3d-small", wait)


def _open(sample: str, name: str, wait: bool) -> list[LayerData]:
    """Return the layer of a sample; in a window, one that is filled when it is made.

    ``viewer.open_sample("napari-mesmerize", "2p-small", wait=True)`` waits instead.
    """
    import napari

    known = load_sample(sample)
    viewer = None if wait else napari.current_viewer()
    if known is None and viewer is not None:
        return [_filled_later(viewer, sample, name)]
    return [_layer(make_sample(sample) if known is None else known, name)]


def _layer(made: Simulation, name: str) -> LayerData:
    data, options, kind = layer_data_tuple(made.recording, name=name)
    duration = made.recording.sizes["frame"] / made.recording.attrs["frame_rate"]
    options["metadata"][KEY]["epochs"] = make_stimulus_epochs(duration)
    options["metadata"][KEY]["truth"] = made.truth
    return data, options, kind


def _filled_later(viewer: ViewerModel, sample: str, name: str) -> LayerData:
    """Return a dark layer; simulate off the GUI thread, then fill it."""
    token, shape = uuid.uuid4().hex, sample_shape(sample)
    bar = JobBar(viewer)
    _under_way.add(bar)

    def fill(made: Simulation) -> None:
        layer = _layer_with(viewer, token)
        if layer is None:
            return  # closed meanwhile; it is on disk for the next time
        data, options, _ = _layer(made, name)
        layer.data = data
        layer.contrast_limits_range = layer.contrast_limits = options["contrast_limits"]
        layer.metadata = options["metadata"]
        layer.scale, layer.units = options["scale"], options["units"]
        layer.name = name

    def end(running: bool) -> None:
        if not running:
            _under_way.discard(bar)
            bar.deleteLater()
            layer = _layer_with(viewer, token)
            if layer is not None:  # it failed, or was cancelled
                viewer.layers.remove(layer)

    bar.start(f"Simulating {name}", simulate_sample, sample, on_result=fill)
    bar.running_changed.connect(end)
    show_info(
        f"{name} is being simulated. This takes some seconds the first time; its layer "
        "fills when it is ready."
    )
    options = {
        "name": f"{name} (being simulated …)",
        "contrast_limits": (0, 1),
        "metadata": {KEY: {"role": "pending", "token": token}},
        "axis_labels": VOLUME_DIMS if len(shape) == 4 else PLANE_DIMS,
    }
    return np.broadcast_to(np.uint16(0), shape), options, "image"


def simulate_sample(sample: str, *, progress: Progress) -> Simulation:
    """Simulate a sample and keep it on disk."""
    for _ in progress(range(1), desc="Simulating", total=0):
        made = make_sample(sample)
    return made


def _layer_with(viewer: ViewerModel, token: str) -> Image | None:
    for layer in viewer.layers:
        if layer.metadata.get(KEY, {}).get("token") == token:
            return layer if isinstance(layer, Image) else None
    return None
