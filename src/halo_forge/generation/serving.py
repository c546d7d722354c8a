"""The command line of a server that draws as halo-forge needs it.

Each flag has a reason: a model's own generation_config must not add limits or defaults of its own; log-probabilities
must be those after temperature; adapters must be loadable while it runs. Read against vLLM 0.32 and SGLang's documents
(docs.sglang.io).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import NamedTuple

from halo_forge.config.serve import ServeConfig
from halo_forge.core.errors import ModelError

VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
VLLM_CPU_HEADS = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
MOST_CACHE_GIB = 32
ALONE, SHARED = 0.9, 0.45
SERVED_NAME = "base"


class Hardware(NamedTuple):
    """What the server may compute on; memory is that which is free, GiB."""

    gpus: int
    memory_gib: float


class Served(NamedTuple):
    """The model to serve.

    Args:
        base: folder or Hub id of the weights.
        local: whether that is a folder of this machine.
        context: tokens it can attend to, if known.
        head_size: of its attention, if known.
    """

    base: str
    local: bool
    context: int | None
    head_size: int | None


@dataclass(frozen=True)
class ServeCommand:
    """A command with its environment, and what the user should know about it."""

    environment: dict[str, str]
    words: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def line(self) -> str:
        """One line for a shell."""
        return " ".join([*(f"{name}={shlex.quote(v)}" for name, v in self.environment.items()), shlex.join(self.words)])


def serve_command(config: ServeConfig, model: Served, hardware: Hardware) -> ServeCommand:
    """Put the command together.

    Raises:
        ModelError: the engine cannot compute this model here.
    """
    on_gpu = config.device == "cuda" or (config.device == "auto" and hardware.gpus > 0)
    build = _vllm if config.engine == "vllm" else _sglang
    words, environment = build(config, model, hardware, on_gpu)
    remarks = [
        f"runs in an environment of its own that has {config.engine}, never in that of halo-forge",
        "then: halo-forge raft train … --generator server "
        f"--base-url http://{config.host}:{config.port}/v1 --server-model {SERVED_NAME}",
        "the server reads adapters from the run folder, which it must find under the same path",
    ]
    if on_gpu and hardware.gpus > 1:
        environment["CUDA_VISIBLE_DEVICES"] = str(hardware.gpus - 1)
        remarks.append(f"the server has GPU {hardware.gpus - 1}; give training another: --device cuda:0")
    elif on_gpu:
        remarks.append("server and training share one GPU: lower --gpu-memory-fraction if training runs out of memory")
    if config.host not in ("127.0.0.1", "localhost"):
        remarks.append(f"{config.host} lets others reach it: give it --api-key, and the run HALO_FORGE_SERVER_KEY")
    return ServeCommand(dict(sorted(environment.items())), tuple(words), tuple(remarks))


def place_command(config: ServeConfig, model: Served, memory_gib: float, *, on_gpu: bool) -> ServeCommand:
    """Put together the command of a server that has a place to itself: a GPU, or a machine's processors.

    Raises:
        ModelError: the engine cannot compute this model there.
    """
    build = _vllm if config.engine == "vllm" else _sglang
    words, environment = build(config, model, Hardware(2 if on_gpu else 0, memory_gib), on_gpu)
    return ServeCommand(dict(sorted(environment.items())), tuple(words), ())


def _vllm(config: ServeConfig, model: Served, hardware: Hardware, on_gpu: bool) -> tuple[list[str], dict[str, str]]:
    words = [config.python, "-m", "vllm.entrypoints.openai.api_server", "--model", model.base]
    words += ["--served-model-name", SERVED_NAME, "--host", config.host, "--port", str(config.port)]
    words += ["--dtype", _dtype(config, on_gpu), *_length("--max-model-len", config, model)]
    words += ["--generation-config", "vllm", "--logprobs-mode", "processed_logprobs"]
    words += ["--enable-lora", "--max-lora-rank", str(min(rank for rank in VLLM_RANKS if rank >= config.lora_rank))]
    environment = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", **_offline(model)}
    if on_gpu:
        return [*words, "--gpu-memory-utilization", _fraction(config, hardware)], environment
    if model.head_size is not None and model.head_size not in VLLM_CPU_HEADS:
        raise ModelError(
            f"'{model.base}' has attention heads of {model.head_size}, and vLLM on a processor computes those of "
            f"{', '.join(map(str, VLLM_CPU_HEADS))} only: use a GPU, another model, or --generator transformers"
        )
    cache = config.kv_cache_gib or max(1, min(MOST_CACHE_GIB, int(hardware.memory_gib / 4)))
    environment["VLLM_CPU_KVCACHE_SPACE"] = str(cache)
    if config.threads is not None:
        environment |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(config.threads)}
    return [*words, "--enforce-eager"], environment


def _sglang(config: ServeConfig, model: Served, hardware: Hardware, on_gpu: bool) -> tuple[list[str], dict[str, str]]:
    words = [config.python, "-m", "sglang.launch_server", "--model-path", model.base]
    words += ["--served-model-name", SERVED_NAME, "--host", config.host, "--port", str(config.port)]
    words += ["--dtype", _dtype(config, on_gpu), *_length("--context-length", config, model)]
    words += ["--sampling-defaults", "openai", "--enable-lora", "--max-lora-rank", str(config.lora_rank)]
    words += ["--lora-target-modules", "all", "--max-loras-per-batch", "2"]
    words += ["--mem-fraction-static", _fraction(config, hardware)] if on_gpu else ["--device", "cpu"]
    return words, _offline(model)


def _dtype(config: ServeConfig, on_gpu: bool) -> str:
    if config.dtype != "auto":
        return config.dtype
    return "bfloat16" if on_gpu else "float32"


def _length(flag: str, config: ServeConfig, model: Served) -> list[str]:
    length = config.max_model_len or model.context
    return [] if length is None else [flag, str(length)]


def _fraction(config: ServeConfig, hardware: Hardware) -> str:
    return str(config.gpu_memory_fraction or (ALONE if hardware.gpus > 1 else SHARED))


def _offline(model: Served) -> dict[str, str]:
    return {"HF_HUB_OFFLINE": "1"} if model.local else {}
