"""What is installed and working, what is missing, and the line that installs it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

_LIBRARIES = ("numpy", "scipy", "xarray", "pandas", "zarr", "numba", "tifffile")
_EXTRAS = {
    "gui": ("pyqtgraph", "the docks in napari"),
    "nwb": ("pynwb", "NWB export"),
    "video": ("av", "video files (.avi, .mp4, .mkv)"),
    "leica": ("liffile", "Leica files (.lif)"),
    "cluster": ("distributed", "clusters through dask"),
    "gpu": ("torch", "motion correction on a graphics card"),
    "train": ("torch", "training of segmentation networks"),
}
_GIB = 2**30


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes
    ----------
    name : str
        What was looked at.
    status : {"ok", "missing", "warning"}
        ``missing`` is an optional part that is not there.
    found : str
        What was found.
    remedy : str
        What to do, empty when nothing is wrong.
    """

    name: str
    status: Literal["ok", "missing", "warning"]
    found: str
    remedy: str = ""


def examine(folder: str | Path = ".", *, graphics: bool = True) -> list[Check]:
    """Look at versions, window system, optional parts, memory and disk.

    Parameters
    ----------
    folder : path, optional
        The disk on which free space is reported.
    graphics : bool, optional
        Also ask for the OpenGL version, in a process of its own.
    """
    checks = [
        Check("Python", "ok", platform.python_version()),
        Check("system", "ok", platform.platform()),
        Check("napari-mesmerize", "ok", version("napari-mesmerize")),
    ]
    checks += [Check(name, "ok", version(name)) for name in _LIBRARIES]
    checks.append(_napari())
    if graphics:
        checks.append(_opengl())
    for extra, (module, purpose) in _EXTRAS.items():
        checks.append(_optional(extra, module, purpose))
    checks += [_memory(), _disk(Path(folder))]
    return checks


def version(package: str) -> str:
    """Return the version of an installed package, ``""`` without it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _napari() -> Check:
    found = version("napari")
    line = "pip install 'napari-mesmerize[all]'"
    if not found:
        return Check("napari", "missing", "not installed", f"For the windows: {line}")
    bindings = [name for name in ("PyQt6", "PySide6", "PyQt5") if version(name)]
    if not bindings:
        text = f"{found}, no Qt binding"
        return Check("napari", "missing", text, f"For the windows: {line}")
    return Check("napari", "ok", f"{found} with {', '.join(bindings)}")


def has_display() -> bool:
    """Return whether windows can be shown here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _opengl() -> Check:
    """Ask for OpenGL in a process of its own: a broken driver can crash its process."""
    if not version("napari"):
        return Check("OpenGL", "missing", "not tried without napari")
    if not has_display():
        remedy = "Run on a desktop, or under a virtual one: xvfb-run -a napari"
        return Check("OpenGL", "missing", "no display", remedy)
    command = [sys.executable, "-m", "napari_mesmerize.widgets.hooks.opengl"]
    try:
        probe = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return Check("OpenGL", "warning", "no answer in 60 s", _DRIVER_REMEDY)
    if probe.returncode != 0:
        last = (probe.stderr.strip().splitlines() or ["no message"])[-1]
        return Check("OpenGL", "warning", f"does not start: {last}", _DRIVER_REMEDY)
    return Check("OpenGL", "ok", probe.stdout.strip())


_DRIVER_REMEDY = (
    "Update the graphics driver; on Debian or Ubuntu: apt-get install "
    "libgl1 libegl1 libxcb-icccm4 libxcb-keysyms1 libxcb-xinerama0"
)


def _optional(extra: str, module: str, purpose: str) -> Check:
    if importlib.util.find_spec(module) is None:
        line = f"For {purpose}: pip install 'napari-mesmerize[{extra}]'"
        return Check(f"[{extra}]", "missing", f"{module} is not installed", line)
    return Check(f"[{extra}]", "ok", f"{module} {version(module)}".strip())


def _memory() -> Check:
    memory = psutil.virtual_memory()
    found = f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free"
    if memory.available < 2 * _GIB:
        return Check("memory", "warning", found, "Close other programs.")
    return Check("memory", "ok", found)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free / _GIB:.1f} GiB free"
    if free < 5 * _GIB:
        return Check("disk", "warning", found, "Free space, or work on another disk.")
    return Check("disk", "ok", found)
