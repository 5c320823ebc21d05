import json
import threading

import numpy as np
import pytest

from napari_mesmerize.errors import MissingExtraError, ReadError
from napari_mesmerize.io import ReadWarning, list_recordings, read_recording
from napari_mesmerize.io.facts.miniscope import read_times
from napari_mesmerize.io.video import recording as video

av = pytest.importorskip("av")


@pytest.fixture(scope="session")
def write_video(movie):
    def write(
        path,
        frames,
        codec="ffv1",
        pixels="gray",
        rate=20,
        stamps=None,
        gop=None,
        between=0,
    ):
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            stream.width, stream.height = frames.shape[2], frames.shape[1]
            stream.pix_fmt = pixels
            if gop:
                stream.codec_context.gop_size = gop
            if between:
                stream.codec_context.max_b_frames = between
            source = "gray16le" if frames.dtype == np.uint16 else "gray"
            for i, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(frame, format=source)
                if stamps is not None:
                    picture.pts = int(stamps[i])
                container.mux(stream.encode(picture))
            container.mux(stream.encode())

    return write


@pytest.fixture
def frames(movie):
    return (movie(shape=(60, 32, 48)) % 251).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "ffv1"), ("a.avi", "rawvideo"), ("a.mkv", "ffv1"), ("a.mov", "png")],
)
def test_lossless_frames(tmp_path, write_video, frames, name, codec):
    path = tmp_path / name
    write_video(path, frames, codec)
    (info,) = list_recordings(path)
    assert (info.shape, info.dtype, info.frame_rate) == (frames.shape, "uint8", 20)
    recording = read_recording(path)
    np.testing.assert_array_equal(recording, frames)
    for i in (59, 0, 30, 31, 5, 58):
        np.testing.assert_array_equal(recording[i], frames[i])
    np.testing.assert_array_equal(recording[50:3:-7], frames[50:3:-7])


def test_16_bit(tmp_path, write_video, movie):
    frames = movie(shape=(8, 32, 48)) * 37
    write_video(tmp_path / "a.mkv", frames, pixels="gray16le")
    recording = read_recording(tmp_path / "a.mkv")
    assert recording.dtype == np.uint16
    np.testing.assert_array_equal(recording, frames)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frames_between_key_frames(tmp_path, write_video, name):
    levels = np.linspace(20, 230, 100).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None], (100, 32, 48)).copy()
    write_video(tmp_path / name, frames, "libx264", "yuv420p", gop=25)
    recording = read_recording(tmp_path / name)
    assert len(recording) == 100
    for i in (99, 3, 60, 61, 24, 25, 26, 0):
        assert abs(float(recording[i].mean()) - levels[i]) < 3
    found = recording.mean(("y", "x")).to_numpy()
    assert np.abs(found - levels).max() < 3


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video"])
def test_avi_files_whose_frames_are_stored_in_another_order(
    tmp_path, write_video, codec
):
    levels = np.linspace(20, 230, 60).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None], (60, 32, 48)).copy()
    path = tmp_path / "a.avi"
    write_video(path, frames, codec, "yuv420p", gop=12, between=2)
    with av.open(str(path)) as container:
        shown = [f.to_ndarray(format="gray") for f in container.decode(video=0)]
    recording = read_recording(path)
    np.testing.assert_array_equal(recording, shown)
    for i in (59, 11, 12, 13, 0, 35, 36, 1):
        np.testing.assert_array_equal(recording[i], shown[i])


def test_variable_rate_gives_times(tmp_path, write_video, frames):
    stamps = np.cumsum([0, *([1, 3] * 30)])[:60]
    write_video(tmp_path / "a.mkv", frames, stamps=stamps)
    with pytest.warns(ReadWarning, match="frame rate varies"):
        recording = read_recording(tmp_path / "a.mkv")
    np.testing.assert_allclose(recording.time_s, stamps / 20, atol=2e-3)
    np.testing.assert_array_equal(recording[40], frames[40])


def test_miniscope_folder(tmp_path, write_video, frames):
    folder = tmp_path / "run" / "Miniscope"
    folder.mkdir(parents=True)
    for k in range(12):
        write_video(folder / f"{k}.avi", frames[5 * k : 5 * k + 5])
    times = np.arange(60) * 33 + 1000
    lines = [f"{i},{t},0" for i, t in enumerate(times)]
    stamps = folder / "timeStamps.csv"
    stamps.write_text("\n".join(["Frame Number,Time Stamp (ms),Buffer Index", *lines]))
    (folder / "metaData.json").write_text(
        json.dumps({"frameRate": "30FPS", "deviceType": "Miniscope_V4_BNO"})
    )
    start = {"year": 2021, "month": 2, "day": 3, "hour": 4, "minute": 5, "second": 6}
    (folder.parent / "metaData.json").write_text(
        json.dumps({"recordingStartTime": start | {"msec": 7}})
    )
    recording = read_recording(folder)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time_s, np.arange(60) * 0.033)
    assert recording.attrs["frame_rate"] == 30
    assert recording.attrs["date"] == "2021-02-03T04:05:06.007000"
    assert recording.attrs["origin"] == "Miniscope_V4_BNO"
    with pytest.warns(ReadWarning, match="60 time stamps"):
        read_recording(folder / "3.avi")


def test_old_miniscope_times(tmp_path):
    path = tmp_path / "timestamp.dat"
    path.write_text(
        "camNum\tframeNum\tsysClock\tbuffer\n0\t1\t5\t0\n1\t1\t9\t0\n1\t2\t29\t0\n"
    )
    np.testing.assert_allclose(read_times(path), [0, 0.02])
    path.write_text("nothing")
    with pytest.raises(ReadError, match="time stamps"):
        read_times(path)


def test_no_video(tmp_path, write_video, frames):
    path = tmp_path / "a.avi"
    for content in (b"", b"not a video", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(ReadError, match=r"a\.avi"):
            read_recording(path)
    write_video(path, frames)
    content = path.read_bytes()
    for part in np.linspace(0.02, 0.98, 10):
        path.write_bytes(content[: int(len(content) * part)])
        try:
            found = read_recording(path).to_numpy()
        except ReadError:
            continue
        np.testing.assert_array_equal(found, frames[: len(found)])


def test_threads(tmp_path, write_video, frames):
    write_video(tmp_path / "a.avi", frames)
    recording = read_recording(tmp_path / "a.avi")
    wrong = []

    def work(seed):
        for i in np.random.default_rng(seed).permutation(60)[:20]:
            wrong.extend([i] * (not np.array_equal(recording[int(i)], frames[i])))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_missing_library_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.avi").write_bytes(b"1")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"napari-mesmerize\[video\]"):
        video.scan(tmp_path / "a.avi")
