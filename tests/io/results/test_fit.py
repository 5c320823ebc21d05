"""Results that do not fit the recording are found out, and how to turn them."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_mesmerize.data.components import Background, Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.results import ORIENTATIONS, check_fit, reorient


def components_of(simulation, order=slice(None)):
    """Return the truth as imported results."""
    truth = simulation.truth
    return Components.build(
        truth.footprints,
        truth.image_shape,
        {"raw": truth.traces},
        frame_rate=truth.frame_rate,
    )


def test_results_that_fit_have_no_findings(small_2p):
    assert check_fit(components_of(small_2p), small_2p.recording) == []


@pytest.mark.parametrize("orientation", ORIENTATIONS[1:])
def test_a_turned_import_is_found_and_turned_back(small_2p, orientation):
    turned = reorient(components_of(small_2p), orientation)
    (finding,) = check_fit(turned, small_2p.recording)
    assert finding.kind == "orientation"
    right = reorient(turned, finding.suggestion)
    assert check_fit(right, small_2p.recording) == []
    assert (right.footprints != components_of(small_2p).footprints).nnz == 0


def test_exchanged_height_and_width_of_an_image_that_is_not_square(small_2p):
    recording = small_2p.recording[:, :50]
    whole = components_of(small_2p)
    images = [whole.footprint_image(i)[:50] for i in range(len(whole))]
    kept = [i for i, image in enumerate(images) if image.sum() > 0]
    columns = [images[i].T.ravel() for i in kept]
    turned = Components.build(
        sparse.csc_array(np.stack(columns, 1)),
        (64, 50),
        {"raw": whole.traces["raw"][kept]},
    )
    (finding,) = check_fit(turned, recording)
    assert (finding.kind, finding.suggestion) == ("orientation", "transpose")
    silent = Components.build(turned.footprints, (64, 50), {})
    (finding,) = check_fit(silent, recording)
    assert (finding.kind, finding.suggestion) == ("shape", "transpose")


def test_results_of_another_recording_are_found_out(small_2p):
    shuffled = components_of(small_2p)
    frames = np.random.default_rng(0).permutation(shuffled.n_frames)
    wrong = Components.build(
        shuffled.footprints,
        shuffled.image_shape,
        {"raw": shuffled.traces["raw"][:, frames]},
    )
    (finding,) = check_fit(wrong, small_2p.recording)
    assert finding.kind == "traces"
    assert "another recording" in finding.message


def test_other_sizes_rates_and_empty_footprints(small_2p):
    components = components_of(small_2p)
    recording = small_2p.recording
    kinds = [f.kind for f in check_fit(components, recording[:, :30, :40])]
    assert kinds == ["shape"]
    assert [f.kind for f in check_fit(components, recording[:200])] == ["frames"]
    other = recording.copy(deep=False)
    other.attrs = {**recording.attrs, "frame_rate": 99.0}
    assert [f.kind for f in check_fit(components, other)] == ["frame_rate"]
    empty = components.footprints.copy()
    empty.data[empty.indptr[0] : empty.indptr[1]] = 0
    empty.eliminate_zeros()
    without = Components.build(empty, components.image_shape, components.traces)
    assert "empty" in [f.kind for f in check_fit(without, recording)]
    none = components.select(np.zeros(len(components), bool))
    assert check_fit(none, recording) == []


def test_reorient_turns_the_background_and_volumes_too():
    random = np.random.default_rng(0)
    footprints = (random.random((2 * 3 * 4, 5)) > 0.5).astype(float)
    background = Background(
        spatial=random.random((24, 2)).astype(np.float32),
        temporal=random.random((2, 6)).astype(np.float32),
        static=random.random(24).astype(np.float32),
    )
    components = Components.build(
        footprints,
        (2, 3, 4),
        {"raw": np.zeros((5, 6))},
        scores=pd.DataFrame({"snr": range(5)}),
        background=background,
    )
    turned = reorient(components, "transpose")
    assert turned.image_shape == (2, 4, 3)
    for i in range(5):
        expected = components.footprint_image(i).transpose(0, 2, 1)
        np.testing.assert_array_equal(turned.footprint_image(i), expected)
    image = background.static.reshape(2, 3, 4).transpose(0, 2, 1)
    np.testing.assert_array_equal(turned.background.static.reshape(2, 4, 3), image)
    assert reorient(components, "none") is components
    with pytest.raises(ParameterError, match="use one of none, transpose"):
        reorient(components, "sideways")
