"""How fields are cut into patches."""

import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams
from napari_mesmerize.cnmf.patches.plan import MOST_BYTES, largest_memory, plan_patches
from napari_mesmerize.cnmf.settings import Settings
from napari_mesmerize.errors import ParameterError

SETTINGS = Settings(30.0, 0.55, 0.07, 4.6)
PARAMS = CnmfParams()


@pytest.mark.parametrize("shape", [(512, 512), (170, 260), (3, 200, 64), (20, 20)])
@pytest.mark.parametrize("n_frames", [0, 3000, 27000])
def test_each_pixel_is_owned_once(shape, n_frames):
    owners = np.zeros(shape if len(shape) == 3 else (1, *shape), int)
    for patch in plan_patches(shape, SETTINGS, PARAMS, n_frames):
        y0, y1, x0, x1 = patch.core
        owners[patch.plane, y0:y1, x0:x1] += 1
    assert (owners == 1).all()


def test_long_recordings_get_patches_that_fit_into_memory():
    def needed(n_frames):
        patches = plan_patches((512, 512), SETTINGS, PARAMS, n_frames)
        return len(patches), largest_memory(patches, n_frames, SETTINGS, PARAMS)

    few, _ = needed(3000)
    assert few == 16
    many, memory = needed(27000)  # fifteen minutes at 30 Hz
    assert many > few
    assert memory <= MOST_BYTES


def test_a_given_size_is_kept():
    for n_frames in (1000, 100000):
        fixed = CnmfParams(patch_size=128)
        assert len(plan_patches((512, 512), SETTINGS, fixed, n_frames)) == 16


def test_a_size_that_holds_no_cell_is_named():
    with pytest.raises(ParameterError, match="patch_size=12 px"):
        plan_patches((512, 512), SETTINGS, CnmfParams(patch_size=12))
