import numpy as np
import pytest
from scipy.io import savemat

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import ReadWarning, list_recordings, read_recording


def write(path, frames, **changes):
    """Write frames (T, C, Y, X) as Scanbox does."""
    stored = np.invert(frames.astype(np.uint16)).transpose(0, 2, 3, 1)
    path.write_bytes(np.ascontiguousarray(stored).tobytes())
    info = {
        "sz": np.array([frames.shape[2], frames.shape[3]]),
        "channels": 1 if frames.shape[1] == 2 else 2,
        "recordsPerBuffer": frames.shape[2],
        "resfreq": 8000.0,
        "scanmode": 1,
        "scanbox_version": 2,
    } | changes
    savemat(path.with_suffix(".mat"), {"info": info})


@pytest.fixture
def frames(movie):
    return movie(shape=(24, 10, 14)).reshape(12, 2, 10, 14)


def test_two_channels(tmp_path, frames):
    path = tmp_path / "a.sbx"
    write(path, frames, dycal=1.5, dxcal=2.5)
    infos = list_recordings(path)
    assert [info.channel for info in infos] == ["green", "red"]
    for c, info in enumerate(infos):
        recording = read_recording(path, selection=info.selection)
        np.testing.assert_array_equal(recording, frames[:, c])
    assert recording.attrs["frame_rate"] == 800
    assert recording.attrs["pixel_size_um"] == (1.5, 2.5)


def test_one_channel_in_both_directions(tmp_path, frames):
    path = tmp_path / "a.sbx"
    write(path, frames[:, :1], scanmode=0)
    recording = read_recording(path)
    np.testing.assert_array_equal(recording, frames[:, 0])
    assert recording.attrs["frame_rate"] == 1600
    assert recording.attrs["pixel_size_um"] is None
    stored = read_recording(path, invert=False)
    np.testing.assert_array_equal(stored, 65535 - frames[:, 0])
    write(path, frames, chan={"nchan": 2}, channels=0)
    assert len(list_recordings(path)) == 2


def test_volumes(tmp_path, frames):
    path = tmp_path / "a.sbx"
    write(path, frames[:, :1], volscan=1, otparam=np.array([0, 100, 5]))
    with pytest.warns(ReadWarning, match="last 2 frames make no whole volume"):
        recording = read_recording(path)
    np.testing.assert_array_equal(recording, frames[:10, 0].reshape(2, 5, 10, 14))
    assert recording.attrs["frame_rate"] == 160


def test_bad_files(tmp_path, frames):
    path = tmp_path / "a.sbx"
    write(path, frames)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.warns(ReadWarning, match="opened the 11 whole frames"):
        assert read_recording(path, selection=0).shape[0] == 11
    path.write_bytes(b"12")
    with pytest.raises(ReadError, match="less than one frame"):
        read_recording(path)
    path.with_suffix(".mat").write_bytes(b"nothing")
    with pytest.raises(ReadError, match=r"a\.mat.*no MATLAB"):
        read_recording(path)
    savemat(path.with_suffix(".mat"), {"info": {"sz": [10**9, -1]}})
    with pytest.raises(ReadError, match=r"sz=.*expected \[rows, columns\]"):
        read_recording(path)
    savemat(path.with_suffix(".mat"), {"other": 1})
    with pytest.raises(ReadError, match="no struct 'info'"):
        read_recording(path)
    path.with_suffix(".mat").unlink()
    with pytest.raises(ReadError, match=r"needs a\.mat beside it"):
        read_recording(path)
