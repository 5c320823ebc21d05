"""The loop over a cluster: results, order, how many at once, what stopping leaves."""

import threading
import time

import pytest

from napari_mesmerize.compute.cluster import computed, n_threads, n_workers

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=3,
            processes=False,
            dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def scaled(factor, item, data):
    time.sleep(data)
    return factor * item


def failing(shared, item, data):
    raise ZeroDivisionError("piece 0")


def test_all_results_come_each_with_its_place(client):
    found = computed(client, scaled, 10, [3, 1, 2], lambda item: 0.1 * item, at_once=3)
    assert next(found) == (1, 10), "the quickest is the first"
    assert sorted(found) == [(0, 30), (2, 20)]


def test_in_order_where_asked(client):
    found = computed(
        client, scaled, 2, [3, 1, 2], lambda item: 0.1 * item, at_once=3, in_order=True
    )
    assert list(found) == [(0, 6), (1, 2), (2, 4)]


@pytest.mark.parametrize("in_order", [False, True])
def test_no_more_pieces_exist_than_allowed(client, in_order):
    read = []

    def reading(item):
        read.append(item)
        return 0.0

    items = range(7)
    found = computed(client, scaled, 1, items, reading, at_once=2, in_order=in_order)
    for n_results, _ in enumerate(found, start=1):
        assert len(read) <= n_results + 1
    assert read == list(items)


def test_nothing_to_do(client):
    assert list(computed(client, scaled, 1, [], lambda item: 0.0, at_once=2)) == []


def test_stopping_cancels_what_is_open(client):
    entered = threading.Event()

    def read(item):
        entered.set()
        return 0.0 if item == 0 else 0.3

    found = computed(client, scaled, 1, range(20), read, at_once=20, in_order=True)
    assert next(found) == (0, 0)
    assert entered.is_set()
    found.close()
    for _ in range(100):
        if not client.futures:
            break
        time.sleep(0.05)
    assert not client.futures


def test_an_error_of_a_piece_is_raised_here(client):
    with pytest.raises(ZeroDivisionError, match="piece 0"):
        list(computed(client, failing, 1, [0, 1], lambda item: 0.0, at_once=2))


def test_the_size_of_a_cluster_is_known(client):
    assert (n_workers(client), n_threads(client)) == (1, 3)
