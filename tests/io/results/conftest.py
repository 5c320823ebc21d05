"""Components that a writer has to bring to disk and a reader back."""

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.data.components import Background, Components


def make(shape, n_rois=5, n_frames=30):
    random = np.random.default_rng(4)
    footprints = np.zeros((n_rois, *shape), np.float32)
    for i in range(n_rois):
        at = (i % shape[0],) if len(shape) == 3 else ()
        footprints[(i, *at, slice(2 * i, 2 * i + 3), slice(i, i + 4))] = random.random(
            (3, 4)
        )
    kinds = ("raw", "denoised", "spikes", "dff", "neuropil")
    n_pixels = int(np.prod(shape))
    return Components.build(
        footprints.reshape(n_rois, -1).T,
        shape,
        {k: random.normal(size=(n_rois, n_frames)).astype(np.float32) for k in kinds},
        scores=pd.DataFrame(
            {"snr": random.random(n_rois), "r_value": random.random(n_rois)}
        ),
        accepted=np.arange(n_rois) % 2 == 0,
        background=Background(
            spatial=random.random((n_pixels, 2)).astype(np.float32),
            temporal=random.random((2, n_frames)).astype(np.float32),
            static=np.zeros(n_pixels, np.float32),
        ),
        frame_rate=12.5,
        history=[{"operation": "extract_components", "id": "1", "params": {}}],
    )


@pytest.fixture
def components():
    """Five components of images of 14 x 11."""
    return make((14, 11))


@pytest.fixture
def volume_components():
    """Five components of volumes of 3 x 14 x 11."""
    return make((3, 14, 11))
