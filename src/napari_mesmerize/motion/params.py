"""Parameters of the motion correction, and what the computation derives from them."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion.shift_prior import ANY_SHIFT, ShiftPrior

Interpolation = Literal["auto", "fourier", "cubic", "lanczos", "linear"]
Border = Literal["nearest", "nan", "minimum", "crop"]
OutputDtype = Literal["float32", "uint16", "uint8"]

_AUTOMATIC_LIMIT = 32  # px: the automatic search range does not start wider
_LARGEST_TABLES = 2**28  # bytes of phase tables above which volumes use fewer z phases
SMALLEST_SIDE = 16  # px: narrower frames are repeated at their border
_CANVAS_MARGIN = 6  # px of canvas beyond the largest shift


class RigidParams(BaseModel, frozen=True, extra="forbid"):
    """One shift per frame; the defaults fit two-photon, miniscope and volume movies.

    Notes
    -----
    Use it where the image moves as a whole, and always as a first try; for tissue that
    bends use :class:`PiecewiseParams`. Most recordings need no change; give
    ``cell_diameter`` where cells are much larger or smaller than 10 px.

    Examples
    --------
    >>> from napari_mesmerize import RigidParams
    >>> params = RigidParams(max_shift=12)
    >>> params.max_shift, params.interpolation
    (12, 'auto')
    """

    max_shift: Annotated[
        int,
        Field(
            ge=0,
            description="Largest shift along y and x; 0: a quarter of the image's "
            "smaller side (a sixth in volumes), at most 32 px",
            json_schema_extra={"unit": "px", "also": "max_shifts"},
        ),
    ] = 0
    max_shift_x: Annotated[
        int,
        Field(
            ge=0,
            description="Largest shift along x, if it differs from y; 0: as max_shift",
            json_schema_extra={"unit": "px", "also": "max_shifts"},
        ),
    ] = 0
    max_shift_z: Annotated[
        int,
        Field(
            ge=0,
            description="Largest shift along z (volumes only); 0: up to 2 planes",
            json_schema_extra={"unit": "planes", "also": "max_shifts"},
        ),
    ] = 0
    grow_max_shift: Annotated[
        bool,
        Field(
            description="Double the largest shift and start again if many frames "
            "reach it"
        ),
    ] = True
    iterations: Annotated[
        int,
        Field(
            ge=1,
            le=10,
            description="Rounds in which the template is rebuilt from aligned frames",
            json_schema_extra={"also": "niter_rig"},
        ),
    ] = 2
    template_frames: Annotated[
        int,
        Field(
            ge=0,
            description="Number of frames, spread over the recording, that make the "
            "template; 0: 300 (120 in volumes)",
            json_schema_extra={"unit": "frames", "also": "num_frames_split"},
        ),
    ] = 0
    cell_diameter: Annotated[
        float,
        Field(
            ge=2,
            description="Diameter of a cell; it sets filter_sigma and strides where "
            "these are 0",
            json_schema_extra={"unit": "px", "also": "gSiz"},
        ),
    ] = 10.0
    filter_sigma: Annotated[
        float,
        Field(
            ge=0,
            description="Width of the low-pass that is removed for the registration "
            "(not from the output); 0: 0.4 cell diameters (0.32 for fields)",
            json_schema_extra={"unit": "px", "also": "gSig_filt"},
        ),
    ] = 0.0
    fix_scan_phase: Annotated[
        bool,
        Field(
            description="Before the registration, align the odd rows of a "
            "bidirectional scan with the even ones"
        ),
    ] = False
    interpolation: Annotated[
        Interpolation,
        Field(
            description="How frames are resampled. auto: fourier for one shift per "
            "frame, cubic for fields; lanczos is crisper, linear blurs",
            json_schema_extra={"also": "shifts_opencv"},
        ),
    ] = "auto"
    border: Annotated[
        Border,
        Field(
            description="Value of pixels that a shift leaves empty: the nearest pixel, "
            "NaN, or the frame's minimum; crop: cut these pixels off",
            json_schema_extra={"also": "border_nan"},
        ),
    ] = "nearest"
    output_dtype: Annotated[
        OutputDtype,
        Field(
            description="Type of the corrected pixels; integers are scaled so that "
            "nothing is clipped, and the scale is stored",
            json_schema_extra={"also": "output bit depth"},
        ),
    ] = "float32"


class PiecewiseParams(RigidParams, frozen=True, extra="forbid"):
    """A smooth field of shifts per frame, for tissue that bends or is scanned slowly.

    Notes
    -----
    Use it where parts of the image move apart. It takes about twice the time of
    :class:`RigidParams`, and gives the same on tissue that moves as a whole. In very
    dim recordings the field falls back towards one shift a frame.

    Examples
    --------
    >>> from napari_mesmerize import PiecewiseParams
    >>> PiecewiseParams(strides=48).max_deviation
    6.0
    """

    max_deviation: Annotated[
        float,
        Field(
            gt=0,
            description="Largest difference of a patch's shift from the frame's shift",
            json_schema_extra={"unit": "px", "also": "max_deviation_rigid"},
        ),
    ] = 6.0
    strides: Annotated[
        int,
        Field(
            ge=0,
            description="Distance between patches; 0: 3 cell diameters",
            json_schema_extra={"unit": "px", "also": "strides"},
        ),
    ] = 0
    overlaps: Annotated[
        int,
        Field(
            ge=0,
            description="How far patches reach into their neighbours; a larger value "
            "makes the field smoother; 0: as much as strides",
            json_schema_extra={"unit": "px", "also": "overlaps"},
        ),
    ] = 0
    upsample_grid: Annotated[
        int,
        Field(
            ge=1,
            le=16,
            description="Number of points of the resulting field per patch distance",
            json_schema_extra={"also": "upsample_factor_grid"},
        ),
    ] = 4
    adapt_prior: Annotated[
        bool,
        Field(
            description="Learn from the recording how its motion varies in space; "
            "this helps if rows move within a frame"
        ),
    ] = False
    refine: Annotated[
        bool,
        Field(
            description="Rebuild the template with the final fields and fit once more: "
            "up to 20 % more accurate, 50 % slower"
        ),
    ] = False


@dataclass(frozen=True)
class Settings:
    """What the computation uses; lengths in px, triples along (z, y, x)."""

    frame_shape: tuple[int, int, int]
    max_shift: tuple[int, int, int]
    filter_sigma: float
    phases: int  # sub-pixel phases of the template tables along y and x
    phases_z: int
    rigid_steps: int
    block_size: tuple[int, int]  # (y, x); blocks are one plane deep
    rounds: int
    template_frames: int
    field_steps: int = 0
    knot_spacing: float = 0.0
    prior_length: float = 0.0
    prior_sd: float = 0.8
    prior_rigid_sd: float = 1.0
    max_deviation: float = 0.0
    start_frames: int = 40
    grow: bool = True  # double max_shift where it is too small
    border: int = 1  # px ignored at each side of a frame
    residual_clip: float = 4.0  # noise units
    block_limit: float = 1.5  # mean squared residual above which a block is muted
    least_coverage: float = 0.15  # share of the template's frames that see a pixel
    expected: ShiftPrior = ANY_SHIFT

    @property
    def pads(self) -> tuple[int, int, int]:
        """Width of the template's canvas around the frame, (z, y, x)."""
        z, y, x = self.max_shift
        return (z + 1 if z else 0, y + _CANVAS_MARGIN, x + _CANVAS_MARGIN)

    @property
    def n_axes(self) -> int:
        """2 for planes, 3 for volumes."""
        return 3 if self.frame_shape[0] > 1 else 2

    def wider(self) -> Self | None:
        """Return the same with twice the lateral search range; None if none fits."""
        z, y, x = self.max_shift
        _, height, width = self.frame_shape
        grown = (z, min(2 * y, _half(height)), min(2 * x, _half(width)))
        return None if grown == self.max_shift else replace(self, max_shift=grown)


def _half(size: int) -> int:
    """Return the largest shift that is less than half a side."""
    return (size - 1) // 2


def _limit(name: str, wanted: int, size: int, unit: str) -> int:
    if 2 * wanted >= size:
        raise ParameterError(
            f"{name}={wanted} {unit} is not less than half of the {size} {unit} along "
            f"this axis; use at most {_half(size)}, or 0 to let it be chosen."
        )
    return wanted


def resolve(params: RigidParams, image_shape: tuple[int, ...]) -> Settings:
    """Return the settings that ``params`` mean for an image of this shape.

    Raises
    ------
    ParameterError
        If a shift exceeds half a frame or the patches exceed the image.
    """
    depth, height, width = (1, *image_shape)[-3:]
    padded = tuple(max(n, SMALLEST_SIDE) for n in (height, width))
    part = 4 if depth == 1 else 6  # the tables of volumes are large
    automatic = min(_AUTOMATIC_LIMIT, max(min(height, width) // part, 2))
    lateral = []
    for axis, size, own in (
        ("max_shift", height, params.max_shift),
        ("max_shift_x", width, params.max_shift_x),
    ):
        wanted = own or params.max_shift
        if wanted:
            lateral.append(_limit(axis if own else "max_shift", wanted, size, "px"))
        else:
            lateral.append(min(automatic, _half(size)))
    shift_z = 0
    if depth > 1:
        shift_z = min(2, _half(depth))
        if params.max_shift_z:
            shift_z = _limit("max_shift_z", params.max_shift_z, depth, "planes")
    piecewise = isinstance(params, PiecewiseParams)
    sigma = params.filter_sigma or params.cell_diameter * (0.32 if piecewise else 0.4)
    settings = Settings(
        frame_shape=(depth, padded[0], padded[1]),
        max_shift=(shift_z, lateral[0], lateral[1]),
        filter_sigma=sigma,
        phases=2,
        phases_z=1 if depth == 1 else 4,
        rigid_steps=2 if depth == 1 else 3,
        block_size=(16, padded[1]),
        rounds=params.iterations,
        template_frames=params.template_frames or (300 if depth == 1 else 120),
        grow=params.grow_max_shift,
    )
    if piecewise:
        settings = _with_field(settings, params)
    return _within_memory(settings)


def _with_field(settings: Settings, params: RigidParams) -> Settings:
    assert isinstance(params, PiecewiseParams)
    _, height, width = settings.frame_shape
    strides = params.strides or 3.0 * params.cell_diameter
    if params.strides > max(height, width):
        raise ParameterError(
            f"strides={params.strides} px is larger than the image of {height} x "
            f"{width} px; use at most {max(height, width)}, or 0 to let it be chosen."
        )
    overlaps = params.overlaps or strides
    block = max(8, int(min(params.cell_diameter, strides / 2)) // 8 * 8)
    return replace(
        settings,
        rigid_steps=1 if settings.n_axes == 2 else 3,
        field_steps=3 if settings.n_axes == 2 else 5,
        block_size=(min(block, height), min(block, width)),
        knot_spacing=float(strides),
        prior_length=float(strides + overlaps),
        max_deviation=params.max_deviation,
    )


def _within_memory(settings: Settings) -> Settings:
    """Use fewer z phases where the tables of a large volume would be huge."""
    pads = settings.pads
    canvas = math.prod(
        size + 2 * pad for size, pad in zip(settings.frame_shape, pads, strict=True)
    )
    while settings.phases_z > 1:
        images = settings.phases_z * settings.phases**2 * (1 + settings.n_axes)
        if 4 * images * canvas <= _LARGEST_TABLES:
            break
        settings = replace(settings, phases_z=settings.phases_z // 2)
    return settings
