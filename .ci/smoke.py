"""Try an installed wheel as on a server: no window toolkit, the commands work."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import tifffile

from napari_mesmerize import simulate

TOOLKIT = ("qtpy", "PyQt6", "PySide6", "napari", "pyqtgraph", "superqt", "magicgui")


def run(*arguments: str, folder: str) -> str:
    """Run a command of napari-mesmerize in a folder; return what it printed."""
    command = [sys.executable, "-m", "napari_mesmerize", *arguments]
    done = subprocess.run(
        command, cwd=folder, check=True, timeout=600, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def main() -> int:
    """Simulate a movie, analyse it, list the project."""
    found = [name for name in TOOLKIT if importlib.util.find_spec(name)]
    if found:
        print(f"smoke: the base install brought {', '.join(found)}", file=sys.stderr)
        return 1
    movie = simulate(preset="2p-small", seed=1, shape=(100, 48, 48), n_cells=4)
    with tempfile.TemporaryDirectory() as folder:
        tifffile.imwrite(Path(folder) / "mouse.tif", movie.recording.to_numpy())
        sample = ("--animal", "mouse", "--trial", "1", "--frame-rate", "10")
        run("run", "mouse.tif", "--project", "study", *sample, folder=folder)
        listed = run("project", "ls", "study", "--json", folder=folder)
    (row,) = json.loads(listed)["samples"]
    print(f"smoke: {row['sample_id']} has {row['n_rois']} ROIs")
    return 0 if row["n_rois"] else 1


if __name__ == "__main__":
    sys.exit(main())
