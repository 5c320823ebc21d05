"""The motion correction beside peers that are installed in other environments.

    python benchmarks/bench_motion_peer.py --peer caiman=PYTHON --peer suite2p=PYTHON

A peer is ``caiman``, ``suite2p`` or ``jnormcorre``; ``PYTHON`` is the interpreter of
the environment that it is installed in. All are scored in the same way, and timed in
CPU seconds of one thread each, reading and writing the movie included, after a run on a
few frames. A floor is one forward and one inverse FFT over the movie, in the same run.
"""

import argparse
import os
import sys
from pathlib import Path

from peer_runs import THREADS, add_peers, run_worker

os.environ |= dict.fromkeys(THREADS, "1")

import numpy as np

from motion_cases import CASES, PARAMS, Case, cpu_of, fft_floor, score
from napari_mesmerize.motion import correct_motion
from napari_mesmerize.simulation.scores import field_error, shift_error

WORKER = Path(__file__).with_name("motion_peer_worker.py")


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
    add_peers(parser, ("caiman", "suite2p", "jnormcorre"))
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
        rows = [
            ("napari-mesmerize", run_ours(case, simulation.recording, simulation.truth))
        ]
        for peer, python in options.peer:
            found = run_worker(
                WORKER, python, movie, [peer, case.engine, case.preset[:2]]
            )
            errors = score_peer(found, simulation.truth)
            rows.append((f"{peer} {found['version']}", (found["cpu_s"], *errors)))
        for name, (seconds, error, inner) in rows:
            print(
                f"| {case.name} | {name} | {error:.4f} | {inner:.4f} | "
                f"{seconds:.2f} | {seconds / floor:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
