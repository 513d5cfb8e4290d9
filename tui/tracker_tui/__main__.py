"""`python -m tracker_tui` is the `tracker-tui` command."""

import sys

from tracker_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
