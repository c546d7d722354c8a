"""Opening the sandbox and the verifier that a command names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from halo_forge.config.shared import VerifierOptions
from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Sandbox, Verifier
from halo_forge.sandbox import open_sandbox


@contextmanager
def open_verifier(options: VerifierOptions) -> Iterator[tuple[Verifier, Sandbox]]:
    """Build the verifier in its sandbox, and close both at the end.

    Raises:
        ConfigError: unknown verifier or option.
        EnvironmentFault: no sandbox, or a missing toolchain.
    """
    config = verifier_config(options.verifier, dict(options.verifier_options))
    with (
        closing(open_sandbox(options.sandbox)) as sandbox,
        closing(config.build(sandbox, options.workers or os.cpu_count() or 1)) as verifier,
    ):
        yield verifier, sandbox
