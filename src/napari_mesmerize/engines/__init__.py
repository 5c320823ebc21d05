"""The table of engines, and the chain of them: from a recording to a sample."""

from napari_mesmerize.engines.costs import Cost
from napari_mesmerize.engines.table import (
    ENGINES,
    Engine,
    engine_names,
    engine_of,
    engines,
    find_engine,
)

__all__ = [
    "ENGINES",
    "Cost",
    "Engine",
    "engine_names",
    "engine_of",
    "engines",
    "find_engine",
]
