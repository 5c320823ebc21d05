"""Measure the demo and compare it with the figures that were reached before.

python benchmarks/floors.py measure report.json
python benchmarks/floors.py compare report.json

The floors are in ``floors.json``. A figure that is more than 20 % worse than its floor
fails the comparison. All figures are better when they are lower. Times are processor
seconds divided by those of a fixed piece of work, so that machines can be compared.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FLOORS = Path(__file__).with_name("floors.json")
MARGIN = 0.2
TIMED = ("motion correction", "extraction")


def unit_s() -> float:
    """Return the processor seconds of a fixed piece of work, the least of five."""
    image = np.random.default_rng(0).random((256, 256))
    taken = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(40):
            np.fft.ifft2(np.fft.fft2(image))
        taken.append(time.process_time() - start)
    return min(taken)


def demo() -> dict[str, Any]:
    """Run the demo in a process of its own; return its report."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "napari_mesmerize", "demo", "--json", "--out"]
        done = subprocess.run(
            [*command, str(Path(folder) / "demo")],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return json.loads(done.stdout)


def measure() -> dict[str, float]:
    """Return the figures of the second of two demos; the first compiles the loops."""
    demo()
    unit = unit_s()
    report = demo()
    scores = report["scores"]
    figures = {
        "shift error [px]": scores["shift_rmse_px"],
        "cells missed or invented (1 - F1)": 1 - scores["f1"],
        "traces (1 - correlation)": 1 - scores["trace_correlation"],
        "spikes (1 - correlation)": 1 - scores["spike_correlation"],
    }
    usages = {usage["name"]: usage for usage in report["usages"]}
    for name in TIMED:
        figures[f"{name} [units of work]"] = usages[name]["cpu_seconds"] / unit
        figures[f"{name}, peak [GB]"] = usages[name]["peak_bytes"] / 1e9
    return figures


def compare(figures: dict[str, float], floors: dict[str, float]) -> list[str]:
    """Print a table in Markdown; return the names of what became worse."""
    print("| figure | now | floor | change |\n|---|---|---|---|")
    worse = []
    for name, floor in floors.items():
        now = figures.get(name, float("inf"))
        late = now > floor * (1 + MARGIN)
        print(f"| {name} | {now:.4g} | {floor:.4g} | {now / floor - 1:+.0%} |")
        worse += [name] if late else []
    return worse


def main() -> int:
    """Measure, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["measure", "compare"])
    parser.add_argument("report", type=Path)
    options = parser.parse_args()
    if options.what == "measure":
        options.report.write_text(json.dumps(measure(), indent=1) + "\n", "utf-8")
        return 0
    worse = compare(
        json.loads(options.report.read_text("utf-8")),
        json.loads(FLOORS.read_text("utf-8")),
    )
    if worse:
        said = f"More than {MARGIN:.0%} worse than the floor: {', '.join(worse)}"
        print(said, file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
