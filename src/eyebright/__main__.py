"""Run the command line: `python -m eyebright` is the same as `eyebright`."""

import sys


def main() -> int:
    """Run the command line of this process, and return the exit status."""
    try:
        from eyebright.cli.main import main as run
    except KeyboardInterrupt:  # nothing has begun
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
