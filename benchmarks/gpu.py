"""Generation and training speed of Qwen2.5-shaped models with random weights, nothing fetched; prints JSON.

    python benchmarks/gpu.py [--models 0.5B,3B] [--output gpu.json]
    python benchmarks/gpu.py --tiny                  # a toy of the same architecture, on any machine

Generation: so many prompts x samples, every answer as long as asked for, tokens a second of the library's static
`generate`, of halo-forge, and (on CUDA) of the library's continuous batching. Training: LoRA on all linear layers with
halo-forge's own trainer, rows packed. Nothing checkpointed unless asked for.

Model FLOPs utilisation (MFU) = model FLOPs of a step / its seconds / the device's peak for dense bfloat16. With N the
weights that multiply (the layers' linear ones), V those of the output layer, A the adapter's, T tokens, U learnt tokens
(logits are computed for those only), L layers, d heads x their size and s a row's tokens:

    full training    6 N T + 6 V U + 6 L d sum(s^2)
    LoRA             4 N T + 4 V U + 6 A T + 6 L d sum(s^2)

A forward pass takes 2 FLOPs a weight and token. Going back takes 2 for the gradient of what came in and 2 for that of
the weight; a frozen weight has only the first. Causal attention takes 2 L d s^2 forward (two products of s x s, half of
each masked) and twice that back, frozen or not (Chowdhery et al. 2022, appendix B, halved for the mask). What is
computed twice to save memory is not counted.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from generation import static_generate
from peft import LoraConfig, get_peft_model
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.events import EventLog
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Message, Prompt, Sampling
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.models.hardware import pick_device, pick_dtype, set_threads
from halo_forge.models.load import Policy
from halo_forge.models.nano import build_nano_code_model
from halo_forge.models.preview import load_chat
from halo_forge.models.resolve import resolve_model
from halo_forge.training.settings import TrainSettings
from halo_forge.training.trainer import PolicyTrainer

# Hidden size, MLP size, layers, heads, key-value heads, vocabulary, tied: the config.json of Qwen/Qwen2.5-0.5B and -3B.
SHAPES = {
    "0.5B": (896, 4864, 24, 14, 2, 151_936, True),
    "3B": (2048, 11_008, 36, 16, 2, 151_936, True),
    "tiny": (64, 128, 2, 2, 1, 1024, True),
}
# TFLOP/s in bfloat16 without sparsity, from the makers' data sheets.
PEAKS = {"H200": 989.5, "H100": 989.5, "A100": 312.0, "L40S": 362.0}
RANK = 16


class Load(NamedTuple):
    """How much is generated and trained."""

    prompts: int
    samples: int
    prompt_tokens: int
    new_tokens: int
    rows: int
    row_tokens: int
    batch: int
    steps: int


FULL = Load(32, 8, 256, 256, 256, 1024, 32, 8)
TINY = Load(2, 2, 24, 8, 8, 48, 4, 2)


def make_policy(shape: str, tokenizer: Path, device: torch.device) -> Policy:
    """A model of the shape with random weights; the tokenizer only has to turn prompts into some ids below its size."""
    hidden, inner, layers, heads, shared, words, tied = SHAPES[shape]
    config = Qwen2Config(
        vocab_size=words, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=shared, tie_word_embeddings=tied, max_position_embeddings=32_768,
    )  # fmt: skip
    dtype, _ = pick_dtype("auto", device, None)
    torch.manual_seed(0)
    with device:
        model = Qwen2ForCausalLM._from_config(config, dtype=dtype).eval()
    set_threads(None, sum(weight.numel() for weight in model.parameters()))
    chat = load_chat(resolve_model(str(tokenizer)), LoadingOptions())
    chat.stop_ids = frozenset()  # every answer takes all its tokens
    return Policy(model, chat, device, shape, is_adapter=False, autocast=None)


def measure_generation(policy: Policy, load: Load) -> dict[str, Any]:
    """Tokens a second of each way to draw the same number of tokens, and its peak memory."""
    sampling = Sampling(n=load.samples, temperature=1.0, max_new_tokens=load.new_tokens)
    words = ["add", "int", "f", "(", "n", ")", "return", "x"]
    texts = [" ".join(Random(i).choices(words, k=load.prompt_tokens)) for i in range(load.prompts)]
    prompts = [Prompt(id=str(i), messages=(Message(role="user", content=text),)) for i, text in enumerate(texts)]
    encoded = [policy.chat.prompt_ids(prompt.messages) for prompt in prompts]
    generator = TransformersGenerator(policy)
    ways: dict[str, Callable[[], Sequence[Sequence[int]]]] = {
        "static_generate": lambda: static_generate(policy, prompts, sampling, 0),
        "halo_forge": lambda: [c.token_ids for c in generator.generate(prompts, sampling, 0)],
    }
    if policy.device.type == "cuda":
        ways["continuous_batching"] = lambda: continuous_batching(policy, encoded, sampling)
    return {
        "prompt_tokens": sum(map(len, encoded)),
        **{name: _timed(policy.device, draw) for name, draw in ways.items()},
    }


def continuous_batching(policy: Policy, encoded: list[list[int]], sampling: Sampling) -> list[list[int]]:
    """Draw with the library's own scheduler on a paged cache."""
    config = GenerationConfig(
        do_sample=True, temperature=sampling.temperature, top_k=0, top_p=1.0, max_new_tokens=sampling.max_new_tokens,
        eos_token_id=-1, pad_token_id=policy.chat.pad_id,
    )  # fmt: skip
    inputs = [ids for ids in encoded for _ in range(sampling.n)]
    return [out.generated_tokens for out in policy.model.generate_batch(inputs, generation_config=config).values()]


def _timed(device: torch.device, draw: Callable[[], Sequence[Sequence[int]]]) -> dict[str, Any]:
    draw()
    _reset(device)
    begun = time.perf_counter()
    tokens = sum(map(len, draw()))
    seconds = time.perf_counter() - begun
    return {"tokens": tokens, "tokens_per_s": round(tokens / seconds, 1), "peak_memory_gb": _peak_gb(device)}


def measure_training(policy: Policy, load: Load, peak_tflops: float | None, *, checkpointing: bool) -> dict[str, Any]:
    """Tokens a second of LoRA training on packed rows, its utilisation and its peak memory."""
    lora = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(policy.model, lora)
    adapted = Policy(model, policy.chat, policy.device, policy.base, is_adapter=True, autocast=_autocast(policy))
    random = Random(0)
    lengths = [random.randint(load.row_tokens // 2, load.row_tokens) for _ in range(load.rows)]
    rows = [
        TrainingRow(tuple(random.randrange(500) for _ in range(n)), (False,) * (n // 4) + (True,) * (n - n // 4))
        for n in lengths
    ]
    settings = TrainSettings(
        learning_rate=1e-4, batch_size=load.batch, epochs=1, max_steps=load.steps, packing=True,
        gradient_checkpointing=checkpointing,
    )  # fmt: skip
    trainer = PolicyTrainer(adapted, settings, EventLog(), StopRequest())
    with tempfile.TemporaryDirectory() as folder:
        trainer.train(rows, seed=0, cycle=0, state_folder=Path(folder) / "warm")
        _reset(policy.device)
        begun = time.perf_counter()
        report = trainer.train(rows, seed=1, cycle=0, state_folder=Path(folder) / "timed")
        if policy.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begun
    squares = report.tokens * sum(n * n for n in lengths) / sum(lengths)
    flops = lora_flops(model, report.tokens, report.learnt_tokens, squares)
    return {
        "steps": report.steps,
        "tokens": report.tokens,
        "tokens_per_s": round(report.tokens / seconds, 1),
        "tflops_per_s": float(f"{flops / seconds / 1e12:.4g}"),
        "mfu": float(f"{flops / seconds / 1e12 / peak_tflops:.4g}") if peak_tflops else None,
        "gradient_checkpointing": checkpointing,
        "peak_memory_gb": _peak_gb(policy.device),
    }


def lora_flops(model: Any, tokens: int, learnt: int, squares: float) -> float:
    """Model FLOPs of LoRA training; see above.

    Args:
        squares: sum over the rows of the square of their tokens.
    """
    config = model.config
    adapter = sum(w.numel() for n, w in model.named_parameters() if "lora_" in n)
    linear = sum(w.numel() for n, w in model.named_parameters() if "base_layer.weight" in n)
    output = config.vocab_size * config.hidden_size
    width = config.num_attention_heads * (config.hidden_size // config.num_attention_heads)
    attention = 6 * config.num_hidden_layers * width * squares
    return float(4 * linear * tokens + 4 * output * learnt + 6 * adapter * tokens + attention)


def _autocast(policy: Policy) -> torch.dtype | None:
    dtype = next(policy.model.parameters()).dtype
    return None if dtype == torch.float32 else dtype


def _reset(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak_gb(device: torch.device) -> float | None:
    return round(torch.cuda.max_memory_allocated() / 2**30, 2) if device.type == "cuda" else None


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="0.5B,3B", help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--peak-tflops", type=float, help="of the device in dense bfloat16, where it is not known")
    parser.add_argument("--checkpointing", action="store_true", help="train with gradient checkpointing")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    device = pick_device("cpu" if chosen.tiny and chosen.device == "auto" else chosen.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    peak = chosen.peak_tflops or next((PEAKS[known] for known in PEAKS if known in name), None)
    load = TINY if chosen.tiny else FULL
    result: dict[str, Any] = {
        "machine": name, "torch": torch.__version__, "peak_tflops": peak, "load": load._asdict(), "models": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        build_nano_code_model(Path(folder), ["add int f ( n ) return x"] * 50, seed=0)
        for shape in ["tiny"] if chosen.tiny else chosen.models.split(","):
            policy = make_policy(shape, Path(folder), device)
            result["models"][shape] = {
                "parameters": sum(weight.numel() for weight in policy.model.parameters()),
                "generation": measure_generation(policy, load),
                "training": measure_training(policy, load, peak, checkpointing=chosen.checkpointing),
            }
            del policy
            _reset(device)
    text = json.dumps(result, indent=2)
    if chosen.output:
        chosen.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
