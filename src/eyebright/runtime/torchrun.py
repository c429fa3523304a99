"""PyTorch's launcher without its own account of a failure: the process that failed has printed the reason.

Run as ``python -m eyebright.runtime.torchrun``, with the options of ``torchrun``.
"""

from __future__ import annotations

import logging
import sys

from eyebright.runtime.errors_once import told_once


def main(words: list[str]) -> int:
    """Run the launcher; return 0, or the status of the process that failed first."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    try:
        with told_once():
            run.main(words)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return int(failure.exitcode)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
