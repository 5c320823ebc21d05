"""Connections that end with the widget that listens."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from napari.utils.events import EventEmitter
from psygnal import SignalInstance
from qtpy.QtWidgets import QWidget


def connect_while_alive(
    widget: QWidget,
    signal: SignalInstance | EventEmitter,
    method: Callable[..., None],
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


def follow(
    widget: QWidget,
    old: object,
    new: object,
    slots: Mapping[str, Callable[..., None]],
) -> None:
    """Listen to the signals of ``new`` in the place of those of ``old``.

    ``slots`` names the bound method of ``widget`` for each psygnal signal; ``old`` or
    ``new`` may be ``None``.
    """
    for name, method in slots.items():
        if old is not None:
            getattr(old, name).disconnect(method, missing_ok=True)
        if new is not None:
            connect_while_alive(widget, getattr(new, name), method)
