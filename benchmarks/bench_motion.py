"""Accuracy and CPU time of the motion correction on the simulated presets.

    python benchmarks/bench_motion.py [--more] [--seeds 1 2] [--only 2p-small]

Correcting, reading the corrected frames included, is timed after one run on a few
frames (the compiled loops are then warm); the least of some repeats counts, and so does
the least floor, measured between them. ``--more``: motionless movies, rigid movies
corrected piecewise, less light.
"""

import argparse
import sys

from motion_cases import CASES, MORE, PARAMS, Case, cpu_of, fft_floor, score
from napari_mesmerize.motion import correct_motion


def run(case: Case, seed: int, repeats: int, workers: int) -> str:
    """Return the table's line of a case."""
    simulation = case.simulate(seed)
    recording, params = simulation.recording, PARAMS[case.engine]()
    movie = recording.to_numpy()
    correct_motion(recording[:80], params).recording[:64].to_numpy()
    seconds, floors, estimates = [], [], []
    for _ in range(repeats):
        floors.append(fft_floor(movie))
        estimate, result = cpu_of(
            lambda: correct_motion(recording, params, workers=workers)
        )
        apply, _ = cpu_of(result.recording.to_numpy)
        estimates.append(estimate)
        seconds.append(estimate + apply)
    floor, total = min(floors), min(seconds)
    error, inner = score(result, simulation.truth)
    most, most_inner, most_floors = case.target
    reached = error <= most and not inner > most_inner and total / floor <= most_floors
    quality = result.quality
    return (
        f"| {case.name} | {seed} | {error:.4f} | {inner:.4f} | {most:.3g}; "
        f"{most_inner:.3g} | {total:.2f} | {min(estimates) / floor:.1f} | "
        f"{total / floor:.1f} | {most_floors:.3g} | {floor:.3f} | "
        f"{quality.crispness_after / quality.crispness_before:.2f} | "
        f"{'yes' if reached else 'NO'} |"
    )


def main() -> int:
    """Print the table; the exit status counts the cases that miss their target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--more", action="store_true", help="further kinds of movies")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="part of the case's name")
    options = parser.parse_args()
    print(
        "| movie | seed | error px | inner px | target px | CPU s | floors, estimate "
        "| floors, all | target | floor s | crispness x | reached |"
    )
    print("|---" * 12 + "|")
    missed = 0
    for case in [*CASES, *(MORE if options.more else [])]:
        if options.only not in case.name:
            continue
        for seed in options.seeds:
            line = run(case, seed, options.repeats, options.workers)
            missed += line.endswith("NO |")
            print(line, flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
