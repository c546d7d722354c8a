"""Settings of the command that starts a server."""

from __future__ import annotations

from typing import Literal

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import MODEL, RUN, Dtype


class ServeConfig(CommandConfig):
    """The command that starts a vLLM or SGLang server fit for --generator server, for this model and machine.

    Nothing is started: run the printed line where vLLM or SGLang is installed, in an environment of its own. Only with
    --executor ray servers are started, one for each GPU of a Ray cluster or one a node without any, until interrupted.
    """

    model: str = option(..., "Model that the run starts from; of an adapter, its base is served.", section=MODEL)
    engine: Literal["vllm", "sglang"] = option("vllm", "What serves.", section=RUN)
    executor: Literal["local", "ray"] = option(
        "local",
        "local prints the command for this machine; ray starts servers on a Ray cluster and prints their addresses.",
        section=RUN,
    )
    ray_address: str = option(
        "auto",
        "The Ray cluster: auto for the one that this machine is in, HOST:PORT, or local for one of this machine alone.",
        section=RUN,
    )
    python: str = option(
        "python", "Interpreter that has the engine; on a cluster under this path on every node.", section=RUN
    )
    device: Literal["auto", "cuda", "cpu"] = option(
        "auto", "Where it computes; auto takes a GPU where there is one.", section=MODEL
    )
    dtype: Dtype = option(
        "auto", "Type of the weights; auto is what training takes: bfloat16 on a GPU, float32 else.", section=MODEL
    )
    max_model_len: int | None = option(
        None, "Tokens of prompt and completion together; by default the model's context.", section=MODEL, ge=16
    )
    lora_rank: int = option(16, "Rank of the run's adapters, at most.", section=MODEL, ge=1, le=512)
    gpu_memory_fraction: float | None = option(
        None,
        "Share of the GPU's memory for the server, 0 to 1; by default 0.9, or 0.45 where training needs the same GPU.",
        section=MODEL,
        gt=0,
        le=1,
    )
    kv_cache_gib: int | None = option(
        None, "GiB for attention's cache on a processor; by default a quarter of the free memory.", section=MODEL, ge=1
    )
    threads: int | None = option(
        None, "CPU threads of a server on a processor; by default its own choice.", section=MODEL, ge=1
    )
    host: str = option("127.0.0.1", "Address to listen on; anything else lets others in.", section=RUN)
    port: int = option(8000, "Port to listen on.", section=RUN, ge=1, le=65_535)
