"""Calls of tools, as Hermes writes them.

| reward | earned by |
| --- | --- |
| 0.0 | a call that cannot be read (unclosed, no JSON, a key too many), one said in the middle of a text, a call where none fits, none where one does, another number of calls than is right |
| 0.1 | calls of other tools than the right ones |
| 0.3 to 0.6 | the right tools with some arguments right: 0.3 + 0.3 x the share that is |
| 1.0 | exactly the right calls, in any order; no call where none fits |

What is right is decided by `match`: `json`, for one right answer (xLAM): the same name and equal arguments as JSON;
`bfcl`, the looser rules of the Berkeley Function Calling Leaderboard for one call (`matching.py`).
"""  # noqa: E501  a table

from __future__ import annotations

from typing import Literal

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Sandbox, Verifier

Match = Literal["json", "bfcl"]


class ToolsConfig(VerifierConfig):
    """Calls of tools in <tool_call> tags, compared with the right calls.

    Args:
        match: when arguments are equal: as JSON, or by BFCL's rules.
        allow_text: whether an answer with calls may say something before its first call. It never may after it.
    """

    match: Match = "json"
    allow_text: bool = False

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier; it runs nothing, so it needs neither sandbox nor workers."""
        from halo_forge.verifiers.tools.verifier import ToolsVerifier

        return ToolsVerifier(self)
