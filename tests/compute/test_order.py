import numpy as np
import pytest

from napari_mesmerize.compute.order import median_inplace, partition_at


@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_numpy(n, dtype):
    rng = np.random.default_rng(n)
    for values in (rng.normal(size=n), rng.integers(0, 3, n), np.arange(n)):
        values = values.astype(dtype)
        assert median_inplace(values.copy()) == pytest.approx(np.median(values))
        for k in {0, n // 3, n - 1}:
            parted = values.copy()
            assert partition_at(parted, k) == np.sort(values)[k]
            assert (parted[:k] <= parted[k]).all()
            assert (parted[k:] >= parted[k]).all()
            assert sorted(parted) == sorted(values)
