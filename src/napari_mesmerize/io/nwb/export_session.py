"""What an NWB file says about session, animal and microscope."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from napari_mesmerize.errors import ParameterError

_SPECIES = {
    "mouse": "Mus musculus",
    "rat": "Rattus norvegicus",
    "zebrafish": "Danio rerio",
    "fly": "Drosophila melanogaster",
    "human": "Homo sapiens",
}
_NO_AGE = "P0D/"  # at least 0 days old: the way to say that it is unknown


class NwbSession(BaseModel, frozen=True, extra="forbid"):
    """What an NWB file says about the session and the animal."""

    description: Annotated[str, Field(description="What was recorded")] = (
        "Calcium imaging"
    )
    session_id: Annotated[str, Field(description="Name of the session")] = ""
    start_time: Annotated[
        str, Field(description="ISO 8601; default the recording's date")
    ] = ""
    experimenter: Annotated[str, Field(description="'Last, First'")] = ""
    institution: Annotated[str, Field(description="Institution")] = ""
    lab: Annotated[str, Field(description="Laboratory")] = ""
    experiment_description: Annotated[str, Field(description="Aim of the study")] = (
        "Calcium imaging analysed with napari-mesmerize"
    )
    keywords: Annotated[tuple[str, ...], Field(description="Keywords")] = (
        "calcium imaging",
    )
    subject_id: Annotated[
        str, Field(description="The animal; default what the file says")
    ] = ""
    species: Annotated[
        str, Field(description="Latin name; default what the file says, or a mouse")
    ] = ""
    sex: Annotated[str, Field(description="M, F, U or O", pattern="^[MFUO]$")] = "U"
    age: Annotated[str, Field(description="ISO 8601 duration, such as P90D")] = ""
    indicator: Annotated[str, Field(description="Such as GCaMP6f")] = "GCaMP"
    location: Annotated[
        str,
        Field(
            description="Part of the brain; for mice a name of the Allen atlas, such "
            "as VISp (default root, the whole brain)"
        ),
    ] = ""
    excitation_nm: Annotated[
        float, Field(description="Excitation wavelength", gt=0)
    ] = 920.0
    emission_nm: Annotated[float, Field(description="Emission wavelength", gt=0)] = (
        510.0
    )
    device: Annotated[str, Field(description="Name of the microscope")] = "Microscope"
    manufacturer: Annotated[str, Field(description="Its maker")] = "unknown"
    one_photon: Annotated[bool, Field(description="One-photon imaging")] = False


def new_file(session: NwbSession, attrs: Mapping[str, Any]) -> Any:
    """Return pynwb's file, with what is known of session and animal.

    Raises
    ------
    ParameterError
        If the start is no date.
    """
    from pynwb import NWBFile

    file = NWBFile(
        session_description=session.description,
        identifier=str(uuid.uuid4()),
        session_start_time=_start(session.start_time or attrs.get("date")),
        session_id=session.session_id or None,
        experimenter=[session.experimenter] if session.experimenter else None,
        institution=session.institution or None,
        lab=session.lab or None,
        experiment_description=session.experiment_description,
        keywords=list(session.keywords),
    )
    file.subject = _subject(session, attrs)
    return file


def _start(start: str | None) -> datetime:
    """Return when the session started, with a time zone."""
    try:
        began = datetime.fromisoformat(start) if start else None
    except ValueError as error:
        raise ParameterError(
            f"start_time={start!r} is no ISO 8601 date, such as "
            "2026-05-01T10:00:00+02:00."
        ) from error
    if began is None:
        began = datetime(1970, 1, 1, tzinfo=UTC)
    return began.astimezone() if began.tzinfo is None else began


def _subject(session: NwbSession, attrs: Mapping[str, Any]) -> Any:
    """Return the animal: as given, else as the microscope noted it."""
    from pynwb.file import Subject

    meta = attrs.get("meta") or {}
    noted = {
        str(key).removeprefix("Animal "): str(value).strip()
        for key, value in (meta.get("acquisition_info") or {}).items()
        if str(key).startswith("Animal ")
    }
    species = noted.get("Species", "").lower()
    sex = noted.get("Sex", "").upper()[:1]
    return Subject(
        subject_id=session.subject_id or noted.get("ID") or "unknown",
        species=session.species or _SPECIES.get(species, "Mus musculus"),
        sex=sex if session.sex == "U" and sex in ("M", "F") else session.sex,
        age=session.age or _NO_AGE,
        description=noted.get("Description") or "The animal that was recorded",
    )


def _place(species: str) -> str:
    """Return what stands for an unknown part of the brain."""
    return "root" if species == _SPECIES["mouse"] else "unknown"


def new_plane(
    file: Any, session: NwbSession, attrs: Mapping[str, Any], rate: float | None
) -> Any:
    """Return pynwb's imaging plane, with the microscope."""
    from pynwb.ophys import OpticalChannel

    made_by: dict[str, Any] = {"manufacturer": session.manufacturer}
    if hasattr(file, "create_device_model"):  # pynwb 3.1 and later
        model = file.create_device_model(
            name=f"{session.device}Model",
            description=f"Model of {session.device}",
            **made_by,
        )
        made_by = {"model": model}
    device = file.create_device(
        name=session.device,
        description=str(attrs.get("origin") or "Microscope"),
        **made_by,
    )
    channel = OpticalChannel(
        name="OpticalChannel",
        description=f"Emission of {session.indicator}",
        emission_lambda=session.emission_nm,
    )
    spacing: dict[str, Any] = {}
    size = attrs.get("pixel_size_um")
    if size is not None:
        steps = [float(size[1]), float(size[0])]
        if attrs.get("z_step_um"):
            steps.append(float(attrs["z_step_um"]))
        spacing = {"grid_spacing": steps, "grid_spacing_unit": "micrometers"}
    return file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=channel,
        description="The plane or volume that was imaged",
        device=device,
        excitation_lambda=session.excitation_nm,
        indicator=session.indicator,
        location=session.location or _place(file.subject.species),
        imaging_rate=rate,
        **spacing,
    )
