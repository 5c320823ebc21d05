"""How the compiled loops of the motion correction are compiled."""

from typing import Any

# no NaN reaches a compiled loop (frames are filled first), so "fastmath" is safe
FAST: dict[str, Any] = {"fastmath": True, "nogil": True, "cache": True}
