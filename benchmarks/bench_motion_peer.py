"""The motion correction beside a peer that is installed in another environment.

    python benchmarks/bench_motion_peer.py --peer caiman --python /path/to/python

``--peer`` is ``caiman``, ``suite2p`` or ``jnormcorre``; ``--python`` the interpreter
of the environment that it is installed in. The movies are simulated here and handed
over as files; the peer's worker imports nothing of ours. Both are scored in the same
way, and timed in CPU seconds after a run on a few frames.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from motion_cases import CASES, PARAMS, Case, cpu_of, fft_floor, score
from napari_mesmerize.motion import correct_motion
from napari_mesmerize.scores import field_error, shift_error

WORKER = Path(__file__).with_name("motion_peer_worker.py")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_peer(peer: str, python: str, engine: str, movie: np.ndarray) -> dict:
    """Let a peer correct a movie; returns its displacements and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/movie.npy", movie)
        environment = os.environ | dict.fromkeys(THREADS, "1")
        environment.pop("PYTHONPATH", None)
        command = [python, str(WORKER), peer, engine, folder]
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{peer} failed:\n{done.stderr[-3000:]}")
        with np.load(f"{folder}/result.npz") as arrays:
            found = {name: arrays[name] for name in arrays.files}
        return found | json.loads(Path(folder, "cost.json").read_text())


def score_peer(found: dict, truth) -> tuple[float, float]:
    """Return error and inner error of a peer's shifts or field (pixels to add)."""
    if "shifts" not in found and "field" not in found:
        return np.nan, np.nan
    if "field" not in found:
        return shift_error(found["shifts"], truth.shifts)["rmse"], np.nan
    error = field_error(found["field"], found["field_y"], found["field_x"], truth)
    return error["rmse"], error["inner"]["rmse"]


def run_ours(case: Case, recording, truth) -> tuple[float, float, float]:
    """Return our CPU seconds, error and inner error."""
    params = PARAMS[case.engine]()
    correct_motion(recording[:80], params).recording[:64].to_numpy()
    estimate, result = cpu_of(lambda: correct_motion(recording, params))
    apply, _ = cpu_of(result.recording.to_numpy)
    return (estimate + apply, *score(result, truth))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", required=True)
    parser.add_argument("--python", required=True, help="the peer's interpreter")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="part of the case's name")
    options = parser.parse_args()
    print("| movie | program | error px | inner px | CPU s | floors |")
    print("|---" * 6 + "|")
    for case in CASES:
        if options.only not in case.name or case.preset.startswith("3d"):
            continue
        simulation = case.simulate(options.seed)
        movie = simulation.recording.to_numpy()
        floor = min(fft_floor(movie) for _ in range(3))
        ours = run_ours(case, simulation.recording, simulation.truth)
        found = run_peer(options.peer, options.python, case.engine, movie)
        theirs = (found["cpu_s"], *score_peer(found, simulation.truth))
        for name, (seconds, error, inner) in (
            ("napari-mesmerize", ours),
            (options.peer, theirs),
        ):
            print(
                f"| {case.name} | {name} | {error:.4f} | {inner:.4f} | "
                f"{seconds:.2f} | {seconds / floor:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
