"""The command line: `python -m bregman`."""

import sys

from bregman.cli import main

if __name__ == "__main__":
    sys.exit(main())
