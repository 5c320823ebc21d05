"""Attributes of Femtonics ``.mesc`` files: text, numbers and axes as Python values."""

import math
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np

MAX_TEXT = 2_000_000
_PER_SECOND = {"ms": 1000.0, "s": 1.0, "us": 1e6, "µs": 1e6, "μs": 1e6}
_LENGTH_UNITS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3}
_MODES = {
    1: "time series",
    2: "z-stack",
    6: "line scan",
    7: "multi-line scan",
    8: "chessboard",
    9: "ribbon",
    10: "ribbon",
    11: "multicube",
}


def text_of(value: Any) -> str:
    """Return text that is stored as an array of character codes ending with 0."""
    if isinstance(value, str):
        return value.rstrip("\x00")
    if isinstance(value, bytes):
        return value.rstrip(b"\x00").decode("latin-1")
    codes = np.asarray(value)
    if codes.dtype.kind == "S":
        return b"".join(codes.ravel().tolist()).rstrip(b"\x00").decode("latin-1")
    if codes.dtype.kind not in "ui":
        return ""
    codes = codes.ravel()[:MAX_TEXT]
    return "".join(chr(int(code) % 0x10000) for code in codes if code != 0)


def number_of(value: Any) -> float | None:
    """Return a number that is stored as a scalar or an array of one element."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "buif":
        return None
    number = float(array.reshape(-1)[0])
    return number if math.isfinite(number) else None


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes JSON-safe: texts decoded, the XML as a table of parameters."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if name == "MeasurementParamsXML":
            found[name] = parse_xml(text_of(value))
        elif is_text(name, value):
            found[name] = text_of(value)
        elif np.size(value) == 1:
            found[name] = np.asarray(value).reshape(-1)[0].item()
        elif np.size(value) <= 4096:
            found[name] = np.asarray(value).tolist()
        else:
            found[name] = f"{np.asarray(value).dtype} of shape {np.shape(value)}"
    return found


def is_text(name: str, value: Any) -> bool:
    """Return whether an attribute is text, by its type and name."""
    if isinstance(value, str | bytes):
        return True
    array = np.asarray(value)
    if array.dtype.kind == "S":
        return True
    if array.ndim != 1 or array.dtype not in (np.uint8, np.int16, np.uint16):
        return False
    return array.size > 0 and int(array[-1]) == 0 and not name.endswith("Uuid")


def parse_xml(text: str) -> Any:
    """Return parameters and detectors of the measurement's XML; the text if broken."""
    if not text:
        return None
    try:
        root = ElementTree.fromstring(text.encode("latin-1", "replace"))
    except (ElementTree.ParseError, ValueError):
        return text[:10_000]
    params = {
        str(p.get("name")): _with_unit(p)
        for parent in root.iter("Params")
        for p in parent.iter("param")
    }
    gears = [
        {"type": gear.get("type")}
        | {str(p.get("name")): _with_unit(p) for p in gear.iter("param")}
        for gear in root.iter("Gear")
    ]
    return {"task": root.get("Type"), "params": params, "gears": gears}


def _with_unit(param: ElementTree.Element) -> Any:
    value: Any = param.get("value")
    try:
        value = float(value)
    except (TypeError, ValueError):
        return value
    unit = param.get("unit")
    return value if unit is None else {"value": value, "unit": unit}


class Axis:
    """One axis of a unit: value = offset + index x scale, in a unit.

    Parameters
    ----------
    attributes : mapping
        Attributes of the unit's group.
    letter : str
        X, Y or Z (the third axis, whatever it means).
    """

    def __init__(self, attributes: Mapping[str, Any], letter: str) -> None:
        stem = f"{letter}AxisConversion"
        self.scale = _get(attributes, f"{stem}ConversionLinearScale")
        self.offset = _get(attributes, f"{stem}ConversionLinearOffset") or 0.0
        self.unit = text_of(attributes.get(f"{stem}UnitName", "")).strip()
        role = _get(attributes, f"{letter}AxisGeomRole")
        self.is_depth = role == 3 or (role is None and self.unit in _LENGTH_UNITS)

    @property
    def step_um(self) -> float | None:
        """Distance of neighbours in micrometres; None if unknown."""
        factor = _LENGTH_UNITS.get(self.unit)
        if factor is None or not self.scale:
            return None
        return abs(self.scale) * factor

    @property
    def rate(self) -> float | None:
        """Frames per second; None if this is no time axis."""
        factor = _PER_SECOND.get(self.unit)
        if self.is_depth or factor is None or self.scale is None or self.scale <= 0:
            return None
        return factor / self.scale

    @property
    def start_s(self) -> float:
        """Time of frame 0 in seconds; 0 if this is no time axis."""
        factor = _PER_SECOND.get(self.unit)
        return 0.0 if factor is None else self.offset / factor


def seconds_per(unit: str) -> float | None:
    """Return how many seconds a unit of time is; None if it is none."""
    factor = _PER_SECOND.get(unit.strip())
    return None if factor is None else 1 / factor


def pixel_size(attributes: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the pixel size (y, x) in micrometres; None if unknown."""
    y, x = (Axis(attributes, letter).step_um for letter in "YX")
    return (y, x) if y and x else None


def conversion(
    attributes: Mapping[str, Any], channel: int
) -> tuple[float, float] | None:
    """Return (scale, offset) of a channel's intensities; None if the file has none."""
    stem = f"Channel_{channel}_Conversion_Conversion"
    scale = _get(attributes, f"{stem}LinearScale")
    offset = _get(attributes, f"{stem}LinearOffset")
    return None if scale is None or offset is None or scale == 0 else (scale, offset)


def scan_mode(attributes: Mapping[str, Any]) -> tuple[int, str]:
    """Return the number and the name of an acousto-optic mode; (0, "") if none."""
    if "MethodType" not in attributes:
        return 0, ""
    mode = int(_get(attributes, "MethodType") or 0)
    return mode, _MODES.get(mode, f"mode {mode}")


def measurement_date(attributes: Mapping[str, Any]) -> float | None:
    """Return the date of a measurement in seconds since 1970."""
    seconds = _get(attributes, "MeasurementDatePosix")
    if seconds is None or seconds <= 0:
        return None
    return seconds + (_get(attributes, "MeasurementDateNanoSecs") or 0.0) / 1e9


def _get(attributes: Mapping[str, Any], name: str) -> float | None:
    return number_of(attributes[name]) if name in attributes else None
