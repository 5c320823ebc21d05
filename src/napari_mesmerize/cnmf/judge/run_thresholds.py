"""The thresholds that ROIs were judged by, as their history says."""

from typing import Any

from pydantic import ValidationError

from napari_mesmerize.cnmf.judge.acceptance import Thresholds

_JUDGING = ("extract_components", "evaluate")
OFF = Thresholds(**dict.fromkeys(Thresholds.model_fields, 0))


def first_thresholds(history: list[dict[str, Any]]) -> Thresholds:
    """Return those of the run; none for what another program found."""
    return OFF if was_imported(history) else thresholds_of_run(history)


def was_imported(history: list[dict[str, Any]]) -> bool:
    """Say whether no extraction or evaluation of ours judged these ROIs."""
    steps = {step.get("operation") for step in history}
    return bool(steps) and not steps & set(_JUDGING)


def thresholds_of_run(history: list[dict[str, Any]]) -> Thresholds:
    """Return the thresholds that the last extraction or evaluation used."""
    for step in reversed(history):
        if step.get("operation") in _JUDGING:
            params = step.get("params") or {}
            known = {k: v for k, v in params.items() if k in Thresholds.model_fields}
            try:
                return Thresholds(**known)
            except ValidationError:
                break
    return Thresholds()
