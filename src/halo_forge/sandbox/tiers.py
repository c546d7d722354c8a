"""Choosing a tier, and proving that it works before anything relies on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits
from halo_forge.sandbox.bubblewrap import Bubblewrap
from halo_forge.sandbox.hostside import HostSide
from halo_forge.sandbox.isolation import IsolatedSandbox
from halo_forge.sandbox.python import candidates
from halo_forge.sandbox.slots import Isolation

Tier = Literal["auto", "bubblewrap", "landlock", "limits"]

OPT_IN = "or accept resource limits alone, without isolation, with `--sandbox limits`"
NAMESPACES = (
    "if unprivileged user namespaces are refused, allow them with"
    " `sysctl -w kernel.unprivileged_userns_clone=1` or, on Ubuntu,"
    " `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
)
MAKERS: dict[str, Callable[[], Isolation]] = {
    "bubblewrap": Bubblewrap,
    "landlock": lambda: HostSide(landlock=True),
    "limits": lambda: HostSide(landlock=False),
}


def open_sandbox(tier: Tier = "auto") -> IsolatedSandbox:
    """Open a sandbox and run a first program in it.

    Args:
        tier: `auto` takes the first of `bubblewrap` and `landlock` that works; `limits` gives resource limits alone,
            and is never chosen unless it is named.

    Raises:
        EnvironmentFault: it does not work here; the text says what to do.
    """
    reasons = []
    for name in ("bubblewrap", "landlock") if tier == "auto" else (tier,):
        try:
            return _proven(name)
        except EnvironmentFault as fault:
            reasons.append(f"{name}: {fault}")
    advice = "" if tier == "limits" else f"; {NAMESPACES}, {OPT_IN}"
    raise EnvironmentFault(f"no sandbox works here ({'; '.join(reasons)}){advice}")


def _proven(name: str) -> IsolatedSandbox:
    """Return the sandbox of a tier, on the first Python with which a program runs in it.

    Raises:
        EnvironmentFault: there is none.
    """
    isolation = MAKERS[name]()
    reasons = []
    for python in candidates():
        sandbox = IsolatedSandbox(isolation, python)
        try:
            outcome = sandbox.run(Job(("/usr/bin/true",), Limits()))
            if outcome.exit_status == 0:
                return sandbox
            reasons.append(f"its first program ended with {outcome.exit_status}")
        except EnvironmentFault as fault:
            reasons.append(str(fault))
        sandbox.close()
    raise EnvironmentFault("; ".join(dict.fromkeys(reasons)) or "no Python 3.10 or newer to run on: install python3")
