"""Run the command line with ``python -m detector``."""

from detector.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
