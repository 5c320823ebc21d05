"""Connections that end with the widget that listens."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtWidgets import QWidget


def connect_while_alive(
    widget: QWidget, signal: Any, method: Callable[..., Any]
) -> None:
    """Connect a bound method of ``widget`` to a psygnal or napari signal.

    Qt deletes a dock's widgets when the dock is closed, while the viewer and the layers
    live on; a signal that still reached the deleted widget would be an error.
    """
    signal.connect(method)

    def disconnect() -> None:
        with suppress(ValueError, KeyError, RuntimeError, TypeError):
            signal.disconnect(method)

    widget.destroyed.connect(disconnect)
