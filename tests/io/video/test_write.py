import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError, WriteError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.video.write import write_film

av = pytest.importorskip("av")


def pictures(path):
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


@pytest.fixture
def recording():
    frames = np.zeros((12, 40, 50), np.float32)
    frames[:, 10:20, 30:40] = np.linspace(20, 100, 12)[:, None, None]
    return as_recording(frames, frame_rate=10, pixel_size_um=(1, 1))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_frames_and_speed(tmp_path, recording, suffix):
    path = write_film(recording, tmp_path / f"a{suffix}", speed=2)
    found = pictures(path)
    assert len(found) == 12
    assert found[0].shape[1] >= 256
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(
            20, rel=0.1
        )
    zoom = found[0].shape[1] // 50
    spot = [f[12 * zoom : 18 * zoom, 32 * zoom : 38 * zoom].mean() for f in found]
    assert spot[-1] > 200
    assert np.corrcoef(spot, np.arange(12))[0, 1] > 0.98
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_is_drawn_in(tmp_path, recording):
    epochs = pd.DataFrame(
        {"name": ["odour"], "start_s": [0.5], "stop_s": [0.8], "colour": ["#ff0000"]}
    )
    outline = [[10, 10], [10, 20], [30, 20], [30, 10]]
    found = pictures(
        write_film(
            recording, tmp_path / "a.mp4", outlines=[outline], colours=["#00ff00"],
            epochs=epochs, zoom=8,
        )
    )  # fmt: skip
    first, stimulus, later = (found[i].astype(int) for i in (0, 6, 9))
    edge = first[84, 100]
    assert edge[1] > edge[0] + 60
    assert (first[15 * 8 : 25 * 8, 12 * 8 : 18 * 8] < 40).all()
    corner = (slice(6, 12), slice(-12, -6))
    assert stimulus[corner][..., 0].mean() > stimulus[corner][..., 1].mean() + 60
    assert later[corner].mean() < 60
    assert first[-7, 10:60].mean() > 180
    assert first[:20, :60].max() > 150
    bare = pictures(
        write_film(recording, tmp_path / "b.mp4", scale_bar=False, time_stamp=False)
    )
    assert bare[0][:20, :60].max() < 60


def test_volumes_without_facts(tmp_path):
    frames = np.random.default_rng(0).integers(0, 99, (5, 3, 33, 31)).astype(np.uint8)
    path = write_film(frames, tmp_path / "a.mp4", zoom=1)
    assert read_recording(path).shape == (5, 32, 30)


def test_bad_requests(tmp_path, recording):
    path = tmp_path / "a.mp4"
    with pytest.raises(ParameterError, match=r"films end in \.mp4"):
        write_film(recording, tmp_path / "a.wmv")
    with pytest.raises(ParameterError, match="speed=0"):
        write_film(recording, path, speed=0)
    with pytest.raises(WriteError, match="was not written"):
        write_film(recording, tmp_path / "no" / "a.mp4")
    write_film(recording, path)
    with pytest.raises(WriteError, match="exists"):
        write_film(recording, path)
