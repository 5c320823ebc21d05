"""The command that lists the engines."""

from typing import Any

from napari_mesmerize.cli.app import Json, app
from napari_mesmerize.cli.output import print_json, print_table
from napari_mesmerize.engines import ENGINES, Engine


@app.command("engines")
def list_engines(as_json: Json = False) -> None:
    """List the engines: what they do, and what they need."""
    found = [_facts(engine) for engine in ENGINES.values()]
    if as_json:
        print_json({"engines": found})
        return
    print_table(
        "Engines",
        ("name", "step", "title", "recordings", "needs"),
        [
            (
                one["name"],
                one["step"],
                one["title"],
                ", ".join(one["recordings"]),
                ", ".join(one["needs"]),
            )
            for one in found
        ],
    )


def _facts(engine: Engine) -> dict[str, Any]:
    """Return what the list says of an engine, JSON-safe."""
    takes = {"planes": engine.planes, "volumes": engine.volumes}
    needs = ["frame rate"] if engine.needs_frame_rate else []
    if engine.extra:
        needs.append(f"[{engine.extra}]")
    return {
        "name": engine.name,
        "step": engine.step,
        "title": engine.title,
        "recordings": [kind for kind, taken in takes.items() if taken],
        "needs": needs,
        "params": engine.params.__name__,
        "first_fields": list(engine.first_fields),
    }
