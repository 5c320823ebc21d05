import threading

import numpy as np
import pytest
import zarr

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import ReadWarning, list_recordings, read_recording
from napari_mesmerize.io.blocks.arrays import CachedBlocks


def write_ome(path, frames, version):
    """Write T, C, Z, Y, X with a second, smaller resolution."""
    root = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    axes = [{"name": "t", "type": "time", "unit": "millisecond"}]
    axes += [{"name": "c", "type": "channel"}]
    axes += [
        {"name": name, "type": "space", "unit": "micrometer"}
        for name in ("z", "y", "x")
    ]
    datasets = []
    for level in range(2):
        step = 2**level
        data = frames[..., ::step, ::step]
        chunks = (2, 1, 1, *data.shape[-2:])
        root.create_array(str(level), data=data, chunks=chunks)
        scale = [1.0, 1.0, 4.0, 0.5 * step, 0.25 * step]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
        )
    image = {
        "axes": axes,
        "datasets": datasets,
        "name": "scope",
        "coordinateTransformations": [{"type": "scale", "scale": [100.0, 1, 1, 1, 1]}],
    }
    labels = {"channels": [{"label": "GCaMP"}, {"label": "tdTomato"}]}
    if version == "0.4":
        root.attrs.update(multiscales=[image | {"version": version}], omero=labels)
    else:
        root.attrs["ome"] = {
            "version": version, "multiscales": [image], "omero": labels
        }  # fmt: skip


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, hyperstack, version):
    frames = hyperstack().swapaxes(1, 2)
    path = tmp_path / "rec.ome.zarr"
    write_ome(path, frames, version)
    infos = list_recordings(path)
    assert [info.channel for info in infos] == ["GCaMP", "tdTomato"]
    for c, info in enumerate(infos):
        recording = read_recording(path, selection=info.selection)
        np.testing.assert_array_equal(recording, frames[:, c])
    attrs = recording.attrs
    assert attrs["frame_rate"] == pytest.approx(10)
    assert attrs["pixel_size_um"] == (0.5, 0.25)
    assert attrs["z_step_um"] == 4


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_array_with_facts(tmp_path, movie, zarr_format):
    frames = movie()
    array = zarr.create_array(
        tmp_path / "a.zarr", data=frames, chunks=(5, 10, 14), zarr_format=zarr_format
    )
    array.attrs.update(frame_rate=8.0, pixel_size_um=[2, 3], date="2020-01-02")
    recording = read_recording(tmp_path / "a.zarr")
    np.testing.assert_array_equal(recording, frames)
    for i in (0, 4, 5, 11, 3):
        np.testing.assert_array_equal(recording[i], frames[i])
    assert recording.attrs["frame_rate"] == 8
    assert recording.attrs["pixel_size_um"] == (2, 3)
    assert recording.attrs["date"] == "2020-01-02T00:00:00"


def test_group_of_arrays(tmp_path, movie):
    root = zarr.create_group(tmp_path / "a.zarr")
    root.create_array("deep/movie", data=movie())
    root.create_array("line", data=np.arange(5))
    (info,) = list_recordings(tmp_path / "a.zarr")
    assert info.selection == "deep/movie"
    np.testing.assert_array_equal(read_recording(tmp_path / "a.zarr"), movie())


def test_bad_folders(tmp_path, movie):
    path = tmp_path / "a.zarr"
    path.mkdir()
    with pytest.raises(ReadError, match="without Zarr's own files"):
        read_recording(path)
    (path / "zarr.json").write_text("{broken")
    with pytest.raises(ReadError, match=r"a\.zarr"):
        read_recording(path)
    other = tmp_path / "b.zarr"
    zarr.create_group(other).create_array("line", data=np.arange(5))
    with pytest.raises(ReadError, match="no array of 3 to 5 axes"):
        read_recording(other)
    wrong = tmp_path / "c.zarr"
    group = zarr.create_group(wrong)
    group.attrs["multiscales"] = [{"datasets": [{"path": "gone"}]}]
    with pytest.raises(ReadError, match=r"c\.zarr"):
        read_recording(wrong)
    damaged = tmp_path / "d.zarr"
    zarr.create_array(damaged, data=movie(), chunks=(1, 10, 14))
    chunk = next(file for file in damaged.rglob("5/0/0"))
    chunk.write_bytes(chunk.read_bytes()[:10])
    recording = read_recording(damaged)
    np.testing.assert_array_equal(recording[4], movie()[4])
    with pytest.raises(ReadError, match=r"d\.zarr"):
        recording[5].to_numpy()


def test_blocks_are_read_once(movie):
    frames = movie(shape=(23, 4, 5))
    asked = []

    class Read:
        def __getitem__(self, key):
            asked.append(key[0])
            return frames[key]

    blocks = CachedBlocks(frames, Read(), 10)
    whole = (slice(None), slice(None))
    for i in range(23):
        np.testing.assert_array_equal(blocks[(slice(i, i + 1), *whole)][0], frames[i])
    assert len(asked) == 3
    np.testing.assert_array_equal(blocks[(slice(3, 22, 4), *whole)], frames[3:22:4])
    np.testing.assert_array_equal(blocks[(slice(21, 23), *whole)], frames[21:])


def test_threads(tmp_path, movie):
    frames = movie(shape=(40, 10, 14))
    zarr.create_array(tmp_path / "a.zarr", data=frames, chunks=(8, 10, 14))
    recording = read_recording(tmp_path / "a.zarr")
    wrong = []

    def work(seed):
        for i in np.random.default_rng(seed).permutation(40):
            wrong.extend([i] * (not np.array_equal(recording[int(i)], frames[i])))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_stored_recordings_of_ours_keep_times_and_history(tmp_path, movie):
    frames = movie()
    times = np.cumsum(np.linspace(0.1, 0.2, len(frames)))
    root = zarr.create_group(tmp_path / "motion.zarr")
    root.create_array("frames", data=frames, chunks=(4, *frames.shape[1:]))
    root.create_array("time_s", data=times)
    steps = [{"operation": "read_recording", "id": "1", "params": {}}]
    root.attrs["format"] = "napari-mesmerize recording"
    root.attrs["history"] = steps
    root.attrs["pixel_size_um"] = [0.8, 0.6]
    root.attrs["date"] = "2026-05-01T10:00:00"
    with pytest.warns(ReadWarning, match="frame rate varies"):
        recording = read_recording(tmp_path / "motion.zarr")
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(recording["time_s"], times)
    assert recording.attrs["frame_rate"] == pytest.approx(1 / np.median(np.diff(times)))
    assert recording.attrs["pixel_size_um"] == (0.8, 0.6)
    operations = [step["operation"] for step in recording.attrs["history"]]
    assert operations == ["read_recording", "read_recording"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_pyramid_with_translations_opens_its_full_size(
    tmp_path, hyperstack, zarr_format
):
    """As other writers lay it out: named levels, milliseconds, several channels."""
    full = hyperstack()
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=zarr_format)
    datasets = []
    for level in range(3):
        step = 2**level
        root.create_array(f"s{level}", data=full[..., ::step, ::step])
        scale = [250.0, 4.0, 1.0, 0.8 * step, 0.5 * step]
        changes = [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": [0.0] * 5},
        ]
        datasets.append({"path": f"s{level}", "coordinateTransformations": changes})
    axes = [{"name": "t", "type": "time", "unit": "millisecond"}]
    axes += [{"name": "z", "type": "space", "unit": "micrometer"}]
    axes += [{"name": "c", "type": "channel"}]
    axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    image = {"axes": axes, "datasets": datasets, "name": "image"}
    if zarr_format == 2:
        root.attrs["multiscales"] = [image | {"version": "0.4"}]
    else:
        root.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    for c in range(2):
        recording = read_recording(tmp_path / "a.zarr", selection=c)
        np.testing.assert_array_equal(recording, full[:, :, c])
        assert recording.attrs["frame_rate"] == 4.0
        assert recording.attrs["pixel_size_um"] == (0.8, 0.5)
        assert recording.attrs["z_step_um"] == 4.0
