import numpy as np
import pytest

from napari_mesmerize.transforms.thumbnails import thumbnail


@pytest.mark.parametrize(
    "shape", [(20, 300, 500), (3, 7, 40, 30), (1, 5, 900), (2, 900, 1), (4, 1, 1)]
)
def test_size(shape, make_recording):
    frames = np.random.default_rng(0).integers(0, 99, shape).astype(np.uint16)
    image = thumbnail(make_recording(frames))
    assert image.dtype == np.uint8
    assert image.ndim == 2
    assert 1 <= max(image.shape) <= 96


def test_shows_what_is_there(make_recording):
    yy, xx = np.mgrid[:96, :96]
    scene = np.exp(-((yy - 20) ** 2 + (xx - 70) ** 2) / 200)
    image = thumbnail(make_recording(np.stack([scene] * 12)))
    assert np.corrcoef(image.ravel(), scene.ravel())[0, 1] > 0.98
    nothing = thumbnail(make_recording(np.full((2, 5, 5), np.nan)))
    assert (nothing == 0).all()
