import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.errors import Cancelled
from napari_mesmerize.progress import reporting
from napari_mesmerize.simulation.simulate import simulate

distributed = pytest.importorskip("distributed")
PARAMS = CnmfParams(cell_diameter=9.2, decay_time_s=0.55, patch_size=40)


@pytest.fixture(scope="module")
def movie():
    return simulate("2p-small", seed=33, shape=(200, 80, 80), n_cells=16).recording


@pytest.fixture(scope="module")
def client():
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
        yield client


@pytest.mark.slow
def test_a_cluster_gives_the_same_result(movie, client, tmp_path):
    here = extract_components(movie, PARAMS)
    steps = []
    there = extract_components(
        movie,
        PARAMS,
        client=client,
        resume_dir=tmp_path / "work",
        progress=reporting(lambda desc, done, total: steps.append((done, total))),
    )
    assert steps == [(k, 4) for k in range(5)]
    # each process compiles the loops for itself, which may round differently
    scale = np.abs(here.footprints).max()
    assert np.abs(here.footprints - there.footprints).max() <= 1e-4 * scale
    for kind, traces in here.traces.items():
        atol = 1e-4 * np.abs(traces).max()
        np.testing.assert_allclose(traces, there.traces[kind], rtol=0, atol=atol)
    np.testing.assert_array_equal(here.accepted, there.accepted)
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_cancelled_work_leaves_nothing_on_the_cluster(movie, client, tmp_path):
    def stop(desc, done, total):
        if done == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        extract_components(
            movie,
            PARAMS,
            client=client,
            resume_dir=tmp_path / "work",
            progress=reporting(stop),
        )
    assert len(list((tmp_path / "work").glob("patch-*.npz"))) == 1
    masks = np.zeros((1, 80, 80))
    masks[0, 30:50, 30:50] = 1
    seeded = extract_components(movie, PARAMS, client=client, seeds=masks)
    assert len(seeded) == 1
