"""Make docs/images/demo_summary.png: run the demo and copy its picture.

    python docs/make_demo_picture.py

The pictures of napari are made by make_screenshots.py.
"""

import runpy
import shutil
import tempfile
from contextlib import chdir
from pathlib import Path

from napari_mesmerize.cli.demo import run_demo

DOCS = Path(__file__).parent


def main() -> None:
    """Run the demo and the first example, and keep their pictures."""
    images = DOCS / "images"
    images.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        report = run_demo("demo")
        shutil.copy(report.summary, images / "demo_summary.png")
        runpy.run_path(str(DOCS / "examples" / "first_analysis.py"))
        shutil.copy("first_analysis.png", images)


if __name__ == "__main__":
    main()
