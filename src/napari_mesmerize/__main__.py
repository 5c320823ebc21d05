"""``python -m napari_mesmerize``: the command line."""

import sys

from napari_mesmerize.cli import main

if __name__ == "__main__":
    sys.exit(main())
