"""`lineclear`: the station's command line."""

from __future__ import annotations

import sys

from edge.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
