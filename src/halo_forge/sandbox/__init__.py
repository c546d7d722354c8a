"""How untrusted programs run: each in a private root without network, bounded in time, memory, processes and output.

    with open_sandbox("auto") as sandbox:
        outcome = sandbox.run(Job(("/usr/bin/python3", "/job/program.py"), Limits(), files={"program.py": source}))

Inside, a program sees `/usr` (read-only), `/job` (its files, read-only), `/work` and `/tmp` (empty, size-capped), and
descriptors 0, 1 and 2; a judge also has descriptor 3, on which it reports.
"""

from halo_forge.sandbox.tiers import Tier, open_sandbox

__all__ = ["Tier", "open_sandbox"]
