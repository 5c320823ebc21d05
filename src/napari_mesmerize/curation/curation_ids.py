"""Ids of ROIs that a merge or a split makes: the same step makes the same ids."""

import uuid
from collections.abc import Sequence

_NAMESPACE = uuid.UUID("b6a3f7a2-6a60-4c6b-9d1e-0e8f0c9a5d11")


def derived_ids(what: str, parents: Sequence[str], n_made: int) -> tuple[str, ...]:
    """Return UUIDs that follow from what was done with which ROIs.

    Parameters
    ----------
    what : str
        The operation and its options.
    parents : sequence of str
        Ids of the ROIs it was done with.
    n_made : int
        How many ROIs it makes.
    """
    text = "\n".join([what, *sorted(parents)])
    return tuple(str(uuid.uuid5(_NAMESPACE, f"{text}\n{i}")) for i in range(n_made))
