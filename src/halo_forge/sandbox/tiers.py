"""Choosing a tier, and proving that it works before anything relies on it."""

from __future__ import annotations

import shutil
from typing import Literal

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits
from halo_forge.sandbox.bubblewrap import OPT_IN, Bubblewrap
from halo_forge.sandbox.isolation import PRLIMIT, IsolatedSandbox
from halo_forge.sandbox.rlimits import ResourceLimits

Tier = Literal["auto", "bubblewrap", "limits"]

NAMESPACES = (
    "unprivileged user namespaces seem to be refused: allow them with"
    " `sysctl -w kernel.unprivileged_userns_clone=1` or, on Ubuntu,"
    " `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
)


def open_sandbox(tier: Tier = "auto") -> IsolatedSandbox:
    """Open a sandbox and run a first program in it.

    Args:
        tier: `auto` and `bubblewrap` give full isolation or an error; `limits` gives resource limits alone, and is
            never chosen unless it is named.

    Raises:
        EnvironmentFault: it does not work here; the text says what to do.
    """
    if shutil.which(PRLIMIT) is None:
        raise EnvironmentFault(f"the sandbox needs {PRLIMIT}: install it with `apt-get install util-linux`")
    sandbox = IsolatedSandbox(ResourceLimits() if tier == "limits" else Bubblewrap())
    try:
        outcome = sandbox.run(Job(("/usr/bin/true",), Limits()))
    except EnvironmentFault as fault:
        sandbox.close()
        if tier == "limits":
            raise
        raise EnvironmentFault(f"{fault}; {NAMESPACES}, {OPT_IN}") from fault
    if outcome.exit_status != 0:
        sandbox.close()
        words = outcome.stderr.decode(errors="replace").strip()
        raise EnvironmentFault(
            f"the sandbox's first program failed with {outcome.exit_status}: {words or 'no message'}"
        )
    return sandbox
