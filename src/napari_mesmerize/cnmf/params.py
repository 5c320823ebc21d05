"""Parameters of the extraction engines, one flat model each."""

from typing import Annotated

from pydantic import Field

from napari_mesmerize.cnmf.params_shared import SharedParams, also


class _Judged(SharedParams, frozen=True, extra="forbid"):
    """What all engines ask, and the thresholds that they share."""

    min_snr: Annotated[
        float,
        Field(
            ge=0,
            description="Accepted components have at least this peak over noise",
            json_schema_extra=also("min_SNR"),
        ),
    ] = 2.5
    max_size_factor: Annotated[
        float,
        Field(
            ge=0,
            description="Accepted components have a typical cell's area up to this "
            "factor, larger or smaller; 0 is off",
        ),
    ] = 2.2
    min_clear_size: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Accepted components that stand clear of noise have at least "
            "this share of a typical cell's area",
        ),
    ] = 0.6
    neighbour_tolerance: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            description="How much less likeness to a cell is asked of components whose "
            "activity is their own; twice as much more is asked of those that repeat "
            "a stronger neighbour; 0 is off",
        ),
    ] = 0.05


class CnmfParams(_Judged, frozen=True, extra="forbid"):
    """Constrained non-negative matrix factorisation for two-photon recordings.

    Finds cells, their traces and a background in (frame, y, x). The names in brackets
    are those of CaImAn.
    """

    min_shape: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Accepted components look like a cell: correlation of the "
            "average image of their events with a typical cell is at least this",
            json_schema_extra=also("r_values_min"),
        ),
    ] = 0.55
    min_shape_corrected: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The same correlation without the image's noise, at least this",
        ),
    ] = 0.75


class CnmfeParams(_Judged, frozen=True, extra="forbid"):
    """CNMF-E for one-photon recordings (miniscopes), with strong scattered light.

    As CNMF, with a background of more modes and a stricter acceptance. The classical
    ring background and corr_pnr initialisation can be selected.
    """

    refinement_rounds: Annotated[
        int,
        Field(
            ge=1,
            le=10,
            description="Rounds of background and footprint and trace updates after "
            "each search",
        ),
    ] = 3
    min_shape: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Accepted components look like a cell: correlation of the "
            "average image of their events with a typical cell is at least this",
            json_schema_extra=also("r_values_min"),
        ),
    ] = 0.6
    min_shape_corrected: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The same correlation without the image's noise, at least this",
        ),
    ] = 0.9


class Cnmf3dParams(_Judged, frozen=True, extra="forbid"):
    """CNMF for volumes, (frame, z, y, x)."""

    detection_threshold: Annotated[
        float,
        Field(
            gt=0,
            description="Events of a candidate in one plane must together reach this "
            "many standard deviations",
            json_schema_extra=also("", "sd"),
        ),
    ] = 8.0
    min_shape: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Accepted components look like a cell: correlation of the "
            "average image of their events with a typical cell is at least this",
            json_schema_extra=also("r_values_min"),
        ),
    ] = 0.6
    min_shape_corrected: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The same correlation without the image's noise, at least this",
        ),
    ] = 0.8
    min_planes: Annotated[
        int, Field(ge=1, description="Accepted components reach over this many planes")
    ] = 2


Params = CnmfParams | CnmfeParams | Cnmf3dParams

#: (rise, decay) in seconds of common indicators, as usually measured in vivo; the value
#: in your preparation may differ by a third, which the result hardly feels.
INDICATORS: dict[str, tuple[float, float]] = {
    "GCaMP6f": (0.06, 0.4),
    "GCaMP6m": (0.1, 0.8),
    "GCaMP6s": (0.18, 1.2),
    "GCaMP7f": (0.06, 0.5),
    "GCaMP7s": (0.1, 1.0),
    "GCaMP8f": (0.02, 0.25),
    "GCaMP8m": (0.03, 0.3),
    "GCaMP8s": (0.04, 0.5),
    "jRGECO1a": (0.06, 0.8),
    "OGB-1": (0.03, 0.7),
}
