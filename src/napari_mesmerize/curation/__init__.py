"""What is done to found components: merge, split, demix, and the replay of it."""

from napari_mesmerize.curation.merge_split import (
    Curation,
    carry_table,
    merge_components,
    related,
    split_component,
)
from napari_mesmerize.curation.replay import curation_steps, replay_curation

__all__ = [
    "Curation",
    "carry_table",
    "curation_steps",
    "merge_components",
    "related",
    "replay_curation",
    "split_component",
]
