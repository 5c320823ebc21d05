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
        description="Rounds after each search; a round updates background, footprints "
        "and traces",
    ),
]
MinShape = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Smallest likeness of an accepted component to a cell: the "
        "correlation of the average image of its events with a typical cell",
        json_schema_extra=also("r_values_min"),
    ),
]
MinShapeCorrected = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="The same correlation, corrected for the image's noise",
    ),
]


class SharedParams(BaseModel, frozen=True, extra="forbid"):
    """How components are found and refined."""

    cell_diameter: Annotated[
        float,
        Field(
            ge=0,
            description="Diameter of a cell, in pixels; 0 estimates it from the "
            "recording. Too large does less harm than too small. (gSig is half of it)",
            json_schema_extra=also("gSig", "px"),
        ),
    ] = 0.0
    cell_diameter_um: Annotated[
        float,
        Field(
            ge=0,
            description="Diameter of a cell, in micrometres; it replaces cell_diameter "
            "unless it is 0, and needs a recording with a known pixel size",
            json_schema_extra=also("", "um"),
        ),
    ] = 0.0
    decay_time_s: Annotated[
        float,
        Field(
            gt=0,
            description="Time in which the indicator's signal decays to 37 %, seconds",
            json_schema_extra=also("decay_time", "s"),
        ),
    ] = 0.6
    rise_time_s: Annotated[
        float,
        Field(
            ge=0,
            description="Time constant of the indicator's rise, seconds; 0 means that "
            "the signal rises at once",
            json_schema_extra=also("", "s"),
        ),
    ] = 0.07
    method_init: Annotated[
        Literal["events", "greedy_roi", "corr_pnr", "graph_nmf", "sparse_nmf"],
        Field(
            description="How the first components are found. events: events in space "
            "and time; greedy_roi: the brightest activity first; corr_pnr: peaks of "
            "correlation times PNR. For dendrites: graph_nmf takes connected pixels "
            "that are active together, sparse_nmf also joins pieces that do not touch",
            json_schema_extra=also("method_init"),
        ),
    ] = "events"
    largest_width: Annotated[
        float,
        Field(
            ge=0,
            description="Largest width of a component, in pixels; 0 is 1.7 cell "
            "diameters, or no limit for graph_nmf and sparse_nmf",
            json_schema_extra=also("gSiz", "px"),
        ),
    ] = 0.0
    spatial_downsampling: Annotated[
        int,
        Field(
            ge=1,
            description="The search uses images that are this many times smaller; "
            "this is faster for large cells",
            json_schema_extra=also("ssub"),
        ),
    ] = 1
    temporal_downsampling: Annotated[
        int,
        Field(
            ge=1,
            description="The search uses means of this many frames. For a slow decay "
            "the search for events averages frames in any case",
            json_schema_extra=also("tsub"),
        ),
    ] = 1
    detection_threshold: Annotated[
        float,
        Field(
            gt=0,
            description="The events of a candidate must together reach this many "
            "standard deviations; a lower value finds weaker candidates",
            json_schema_extra=also("", "sd"),
        ),
    ] = 6.0
    components_per_patch: Annotated[
        int,
        Field(
            ge=0,
            description="Largest number of components in a patch; 0 is as many as "
            "exceed the noise",
            json_schema_extra=also("K"),
        ),
    ] = 0
    min_corr: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="For corr_pnr: smallest correlation of a seed with its "
            "neighbouring pixels",
            json_schema_extra=also("min_corr"),
        ),
    ] = 0.7
    min_pnr: Annotated[
        float,
        Field(
            ge=0,
            description="For corr_pnr: smallest peak-to-noise ratio of a seed",
            json_schema_extra=also("min_pnr"),
        ),
    ] = 6.0
    searches: Annotated[
        int,
        Field(
            ge=1,
            le=5,
            description="Number of searches; each further one searches the residual of "
            "the one before (refit)",
            json_schema_extra=also("refit"),
        ),
    ] = 2
    refinement_rounds: RefinementRounds = 2
    background: Annotated[
        Literal["lowrank", "ring"],
        Field(
            description="Model of the background. lowrank: a few images that change in "
            "time; ring: each pixel is predicted from a ring around it (CNMF-E)",
            json_schema_extra=also("center_psf"),
        ),
    ] = "lowrank"
    background_modes: Annotated[
        int,
        Field(
            ge=0,
            description="Largest number of images (modes) of the background; 0 lets "
            "the noise decide",
            json_schema_extra=also("gnb"),
        ),
    ] = 0
    ring_size_factor: Annotated[
        float,
        Field(
            gt=0.5,
            description="For the ring background: radius of the ring, in cell "
            "diameters",
            json_schema_extra=also("ring_size_factor"),
        ),
    ] = 1.4
    deconvolution: Annotated[
        Literal["kernel", "ar1", "ar2", "none"],
        Field(
            description="Model of a transient by which spikes are found. kernel: rise "
            "and decay; ar1, ar2: OASIS with p = 1 or 2; none: no spikes (p = 0)",
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
            description="For ar1 and ar2: smallest spike, in standard errors of a "
            "spike; 0 penalises the sum of spikes instead",
            json_schema_extra=also("s_min"),
        ),
    ] = 0.0
    merge_threshold: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Overlapping components are merged if their traces correlate "
            "above this",
            json_schema_extra=also("merge_thr"),
        ),
    ] = 0.8
    noise: Annotated[
        Literal["fitted", "pixel"],
        Field(
            description="Noise of a pixel. fitted: the usual noise of pixels of the "
            "same brightness; pixel: its own noise",
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
            description="Overlap of neighbouring patches, in pixels; 0 chooses it",
            json_schema_extra=also("stride", "px"),
        ),
    ] = 0
    border_px: Annotated[
        int,
        Field(
            ge=0,
            description="Pixels at each edge that are ignored, in addition to those "
            "that the motion correction filled",
            json_schema_extra=also("border_pix", "px"),
        ),
    ] = 0


class _Judged(SharedParams, frozen=True, extra="forbid"):
    """What all engines ask, and the thresholds that they share."""

    min_snr: Annotated[
        float,
        Field(
            ge=0,
            description="Smallest peak of an accepted component's trace over its noise",
            json_schema_extra=also("min_SNR"),
        ),
    ] = 2.5
    max_size_factor: Annotated[
        float,
        Field(
            ge=0,
            description="An accepted component is at most this many times larger or "
            "smaller than a typical cell; 0 is off",
        ),
    ] = 2.2
    min_clear_size: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Smallest area of an accepted component that is clearly above "
            "the noise, as a fraction of a typical cell's area",
        ),
    ] = 0.6
    neighbour_tolerance: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            description="Lowers min_shape and min_shape_corrected by this much for "
            "components with activity of their own, and raises them by twice as much "
            "for those that repeat a stronger neighbour; 0 is off",
        ),
    ] = 0.05


class CnmfParams(_Judged, frozen=True, extra="forbid"):
    """Constrained non-negative matrix factorisation for two-photon recordings.

    Finds cells, their traces and a background in (frame, y, x). The names in brackets
    are those of CaImAn.

    Notes
    -----
    Use it for two-photon recordings of planes; :class:`CnmfeParams` is for one-photon
    recordings, :class:`Cnmf3dParams` for volumes. The two values that matter most are
    ``cell_diameter`` (0 estimates it) and ``decay_time_s`` of the indicator. The method
    is that of Pnevmatikakis et al. (:doi:`10.1016/j.neuron.2015.11.037`).

    Examples
    --------
    >>> from napari_mesmerize import CnmfParams
    >>> params = CnmfParams(decay_time_s=0.4, cell_diameter=12)
    >>> params.min_snr
    2.5
    """

    min_shape: MinShape = 0.55
    min_shape_corrected: MinShapeCorrected = 0.75


class CnmfeParams(_Judged, frozen=True, extra="forbid"):
    """CNMF-E for one-photon recordings (miniscopes), with strong scattered light.

    It works as CNMF, with a background of more modes, more rounds of refinement and a
    stricter acceptance. The classical ring background and ``corr_pnr`` initialisation
    can be selected.

    Notes
    -----
    Use it where the background is bright and changes with the cells. For two-photon
    recordings :class:`CnmfParams` is the choice: its acceptance is less strict. The
    method is that of Zhou et al. (:doi:`10.7554/eLife.28728`).

    Examples
    --------
    >>> from napari_mesmerize import CnmfeParams
    >>> classical = CnmfeParams(background="ring", method_init="corr_pnr")
    >>> classical.min_shape_corrected
    0.9
    """

    refinement_rounds: RefinementRounds = 3
    min_shape: MinShape = 0.6
    min_shape_corrected: MinShapeCorrected = 0.9


class Cnmf3dParams(_Judged, frozen=True, extra="forbid"):
    """CNMF for volumes, (frame, z, y, x).

    Notes
    -----
    Use it for recordings with dims (frame, z, y, x). Planes that were recorded for
    their own sake, without cells that reach over several, are better extracted one by
    one with :class:`CnmfParams`, or with ``min_planes=1``.

    Examples
    --------
    >>> from napari_mesmerize import Cnmf3dParams
    >>> Cnmf3dParams().min_planes
    2
    """

    detection_threshold: Annotated[
        float,
        Field(
            gt=0,
            description="The events of a candidate in one plane must together reach "
            "this many standard deviations; a lower value finds weaker candidates",
            json_schema_extra=also("", "sd"),
        ),
    ] = 8.0
    min_shape: MinShape = 0.6
    min_shape_corrected: MinShapeCorrected = 0.8
    min_planes: Annotated[
        int,
        Field(ge=1, description="Smallest number of planes of an accepted component"),
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
