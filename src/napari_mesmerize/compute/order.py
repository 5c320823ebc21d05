"""Order statistics for compiled loops; those of NumPy take seconds to compile."""

from typing import Any

from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled


@compiled
def partition_at(values: NDArray[Any], k: int) -> float:
    """Put the k-th smallest value at its place, smaller ones before it; return it.

    Hoare's selection, in place, of numbers without NaN.
    """
    low, high = 0, values.shape[0] - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return float(values[k])


@compiled
def median_inplace(values: NDArray[Any]) -> float:
    """Return the median of numbers without NaN; their order changes."""
    half = values.shape[0] // 2
    upper = partition_at(values, half)
    if values.shape[0] % 2:
        return upper
    lower = values[0]
    for i in range(1, half):
        if values[i] > lower:
            lower = values[i]
    return float(0.5 * (lower + upper))
