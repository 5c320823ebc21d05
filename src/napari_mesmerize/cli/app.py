"""The command line's root, and the options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from napari_mesmerize.cli.doctor import version
from napari_mesmerize.cli.output import print_line

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Calcium-imaging analysis: motion correction, CNMF, projects.",
    epilog="--debug, anywhere on the line, shows the traceback of an error.",
)
project_app = typer.Typer(no_args_is_help=True, help="Inspect a project folder.")
app.add_typer(project_app, name="project")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
File = Annotated[Path, typer.Argument(help="Recording: a file, a folder or a glob.")]
Rate = Annotated[
    float,
    typer.Option(help="Frames per second [Hz]; 0 takes the file's own rate.", min=0),
]
Memory = Annotated[
    float,
    typer.Option(help="Memory to use [GB]; 0 uses a quarter of what is free.", min=0),
]
Selection = Annotated[
    str, typer.Option(help="Which recording of a container ('info' lists them).")
]
ParamsFile = Annotated[
    Path | None, typer.Option("--params", help="JSON file with parameters.")
]
Overwrite = Annotated[bool, typer.Option(help="Replace an existing result.")]


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.")
    ] = False,
) -> None:
    if show_version:
        print_line(version("napari-mesmerize"))
        raise typer.Exit
