"""How components stand to stronger ones beside them, and what follows for the rules."""

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.judge.acceptance import Thresholds, reasons_against
from napari_mesmerize.cnmf.judge.neighbours import REACH, note_neighbours, standing

WIDTH = 60
RADIUS = 4.0


def cell_at(y: int, x: int, trace: np.ndarray, height: float = 1.0) -> Cell:
    rows, columns = np.mgrid[y - 3 : y + 4, x - 3 : x + 4]
    pixels = (rows * WIDTH + columns).ravel().astype(np.int64)
    weights = np.full(len(pixels), height, np.float32)
    return Cell(pixels, weights, trace=trace.astype(np.float32))


@pytest.fixture
def traces() -> np.ndarray:
    return np.random.default_rng(0).exponential(1, (3, 400))


def test_only_the_weaker_of_a_pair_is_told(traces: np.ndarray) -> None:
    strong = cell_at(20, 20, traces[0], 2.0)
    halo = cell_at(20, 26, traces[0] + 0.1 * traces[1])
    far = cell_at(50, 50, traces[2])
    note_neighbours([strong, halo, far], [0, 0, 0], WIDTH, RADIUS)
    assert halo.scores["neighbour_r"] > 0.9
    assert halo.scores["neighbour_distance"] == pytest.approx(6 / RADIUS)
    for alone in (strong, far):
        assert alone.scores == {"neighbour_r": 0, "neighbour_distance": REACH}


def test_planes_have_neighbours_of_their_own(traces: np.ndarray) -> None:
    above, below = cell_at(20, 20, traces[0], 2.0), cell_at(20, 20, traces[0])
    note_neighbours([above, below], [0, 1], WIDTH, RADIUS)
    assert below.scores["neighbour_distance"] == REACH


def test_order_does_not_matter(traces: np.ndarray) -> None:
    def noted(order: list[int]) -> list[dict[str, float]]:
        cells = [cell_at(20, 20 + 4 * i, traces[i], 3.0 - i) for i in range(3)]
        note_neighbours([cells[i] for i in order], [0] * 3, WIDTH, RADIUS)
        return [cell.scores for cell in cells]

    for a, b in zip(noted([0, 1, 2]), noted([2, 0, 1]), strict=True):
        assert a == pytest.approx(b, rel=1e-5)


def test_standing() -> None:
    table = pd.DataFrame(
        {
            "neighbour_r": [0.0, 0.5, 0.9, 0.9, 0.0, np.nan],
            "neighbour_distance": [4.0, 2.0, 1.5, 3.0, 0.3, np.nan],
        }
    )
    assert standing(table).tolist() == [1, 0, -1, 0, -1, 0]
    assert standing(table.assign(planes=2)).tolist() == [0, 0, -1, 0, -1, 0]
    assert standing(table[["neighbour_r"]]).tolist() == [0] * 6


def test_less_is_asked_of_components_alone_and_more_of_repetitions() -> None:
    table = pd.DataFrame(
        {
            "shape": [0.57, 0.57, 0.65],
            "shape_corrected": [0.95] * 3,
            "snr": [5.0] * 3,
            "energy": [20.0] * 3,
            "relative_area": [0.4, 0.8, 0.8],
            "neighbour_r": [0.0, 0.5, 0.9],
            "neighbour_distance": [4.0, 2.0, 1.5],
        }
    )
    rule = Thresholds(min_shape=0.6, min_shape_corrected=0.8)
    alone, near, repetition = reasons_against(table, rule)
    assert alone == ""
    assert "0.57 below 0.6" in near
    assert "0.65 below 0.7" in repetition
    off = rule.model_copy(update={"neighbour_tolerance": 0.0})
    alone, near, repetition = reasons_against(table, off)
    assert "shape" in alone
    assert "small" in alone
    assert near
    assert repetition == ""
