"""Accuracy and cost of the extraction on simulated recordings with known truth.

    python benchmarks/bench_extraction.py --presets 2p-small 1p-small --seeds 1 7
    python benchmarks/bench_extraction.py --profile

F1 by footprints with an intersection over union of 0.3; traces and spikes are medians
of the correlation over matched cells; cost in CPU seconds and in floors, the time of
one forward and one inverse single-precision FFT over the recording, before and after.
"""

import argparse
import cProfile
import pstats

import numpy as np
import scipy.fft

from napari_mesmerize.cnmf import (
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    extract_components,
)
from napari_mesmerize.simulation.scores import score_components
from napari_mesmerize.simulation.simulate import simulate

HEAD = (
    f"{'preset':<10} {'seed':>4} {'F1':>6} {'P':>6} {'R':>6} {'F1 all':>6} "
    f"{'trace':>6} {'spikes':>6} {'CPU s':>6} {'floors':>6} {'cells':>9}"
)


def cpu_seconds() -> float:
    import resource  # Windows has none

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def floor_seconds(recording) -> float:
    """CPU seconds of rfft2 and irfft2 over all frames; the median of three."""
    frames = recording.to_numpy().astype(np.float32)
    frames = frames.reshape(-1, *frames.shape[-2:])
    seconds = []
    for _ in range(3):
        start = cpu_seconds()
        for first in range(0, len(frames), 100):
            part = frames[first : first + 100]
            scipy.fft.irfft2(scipy.fft.rfft2(part, workers=1), s=part.shape[1:])
        seconds.append(cpu_seconds() - start)
    return float(np.median(seconds))


def params_of(truth, **changes):
    """What a user knows: cell diameter and the indicator's kinetics."""
    values = {
        "cell_diameter": 2 * truth.params["radius"],
        "decay_time_s": truth.params["tau_decay"],
        "rise_time_s": truth.params["tau_rise"],
    }
    kind = CnmfeParams if truth.params["kind"] == "1p" else CnmfParams
    model = Cnmf3dParams if len(truth.image_shape) == 3 else kind
    return model(**{**values, **changes})


def measure(preset: str, seed: int, **changes) -> dict:
    recording, truth = simulate(preset, seed=seed)
    params = params_of(truth, **changes)
    floor = floor_seconds(recording)
    start = cpu_seconds()
    components = extract_components(recording, params)
    seconds = cpu_seconds() - start
    floor = (floor + floor_seconds(recording)) / 2  # other programs come and go
    accepted = score_components(truth, components.select(components.accepted))
    found = score_components(truth, components.footprints)  # rejected ones, too
    return {
        **accepted,
        "f1_all": found["f1"],
        "cpu_s": seconds,
        "floors": seconds / floor,
        "cells": f"{components.accepted.sum()}/{len(components)}",
    }


def warm_up() -> None:
    """Compile everything on tiny recordings."""
    for preset, shape in (("2p-small", (200, 48, 48)), ("3d-small", (150, 3, 48, 48))):
        recording, truth = simulate(preset, seed=0, shape=shape, n_cells=8)
        extract_components(recording, params_of(truth))


def profile(preset: str, seed: int) -> None:
    """Print where the time goes, in one thread."""
    from napari_mesmerize.cnmf.patches.plan import plan_patches, read_rows
    from napari_mesmerize.cnmf.patches.recipe import extract_patch
    from napari_mesmerize.cnmf.resolve import settings_for
    from napari_mesmerize.compute.resources import one_blas_thread

    recording, truth = simulate(preset, seed=seed)
    params = params_of(truth)
    settings = settings_for(recording, params)
    patch = plan_patches(truth.image_shape, settings, params)[0]
    rows = read_rows(recording, patch)
    usable = np.ones(len(rows), bool)
    with one_blas_thread(), cProfile.Profile() as profiler:
        extract_patch(rows, patch.shape, usable, settings, params)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--presets", nargs="+", default=["2p-small", "1p-small"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 7])
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    args = parser.parse_args()
    warm_up()
    if args.profile:
        profile(args.presets[0], args.seeds[0])
        return
    print(HEAD)
    for preset in args.presets:
        for seed in args.seeds:
            m = measure(preset, seed)
            print(
                f"{preset:<10} {seed:>4} {m['f1']:6.3f} {m['precision']:6.3f} "
                f"{m['recall']:6.3f} {m['f1_all']:6.3f} {m['trace_corr']:6.3f} "
                f"{m['spike_corr']:6.3f} {m['cpu_s']:6.1f} {m['floors']:6.1f} "
                f"{m['cells']:>9}",
                flush=True,
            )


if __name__ == "__main__":
    main()
