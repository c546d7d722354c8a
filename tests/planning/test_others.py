"""How busy other work keeps the machine."""

import subprocess
import sys
import time

from halo_forge.planning.others import Watch


def test_what_still_runs_is_of_others_and_what_has_ended_below_us_is_ours() -> None:
    watch = Watch()
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(1.0)
        beside = watch.processors()
    finally:
        spinner.kill()
        spinner.wait()
    assert beside > 0.2
    assert watch.processors() < beside - 0.1
