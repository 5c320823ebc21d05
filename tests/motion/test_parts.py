"""Geometry of patches, suggested parameters, previews, scan phase, cluster."""

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion import (
    PiecewiseParams,
    RigidParams,
    correct_motion,
    patch_grid,
    preview_motion,
    suggest_params,
    suggest_preset,
)
from napari_mesmerize.simulation.scores import shift_error


def test_patches_cover_the_image_and_follow_the_parameters():
    coarse = patch_grid(PiecewiseParams(strides=48, overlaps=24), (96, 144))
    fine = patch_grid(PiecewiseParams(strides=24, overlaps=24), (96, 144))
    assert len(fine.centers) > 2 * len(coarse.centers)
    assert coarse.rectangles.min() >= -0.5
    assert coarse.rectangles[..., 0].max() == 95.5
    assert coarse.rectangles[..., 1].max() == 143.5
    assert coarse.spacing == pytest.approx((95 / 2, 143 / 3))
    with pytest.raises(ParameterError, match="strides=200"):
        patch_grid(PiecewiseParams(strides=200), (96, 144))


def test_patch_centers_of_the_result_match_the_patches(piecewise_2p):
    params = PiecewiseParams(upsample_grid=1)
    result = correct_motion(piecewise_2p.recording[:40], params)
    patches = patch_grid(params, (96, 96))
    np.testing.assert_allclose(
        np.unique(patches.centers[:, 0]), result.patch_centers[0]
    )


def test_presets_follow_from_the_facts(make_recording):
    frames = np.zeros((3, 20, 20), np.uint8)
    plain = make_recording(frames)
    miniscope = make_recording(frames, origin="Inscopix nVista")
    coarse = make_recording(frames, pixel_size_um=(2.5, 2.5))
    volume = make_recording(frames[:, None].repeat(4, axis=1))
    presets = [suggest_preset(each) for each in (plain, miniscope, coarse, volume)]
    assert presets == ["two-photon", "miniscope", "miniscope", "volume"]
    assert suggest_params(coarse).cell_diameter == pytest.approx(4.8)
    assert isinstance(suggest_params(plain, PiecewiseParams), PiecewiseParams)
    with pytest.raises(ParameterError, match="choose one of two-photon"):
        suggest_params(plain, preset="three-photon")


def test_a_preview_looks_at_the_middle(rigid_2p):
    result = preview_motion(rigid_2p.recording, n_frames=100)
    true = rigid_2p.truth.shifts[100:200]
    assert shift_error(result.shifts, true)["rmse"] < 0.1
    assert preview_motion(rigid_2p.recording, n_frames=50, start=290).shifts.shape == (
        50,
        2,
    )


@pytest.mark.parametrize("phase", [2.0, -1.3])
def test_the_scan_phase_is_found_and_undone(rigid_2p, phase):
    frames = rigid_2p.recording[:100].to_numpy().astype(np.float32)
    frequency = np.fft.rfftfreq(96)
    turn = np.exp(-2j * np.pi * frequency * phase)
    frames[:, 1::2] = np.fft.irfft(np.fft.rfft(frames[:, 1::2]) * turn, n=96)
    torn = as_recording(frames)
    result = correct_motion(torn, RigidParams(fix_scan_phase=True))
    assert result.quality.scan_phase == pytest.approx(-phase, abs=0.1)
    assert shift_error(result.shifts, rigid_2p.truth.shifts[:100])["rmse"] < 0.1
    untouched = correct_motion(
        rigid_2p.recording[:100], RigidParams(fix_scan_phase=True)
    )
    assert abs(untouched.quality.scan_phase) <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams(refine=True)])
def test_a_cluster_gives_the_same_result(rigid_2p, params, tmp_path):
    distributed = pytest.importorskip("distributed")
    recording = rigid_2p.recording[:150]
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        far = correct_motion(
            recording, params, client=client, out=tmp_path / "a.zarr", batch_size=64
        )
    near = correct_motion(recording, params)
    # each process compiles the loops for itself, which may round differently
    np.testing.assert_allclose(far.shifts, near.shifts, atol=1e-5)
    np.testing.assert_allclose(
        far.recording.to_numpy(), near.recording.to_numpy(), rtol=1e-4
    )


def test_work_for_a_cluster_can_be_sent(rigid_2p):
    cloudpickle = pytest.importorskip("cloudpickle")
    from napari_mesmerize.motion.fit.rigid import EstimateWork
    from napari_mesmerize.motion.passes import describe_source
    from napari_mesmerize.motion.source import Source

    result = correct_motion(rigid_2p.recording[:60], PiecewiseParams())
    source = describe_source(Source(rigid_2p.recording))
    assert len(cloudpickle.dumps(source)) < 200_000
    assert EstimateWork.__module__ in repr(EstimateWork)
    assert cloudpickle.loads(cloudpickle.dumps(result.frames.motion)).grid.cells
