"""The command line with an event for every optimiser step, so that each loss can be compared."""

from __future__ import annotations

import sys

from halo_forge.cli.app import run
from halo_forge.training import trainer

if __name__ == "__main__":
    trainer.EVENT_SECONDS = 0.0
    sys.exit(run(sys.argv[1:]))
