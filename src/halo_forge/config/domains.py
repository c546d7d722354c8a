"""The domains beside code: the same commands with other defaults.

A domain is a part of the catalogue and a verifier. Its `sft`, `train` and `benchmark` are `sft train`, `raft train` and
`benchmark run`; nothing but what stands here is its own, so a run of theirs is continued, compared and reported as any.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import create_model

from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.options import CommandConfig
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.sft import SftTrainConfig

C = TypeVar("C", bound=CommandConfig)
Name = Literal["reasoning", "audio", "vlm", "agentic"]


def with_defaults(schema: type[C], name: str, help: str, **defaults: object) -> type[C]:
    """Make a schema that differs in defaults alone.

    Args:
        help: what the command says of itself.
    """
    fields: dict[str, Any] = {}
    for key, default in defaults.items():
        field = copy(schema.model_fields[key])
        field.default = default
        fields[key] = (field.annotation, field)
    made: type[C] = create_model(name, __base__=schema, __doc__=help, **fields)
    return made


@dataclass(frozen=True)
class Domain:
    """A domain.

    Args:
        name: its commands' group, and its datasets' `domain`.
        help: the group's help.
        sft: settings of `sft`.
        train: of `train`.
        benchmark: of `benchmark`.
    """

    name: Name
    help: str
    sft: type[SftTrainConfig]
    train: type[RaftTrainConfig]
    benchmark: type[BenchmarkRunConfig]

    @property
    def schemas(self) -> Mapping[str, type[CommandConfig]]:
        """Command -> settings."""
        return {"sft": self.sft, "train": self.train, "benchmark": self.benchmark}


# What is right is trained on, all of it.
RIGHT = {"reward_threshold": 1.0, "keep_fraction": 1.0}
# As published scores are measured.
ONE_GREEDY = {"samples": 1, "k": (1,), "temperature": 0.0}

REASONING = Domain(
    name="reasoning",
    help="Mathematics: worked solutions to learn from, answers in a box to be judged.",
    sft=with_defaults(SftTrainConfig, "ReasoningSft", "Learn from worked solutions, such as metamath."),
    train=with_defaults(
        RaftTrainConfig,
        "ReasoningTrain",
        "RAFT on problems whose answers are known, such as gsm8k: what is right is trained on.",
        verifier="math",
        **RIGHT,
    ),
    benchmark=with_defaults(
        BenchmarkRunConfig,
        "ReasoningBenchmark",
        "Accuracy, maj@k and pass@k of a model on problems, each with a 95% interval.",
        verifier="math",
        samples=4,
        k=(1, 4),
        greedy=True,
    ),
)
# Whisper's attention, encoder and decoder alike; its feed-forward layers stay as they are.
ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
AUDIO = Domain(
    name="audio",
    help="Speech: transcripts, and single spoken words.",
    sft=with_defaults(
        SftTrainConfig,
        "AudioSft",
        "Learn from speech and its transcripts, such as librispeech_sft.",
        lora_targets=ATTENTION,
    ),
    train=with_defaults(
        RaftTrainConfig,
        "AudioTrain",
        "RAFT on speech whose transcripts are known, such as librispeech: what is right is trained on.",
        verifier="speech",
        **RIGHT,
        max_new_tokens=256,
        generation_batch=32,
        lora_targets=ATTENTION,
    ),
    benchmark=with_defaults(
        BenchmarkRunConfig,
        "AudioBenchmark",
        "Word and character error rates of a model's transcripts decoded greedily, with 95% intervals.",
        verifier="speech",
        **ONE_GREEDY,
        max_new_tokens=256,
        generation_batch=32,
    ),
)
MOST_PIXELS = 1280 * 28 * 28  # 1,280 tokens of an image in the Qwen2-VL family, so that rows fit
VLM = Domain(
    name="vlm",
    help="Images: short answers to questions about them.",
    sft=with_defaults(
        SftTrainConfig, "VlmSft", "Learn from conversations about images, such as llava.", max_pixels=MOST_PIXELS
    ),
    train=with_defaults(
        RaftTrainConfig,
        "VlmTrain",
        "RAFT on questions about images whose answers are known, such as textvqa: what is right is trained on.",
        verifier="vqa",
        **RIGHT,
        max_new_tokens=64,
        max_pixels=MOST_PIXELS,
    ),
    benchmark=with_defaults(
        BenchmarkRunConfig,
        "VlmBenchmark",
        "The set's own metric (VQA accuracy, ANLS, relaxed accuracy, accuracy) of answers decoded greedily.",
        verifier="vqa",
        **ONE_GREEDY,
        max_new_tokens=64,
    ),
)
AGENTIC = Domain(
    name="agentic",
    help="Tool calling: the right calls with the right arguments, and none where no tool fits.",
    sft=with_defaults(SftTrainConfig, "AgenticSft", "Learn from conversations with calls of tools, such as xlam_sft."),
    train=with_defaults(
        RaftTrainConfig,
        "AgenticTrain",
        "RAFT on questions whose right calls are known, such as xlam: what is right is trained on.",
        verifier="tools",
        **RIGHT,
        max_new_tokens=512,
    ),
    benchmark=with_defaults(
        BenchmarkRunConfig,
        "AgenticBenchmark",
        "Full, name, argument and irrelevance accuracy of a model's calls, decoded greedily.",
        verifier="tools",
        **ONE_GREEDY,
        max_new_tokens=512,
    ),
)
DOMAINS = (REASONING, AUDIO, VLM, AGENTIC)
