"""CaImAn opens and works on what we write; we read what it saves again."""

import numpy as np
import pytest
from scipy import sparse

from napari_mesmerize.data.components import Background, Components
from napari_mesmerize.io.results import read_results, write_caiman

WORK = """
import json, sys
import numpy as np
from caiman.source_extraction.cnmf.cnmf import load_CNMF
from caiman.utils.visualization import get_contours
model = load_CNMF(sys.argv[1])
found = model.estimates
dims = tuple(int(n) for n in found.dims)
centres = [list(c["CoM"]) for c in get_contours(found.A, dims)]
movie = (found.A @ found.C + found.b @ found.f).T.reshape((-1, *dims), order="F")
np.savez(sys.argv[2], A=found.A.toarray(), C=found.C, S=found.S, F_dff=found.F_dff,
    YrA=found.YrA, idx=found.idx_components, movie=movie, Cn=found.Cn)
if len(dims) == 2:
    found.plot_contours(img=found.Cn)
found.detrend_df_f(quantileMin=8, frames_window=20, flag_auto=False)
found.select_components(use_object=True)
model.save(sys.argv[3])
print(json.dumps({"dims": dims, "centres": centres, "nr": int(found.nr),
    "rate": model.params.get("data", "fr"), "gSig": list(model.params.init["gSig"])}))
"""


def make(shape):
    """Seven components in a corner-to-corner line, with a background."""
    random = np.random.default_rng(1)
    footprints = np.zeros((7, *shape), np.float32)
    for i in range(7):
        plane = (i % shape[0],) if len(shape) == 3 else ()
        y, x = 2 * i + 1, 4 * i + 1
        footprints[(i, *plane, slice(y, y + 3), slice(x, x + 4))] = 0.2 + random.random(
            (3, 4)
        )
    n_pixels = int(np.prod(shape))
    kinds = ("raw", "denoised", "spikes", "dff")
    return Components.build(
        sparse.csc_array(footprints.reshape(7, -1).T),
        shape,
        {kind: random.random((7, 60)).astype(np.float32) for kind in kinds},
        accepted=np.arange(7) % 3 != 1,
        background=Background(
            random.random((n_pixels, 2)).astype(np.float32),
            random.random((2, 60)).astype(np.float32),
            random.random(n_pixels).astype(np.float32),
        ),
        frame_rate=12.5,
        history=[
            {"operation": "extract_components", "params": {"cell_diameter": 11.0}}
        ],
    )


@pytest.mark.parametrize("shape", [(18, 31), (3, 18, 31)])
def test_caiman_opens_and_saves_what_we_write(shape, ask, tmp_path):
    cells = make(shape)
    image = np.random.default_rng(2).random(shape)
    path = write_caiman(cells, tmp_path / "a.hdf5", images={"correlation": image})
    said = ask("caiman", WORK, path, tmp_path / "b.npz", tmp_path / "c.hdf5")
    back = np.load(tmp_path / "b.npz")
    volume = len(shape) == 3
    assert tuple(said["dims"]) == ((18, 31, 3) if volume else shape)
    assert (said["nr"], said["rate"]) == (5, 12.5)  # 5 were selected
    assert said["gSig"][:2] == [5.5, 5.5]
    for i in range(7):
        seen = back["A"][:, i].reshape(said["dims"], order="F")
        seen = seen.transpose(2, 0, 1) if volume else seen
        mine = cells.footprint_image(i)
        np.testing.assert_allclose(seen, mine, rtol=1e-6)
        places = np.argwhere(mine > 0)
        centre = np.average(places, axis=0, weights=mine[mine > 0])
        theirs = np.array(said["centres"][i])
        theirs = theirs[[2, 0, 1]] if volume else theirs
        np.testing.assert_allclose(theirs, centre, rtol=1e-5)
    traces = cells.traces
    for name, kind in {"C": "denoised", "S": "spikes", "F_dff": "dff"}.items():
        np.testing.assert_array_equal(back[name], traces[kind])
    np.testing.assert_allclose(
        back["YrA"] + back["C"], traces["raw"], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(back["idx"], np.flatnonzero(cells.accepted))
    own = cells.background
    movie = cells.footprints @ traces["denoised"] + own.static[:, None]
    movie = (movie + own.spatial @ own.temporal).T.reshape(-1, *shape)
    seen = back["movie"].transpose(0, 3, 1, 2) if volume else back["movie"]
    np.testing.assert_allclose(seen, movie, rtol=1e-4)
    np.testing.assert_array_equal(
        back["Cn"].transpose(2, 0, 1) if volume else back["Cn"], image
    )
    again = read_results(tmp_path / "c.hdf5")
    kept = cells.select(cells.accepted)
    assert again.image_shape == shape
    assert abs(again.footprints - kept.footprints).max() < 1e-6
    np.testing.assert_array_equal(again.traces["spikes"], kept.traces["spikes"])
    assert again.accepted.all()
