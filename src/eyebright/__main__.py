"""Run the command line: `python -m eyebright` is the same as `eyebright`."""

import sys

from eyebright.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
