"""Whether two processes draw the same from the same seed: what they answer to a fixed prompt, to the last bit."""

from __future__ import annotations

from hashlib import sha256

import torch

from halo_forge.core.types import Record, Sampling
from halo_forge.generation.connect import PROBE
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.load import Policy

SAMPLING, SEED = Sampling(n=4, temperature=0.7, max_new_tokens=24), 0


class Fingerprint(Record):
    """What draws depend on besides settings and weights, and what came of it.

    Args:
        device: kind of processor, with its instruction set or its name.
        threads: CPU threads of torch.
        answer: digest of tokens and log-probabilities drawn for a fixed prompt.
    """

    torch: str
    device: str
    threads: int
    answer: str


def fingerprint(policy: Policy) -> Fingerprint:
    """Draw for the fixed prompt with the current weights."""
    drawn = TransformersGenerator(policy).generate([PROBE], SAMPLING, SEED)
    text = "".join(completion.model_dump_json() for completion in drawn)
    on_gpu = policy.device.type == "cuda"
    kind = torch.cuda.get_device_name(policy.device) if on_gpu else torch.backends.cpu.get_cpu_capability()
    return Fingerprint(
        torch=torch.__version__,
        device=f"{policy.device.type}, {kind}",
        threads=torch.get_num_threads(),
        answer=sha256(text.encode()).hexdigest()[:12],
    )
