"""Inscopix's own library reads what we write, and we what it writes, identically."""

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.inscopix.events import read_event_set, write_event_set
from napari_mesmerize.io.inscopix.results import read_cell_set, write_cell_set
from napari_mesmerize.io.inscopix.vessels import (
    VesselSet,
    read_vessel_set,
    write_vessel_set,
)
from napari_mesmerize.io.inscopix.write import write_movie

pytestmark = pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")

READ_MOVIE = """
import json, sys
import isx, numpy as np
movie = isx.Movie.read(sys.argv[1])
timing = movie.timing
valid = [int(i) for i in timing.get_valid_samples()]
np.save(sys.argv[2], np.stack([movie.get_frame_data(i) for i in valid]))
print(json.dumps({
    "n": timing.num_samples, "valid": valid, "period": timing.period.secs_float,
    "start": str(timing.start.to_datetime()), "shape": movie.spacing.num_pixels,
}))
"""
WRITE_MOVIE = """
import sys
import isx, numpy as np
frames = np.load(sys.argv[1])
start = isx.Time._from_secs_since_epoch(
    isx.Duration._from_num_den(int(sys.argv[3]), 1000), 0)
period = isx.Duration._from_num_den(33, 1000)
timing = isx.Timing(num_samples=len(frames), period=period, start=start,
    dropped=[0, 9], cropped=[(3, 5), (20, 20)], blank=[7])
movie = isx.Movie.write(sys.argv[2], timing, isx.Spacing(num_pixels=frames.shape[1:]),
    frames.dtype.type)
for i in timing.get_valid_samples():
    movie.set_frame_data(int(i), frames[int(i)])
movie.flush()
print("{}")
"""
READ_SETS = """
import json, sys
import isx, numpy as np
cells = isx.CellSet.read(sys.argv[1])
events = isx.EventSet.read(sys.argv[2])
n = cells.num_cells
found = [events.get_cell_data(i) for i in range(events.num_cells)]
np.savez(sys.argv[3],
    images=[cells.get_cell_image_data(i) for i in range(n)],
    traces=[cells.get_cell_trace_data(i) for i in range(n)],
    offsets=np.concatenate([f[0] for f in found]),
    amplitudes=np.concatenate([f[1] for f in found]))
print(json.dumps({
    "names": [cells.get_cell_name(i) for i in range(n)],
    "status": [cells.get_cell_status(i) for i in range(n)],
    "event_names": [events.get_cell_name(i) for i in range(events.num_cells)],
    "counts": [len(f[0]) for f in found],
    "samples": [cells.timing.num_samples, events.timing.num_samples],
    "dropped": [int(i) for i in cells.timing.dropped],
}))
"""
WRITE_SETS = """
import sys
import isx, numpy as np
content = np.load(sys.argv[1])
images, traces = content["images"], content["traces"]
timing = isx.Timing(num_samples=traces.shape[1], period=isx.Duration.from_msecs(40))
spacing = isx.Spacing(num_pixels=images.shape[1:])
names = [f"C{i}" for i in range(len(images))]
cells = isx.CellSet.write(sys.argv[2], timing, spacing)
for i, name in enumerate(names):
    cells.set_cell_data(i, images[i], traces[i], name)
cells.flush()
del cells
cells = isx.CellSet.read(sys.argv[2], read_only=False)
for i, status in enumerate(("rejected", "accepted", "undecided")):
    cells.set_cell_status(i, status)
del cells
events = isx.EventSet.write(sys.argv[3], timing, names)
for i in range(len(names)):
    events.set_cell_data(i, content["offsets"][:i], content["amplitudes"][:i])
events.flush()
print("{}")
"""
READ_VESSELS = """
import json, sys
import isx, numpy as np
vessels = isx.VesselSet.read(sys.argv[1])
n = vessels.num_vessels
velocity = sys.argv[3] == "velocity"
get = vessels.get_vessel_direction_trace_data if velocity else (
    vessels.get_vessel_center_trace_data)
found = {
    "image": vessels.get_vessel_image_data(0),
    "lines": [vessels.get_vessel_line_data(i) for i in range(n)],
    "traces": [vessels.get_vessel_trace_data(i) for i in range(n)],
    "second": [get(i) for i in range(n)],
}
if velocity:
    frames = vessels.timing.num_samples
    found["maps"] = [
        [vessels.get_vessel_correlations_data(i, k) for k in range(frames)]
        for i in range(n)]
np.savez(sys.argv[2], **found)
print(json.dumps({
    "names": [vessels.get_vessel_name(i) for i in range(n)],
    "status": [vessels.get_vessel_status(i) for i in range(n)],
}))
"""


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_isx_reads_our_movies(dtype, ask, tmp_path):
    random = np.random.default_rng(1)
    frames = (random.random((12, 17, 23)) * 250).astype(dtype)
    kept = np.array([0, 1, 2, 4, 5, 9, 10, 11])
    recording = as_recording(
        frames[kept], frame_rate=25.0, date="2024-05-06T07:08:09.123"
    ).assign_coords(time_s=("frame", kept / 25.0))
    path = write_movie(recording, tmp_path / "m.isxd")
    said = ask("isx", READ_MOVIE, path, tmp_path / "back.npy")
    assert (said["n"], said["valid"]) == (12, kept.tolist())
    assert said["period"] == pytest.approx(0.04)
    assert said["shape"] == [17, 23]
    assert said["start"].startswith("2024-05-06 07:08:09.123")
    back = np.load(tmp_path / "back.npy")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, frames[kept])


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_we_read_the_movies_of_isx_alone_and_in_series(dtype, ask, tmp_path):
    random = np.random.default_rng(2)
    frames = (random.random((30, 17, 23)) * 4000).astype(dtype)
    np.save(tmp_path / "frames.npy", frames)
    for name, start in (("b.isxd", 1_700_000_000_000), ("a.isxd", 1_700_000_010_000)):
        ask("isx", WRITE_MOVIE, tmp_path / "frames.npy", tmp_path / name, start)
    missing = [0, 3, 4, 5, 7, 9, 20]
    kept = np.setdiff1d(np.arange(30), missing)
    one = read_recording(tmp_path / "a.isxd")
    assert one.dtype == dtype
    np.testing.assert_array_equal(one.to_numpy(), frames[kept])
    times = one["time_s"].to_numpy()
    np.testing.assert_allclose(times - times[0], (kept - kept[0]) * 0.033, atol=1e-9)
    both = read_recording([tmp_path / "a.isxd", tmp_path / "b.isxd"])
    np.testing.assert_array_equal(both.to_numpy(), np.tile(frames[kept], (2, 1, 1)))
    gap = both["time_s"].to_numpy()[[0, len(kept)]]
    assert gap[1] - gap[0] == pytest.approx(10.0)
    # written again it is the file of isx, in data and gaps
    again = write_movie(one, tmp_path / "again.isxd")
    said = ask("isx", READ_MOVIE, again, tmp_path / "back.npy")
    assert (said["n"], said["valid"]) == (30, kept.tolist())
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), frames[kept])


def test_isx_reads_our_cells_and_events(ask, tmp_path):
    random = np.random.default_rng(3)
    images = random.random((3, 17, 23)).astype(np.float32)
    images[images < 0.7] = 0
    traces = random.normal(size=(3, 40)).astype(np.float32)
    cells = Components.build(
        images.reshape(3, -1).T,
        (17, 23),
        {"raw": traces},
        accepted=[True, False, True],
        scores=pd.DataFrame({"name": ["one", "two", "three"]}),
        frame_rate=25.0,
    )
    frames = as_recording(np.zeros((40, 17, 23), np.uint16), frame_rate=25.0)
    samples = np.r_[0:10, 12:42]
    frames = frames.assign_coords(time_s=("frame", samples / 25.0))
    write_cell_set(cells, tmp_path / "c.isxd", recording=frames)
    events = pd.DataFrame(
        {
            "cell": ["three", "one", "three"],
            "time_s": [0.2, 0.44, 1.0],
            "amplitude": [1.5, 2.5, 3.5],
        }
    )
    write_event_set(
        events,
        tmp_path / "e.isxd",
        n_samples=42,
        frame_rate=25.0,
        cells=["one", "two", "three"],
    )
    places = tmp_path / "c.isxd", tmp_path / "e.isxd", tmp_path / "back.npz"
    said = ask("isx", READ_SETS, *places)
    back = np.load(tmp_path / "back.npz")
    assert said["names"] == said["event_names"] == ["one", "two", "three"]
    assert said["status"] == ["accepted", "rejected", "accepted"]
    assert (said["samples"], said["dropped"]) == ([42, 42], [10, 11])
    np.testing.assert_array_equal(back["images"], images)
    np.testing.assert_array_equal(back["traces"][:, samples], traces)
    assert said["counts"] == [1, 0, 2]
    np.testing.assert_allclose(back["offsets"], [440_000, 200_000, 1_000_000], atol=1)
    np.testing.assert_array_equal(back["amplitudes"], np.float32([2.5, 1.5, 3.5]))


def test_we_read_the_cells_and_events_of_isx(ask, tmp_path):
    random = np.random.default_rng(4)
    content = {
        "images": random.random((3, 17, 23)).astype(np.float32),
        "traces": random.normal(size=(3, 40)).astype(np.float32),
        "offsets": np.array([40_000, 1_200_000], np.uint64),
        "amplitudes": np.array([0.5, 0.25], np.float32),
    }
    np.savez(tmp_path / "in.npz", **content)
    places = [tmp_path / name for name in ("in.npz", "c.isxd", "e.isxd")]
    ask("isx", WRITE_SETS, *places)
    cells = read_cell_set(places[1])
    for i, image in enumerate(content["images"]):
        np.testing.assert_array_equal(cells.footprint_image(i), image)
    np.testing.assert_array_equal(cells.traces["raw"], content["traces"])
    assert list(cells.scores["status"]) == ["rejected", "accepted", "undecided"]
    assert list(cells.accepted) == [False, True, False]
    assert cells.frame_rate == 25.0
    events = read_event_set(places[2])
    assert list(events["cell"]) == ["C1", "C2", "C2"]
    assert list(events["offset_us"]) == [40_000, 40_000, 1_200_000]
    assert list(events["amplitude"]) == [0.5, 0.5, 0.25]


@pytest.mark.parametrize("kind", ["diameter", "velocity"])
def test_isx_reads_our_vessels(kind, ask, tmp_path):
    random = np.random.default_rng(5)
    traces, second = random.random((2, 3, 20)).astype(np.float32)
    maps = [random.random((20, 3, 4, 5)).astype(np.float32) for _ in range(3)]
    vessels = VesselSet(
        kind=kind,
        image=random.random((17, 23)).astype(np.float32),
        lines=random.integers(0, 16, (3, 2 if kind == "diameter" else 4, 2)),
        traces=traces,
        frame_rate=25.0,
        second=second,
        correlations=maps if kind == "velocity" else None,
        names=("a", "b", "c"),
        statuses=("accepted", "undecided", "rejected"),
    )
    path = write_vessel_set(vessels, tmp_path / "v.isxd")
    said = ask("isx", READ_VESSELS, path, tmp_path / "back.npz", kind)
    back = np.load(tmp_path / "back.npz")
    assert said["names"] == list(vessels.names)
    assert said["status"] == list(vessels.statuses)
    for name in ("image", "lines", "traces", "second"):
        np.testing.assert_array_equal(back[name], getattr(vessels, name))
    if kind == "velocity":
        np.testing.assert_array_equal(back["maps"], np.stack(maps))
    again = read_vessel_set(path)
    np.testing.assert_array_equal(again.traces, traces)
