"""The command line with an event for every optimiser step, so that each loss can be compared.

The variable SILENCE_S says how long a link of a team may be silent, for tests that do not wait for minutes.
"""

from __future__ import annotations

import os

from halo_forge.cli.app import main
from halo_forge.training import links, trainer

if __name__ == "__main__":
    trainer.EVENT_SECONDS = 0.0
    links.LONGEST_SILENCE_S = int(os.environ.get("SILENCE_S", links.LONGEST_SILENCE_S))
    main()
