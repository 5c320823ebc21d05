"""The validator and the inspector of the NWB project find nothing in our files."""

import numpy as np
import pytest
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.data.rois import roi_table_from_components

pytest.importorskip("pynwb")

INSPECT = """
import json, sys
import pynwb
from nwbinspector import inspect_nwbfile, load_config
path = sys.argv[1]
found = [str(error) for error in pynwb.validate(path=path)]
found += [
    f"{m.importance.name} {m.check_function_name} {m.object_name}: {m.message}"
    for m in inspect_nwbfile(nwbfile_path=path, config=load_config("dandi"))
    if m.check_function_name not in sys.argv[2:]
]
print(json.dumps(found))
"""
UNKNOWN = (  # what a file without a session can not say
    "check_experimenter_exists",
    "check_institution",
    "check_session_start_time_old_date",
)


def make(shape):
    """Six cells with tags and epochs, and their recording."""
    random = np.random.default_rng(1)
    footprints = np.zeros((6, *shape), np.float32)
    for i in range(6):
        plane = (i % shape[0],) if len(shape) == 3 else ()
        footprints[(i, *plane, slice(4 * i, 4 * i + 4), slice(i, i + 5))] = 1
    cells = Components.build(
        sparse.csc_array(footprints.reshape(6, -1).T),
        shape,
        {k: random.random((6, 200)).astype("f4") for k in ("raw", "dff", "spikes")},
        accepted=np.arange(6) % 2 == 0,
        frame_rate=12.5,
        history=[{"operation": "extract_components", "id": "1", "params": {}}],
    )
    movie = as_recording(
        random.integers(0, 4000, (200, *shape), dtype=np.uint16),
        frame_rate=12.5,
        pixel_size_um=(1.5, 1.25),
        z_step_um=10.0 if len(shape) == 3 else None,
        origin="a microscope",
    )
    return cells, movie


@pytest.mark.parametrize("shape", [(32, 24), (3, 32, 24)])
@pytest.mark.parametrize("movie", ["none", "copy", "link"])
@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_found_in_our_files(shape, movie, known, ask, tmp_path):
    from napari_mesmerize.io.results import NwbSession, write_nwb

    cells, recording = make(shape)
    np.save(tmp_path / "movie.npy", recording.to_numpy())
    times = np.arange(200) / 12.5
    recording = recording.assign_coords(time_s=("frame", times))
    recording.attrs["source"] = {"uri": str(tmp_path / "movie.npy")}
    session = NwbSession(
        subject_id="m1",
        session_id="t1",
        experimenter="Doe, Jane",
        institution="University",
        start_time="2026-05-01T10:00:00+02:00",
    )
    path = write_nwb(
        cells,
        tmp_path / "a.nwb",
        rois=roi_table_from_components(cells).assign(region="CA1", id="tag"),
        recording=recording,
        epochs=make_epochs([("odour", "pear", 1.5, 2.0), ("odour", "apple", 0.5, 1)]),
        projections={"mean": recording.mean("frame").to_numpy()},
        session=session if known else None,
        movie=movie,
    )
    assert ask("nwb", INSPECT, path, *(() if known else UNKNOWN)) == []
