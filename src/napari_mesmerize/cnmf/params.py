"""Parameters of the extraction engines, one flat model each."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


def also(name: str, unit: str = "") -> dict[str, Any]:
    """Return what forms and docs show: the name users know, and the unit."""
    extra: dict[str, Any] = {}
    if name:
        extra["also"] = name
    if unit:
        extra["unit"] = unit
    return extra


RefinementRounds = Annotated[
    int,
    Field(
        ge=1,
        le=10,
        description="Rounds of background and footprint and trace updates after each "
        "search",
    ),
]
MinShape = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Accepted components look like a cell: correlation of the average "
        "image of their events with a typical cell is at least this",
        json_schema_extra=also("r_values_min"),
    ),
]
MinShapeCorrected = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="The same correlation without the image's noise, at least this",
    ),
]


class SharedParams(BaseModel, frozen=True, extra="forbid"):
    """How components are found and refined."""

    cell_diameter: Annotated[
        float,
        Field(
            ge=0,
            description="Diameter of a cell, in pixels; 0 estimates it from the "
            "recording. Rather too large than too small. (gSig is half of it)",
            json_schema_extra=also("gSig", "px"),
        ),
    ] = 0.0
    cell_diameter_um: Annotated[
        float,
        Field(
            ge=0,
            description="Diameter of a cell, in micrometres, where the pixel size is "
            "known; used instead of cell_diameter unless 0",
            json_schema_extra=also("", "um"),
        ),
    ] = 0.0
    decay_time_s: Annotated[
        float,
        Field(
            gt=0,
            description="Time in which the indicator's signal falls to 37 %, seconds",
            json_schema_extra=also("decay_time", "s"),
        ),
    ] = 0.6
    rise_time_s: Annotated[
        float,
        Field(
            ge=0,
            description="Time constant of the indicator's rise, seconds; 0 is at once",
            json_schema_extra=also("", "s"),
        ),
    ] = 0.07
    method_init: Annotated[
        Literal["events", "greedy_roi", "corr_pnr", "graph_nmf", "sparse_nmf"],
        Field(
            description="How first components are found: events in space-time; "
            "brightest activity first (greedy_roi); peaks of correlation x PNR "
            "(corr_pnr); for dendrites, whatever is active together and connected "
            "(graph_nmf), or also in pieces (sparse_nmf)",
            json_schema_extra=also("method_init"),
        ),
    ] = "events"
    largest_width: Annotated[
        float,
        Field(
            ge=0,
            description="Largest width of a component, in pixels; 0 is 1.7 cell "
            "diameters, and without limit for graph_nmf and sparse_nmf",
            json_schema_extra=also("gSiz", "px"),
        ),
    ] = 0.0
    spatial_downsampling: Annotated[
        int,
        Field(
            ge=1,
            description="Components are looked for in images this many times smaller; "
            "faster for large cells",
            json_schema_extra=also("ssub"),
        ),
    ] = 1
    temporal_downsampling: Annotated[
        int,
        Field(
            ge=1,
            description="Components are looked for in means of this many frames; where "
            "the decay is slow, events are decimated anyway",
            json_schema_extra=also("tsub"),
        ),
    ] = 1
    detection_threshold: Annotated[
        float,
        Field(
            gt=0,
            description="Events of a candidate must together reach this many standard "
            "deviations",
            json_schema_extra=also("", "sd"),
        ),
    ] = 6.0
    components_per_patch: Annotated[
        int,
        Field(
            ge=0,
            description="Most components looked for in a patch; 0 is as many as stand "
            "above noise",
            json_schema_extra=also("K"),
        ),
    ] = 0
    min_corr: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="corr_pnr: smallest correlation with neighbouring pixels of a "
            "seed",
            json_schema_extra=also("min_corr"),
        ),
    ] = 0.7
    min_pnr: Annotated[
        float,
        Field(
            ge=0,
            description="corr_pnr: smallest peak-to-noise ratio of a seed",
            json_schema_extra=also("min_pnr"),
        ),
    ] = 6.0
    searches: Annotated[
        int,
        Field(
            ge=1,
            le=5,
            description="How often components are looked for; after the first time in "
            "what is left (refit)",
            json_schema_extra=also("refit"),
        ),
    ] = 2
    refinement_rounds: RefinementRounds = 2
    background: Annotated[
        Literal["lowrank", "ring"],
        Field(
            description="Model of the background: few images that change in time, or "
            "each pixel from a ring around it (CNMF-E)",
            json_schema_extra=also("center_psf"),
        ),
    ] = "lowrank"
    background_modes: Annotated[
        int,
        Field(
            ge=0,
            description="Most modes of the background; 0 lets the noise decide",
            json_schema_extra=also("gnb"),
        ),
    ] = 0
    ring_size_factor: Annotated[
        float,
        Field(
            gt=0.5,
            description="Radius of the ring, in cell diameters",
            json_schema_extra=also("ring_size_factor"),
        ),
    ] = 1.4
    deconvolution: Annotated[
        Literal["kernel", "ar1", "ar2", "none"],
        Field(
            description="How spikes are found: rise-and-decay kernel, OASIS AR(1) or "
            "AR(2) (p = 1, 2), or not at all (p = 0)",
            json_schema_extra=also("p"),
        ),
    ] = "kernel"
    estimate_kinetics: Annotated[
        bool,
        Field(
            description="Estimate the decay time from the traces before spikes are "
            "found, instead of trusting decay_time_s; needs ten components or more",
            json_schema_extra=also("optimize_g"),
        ),
    ] = False
    smallest_spike: Annotated[
        float,
        Field(
            ge=0,
            description="ar1, ar2: smallest spike, in standard errors of one; 0 "
            "penalises the sum of spikes instead",
            json_schema_extra=also("s_min"),
        ),
    ] = 0.0
    merge_threshold: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Overlapping components whose traces correlate above this are "
            "one",
            json_schema_extra=also("merge_thr"),
        ),
    ] = 0.8
    noise: Annotated[
        Literal["fitted", "pixel"],
        Field(
            description="Noise of a pixel: what pixels as bright usually have, or its "
            "own",
            json_schema_extra=also("noise_method"),
        ),
    ] = "fitted"
    patch_size: Annotated[
        int,
        Field(
            ge=0,
            description="Width of a patch, in pixels; 0 chooses it",
            json_schema_extra=also("rf", "px"),
        ),
    ] = 0
    patch_overlap: Annotated[
        int,
        Field(
            ge=0,
            description="Width shared by neighbouring patches, in pixels; 0 chooses it",
            json_schema_extra=also("stride", "px"),
        ),
    ] = 0
    border_px: Annotated[
        int,
        Field(
            ge=0,
            description="Pixels at each edge that are left out, besides those the "
            "motion correction filled",
            json_schema_extra=also("border_pix", "px"),
        ),
    ] = 0


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

    min_shape: MinShape = 0.55
    min_shape_corrected: MinShapeCorrected = 0.75


class CnmfeParams(_Judged, frozen=True, extra="forbid"):
    """CNMF-E for one-photon recordings (miniscopes), with strong scattered light.

    As CNMF, with a background of more modes and a stricter acceptance. The classical
    ring background and corr_pnr initialisation can be selected.
    """

    refinement_rounds: RefinementRounds = 3
    min_shape: MinShape = 0.6
    min_shape_corrected: MinShapeCorrected = 0.9


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
    min_shape: MinShape = 0.6
    min_shape_corrected: MinShapeCorrected = 0.8
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
