"""A straightforward RAFT cycle with the same libraries: what halo-forge's cycle is measured beside.

It has the shape that most such trainers have. `generate(num_return_sequences=n)` on prompts padded on the left; when
all is drawn, one g++ process a completion in a pool of threads, compiled and linked with its asserts and run; then the
library's own `Trainer` on rows padded to a fixed length, with gradient checkpointing. The adapter is made and sampled
with as PEFT does it. It runs programs without a sandbox: for a model whose programs you know.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, Trainer, TrainingArguments

from halo_forge.core.types import Prompt, Reference

WORKERS = 2
TIMEOUT_S = 10
FIXED_TOKENS = 2048


class Work(NamedTuple):
    """What both sides do.

    Args:
        kept: prompt and completion tokens of the samples to train on, those halo-forge kept.
        steps: optimiser steps.
        batch: rows a step.
    """

    model: str
    prompts: Sequence[Prompt]
    samples: int
    batch_rows: int
    max_new_tokens: int
    kept: Sequence[tuple[list[int], list[int]]]
    steps: int
    batch: int
    learning_rate: float
    rank: int
    alpha: int


def run_peer(work: Work, threads: int, *, padded_to: int | None, seed: int) -> dict[str, float]:
    """Run one cycle.

    Args:
        padded_to: tokens of every training row; None pads each batch to its longest row.

    Returns:
        Seconds on the clock of each phase.
    """
    torch.set_num_threads(threads)
    seconds: dict[str, float] = {}
    mark = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal mark
        seconds[name] = time.perf_counter() - mark
        mark = time.perf_counter()

    tokenizer = AutoTokenizer.from_pretrained(work.model, padding_side="left")
    torch.manual_seed(seed)
    lora = LoraConfig(r=work.rank, lora_alpha=work.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(work.model, dtype=torch.float32), lora)
    lap("load")
    answers = _generate(model, tokenizer, work)
    lap("generate")
    jobs = [(answer, prompt.reference) for prompt, drawn in zip(work.prompts, answers, strict=True) for answer in drawn]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda job: passes(*job), jobs))
    lap("verify")
    with tempfile.TemporaryDirectory() as folder:
        _train(model, tokenizer.pad_token_id, work, padded_to, Path(folder))
        lap("train")
        model.save_pretrained(folder)
    lap("save")
    return seconds


def _generate(model: Any, tokenizer: Any, work: Work) -> list[list[str]]:
    answers: list[list[str]] = []
    size = max(1, work.batch_rows // work.samples)
    model.eval()
    for start in range(0, len(work.prompts), size):
        part = work.prompts[start : start + size]
        texts = [
            tokenizer.apply_chat_template(
                [message.model_dump() for message in prompt.messages], tokenize=False, add_generation_prompt=True
            )
            for prompt in part
        ]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            drawn = model.generate(
                input_ids=inputs.input_ids,
                attention_mask=inputs.attention_mask,
                do_sample=True,
                num_return_sequences=work.samples,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                max_new_tokens=work.max_new_tokens,
            )
        texts = tokenizer.batch_decode(drawn[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)
        answers += [texts[i : i + work.samples] for i in range(0, len(texts), work.samples)]
    return answers


def passes(answer: str, reference: Reference) -> bool:
    """Compile, link and run one program with its asserts."""
    body = "\n".join(reference.asserts)
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "program.cpp", Path(folder) / "program"
        source.write_text(f"#include <cassert>\n{answer}\nint main() {{\n{body}\n}}\n", encoding="utf-8")
        try:
            made = subprocess.run(["g++", source, "-o", binary], capture_output=True, timeout=TIMEOUT_S, check=False)
            if made.returncode:
                return False
            return not subprocess.run([binary], capture_output=True, timeout=TIMEOUT_S, check=False).returncode
        except subprocess.TimeoutExpired:
            return False


def _train(model: Any, pad: int, work: Work, padded_to: int | None, folder: Path) -> None:
    def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = padded_to or max(len(row["ids"]) for row in rows)

        def fill(name: str, value: int) -> torch.Tensor:
            return torch.tensor([row[name] + [value] * (width - len(row[name])) for row in rows])

        mask = [[1] * len(row["ids"]) + [0] * (width - len(row["ids"])) for row in rows]
        return {"input_ids": fill("ids", pad), "labels": fill("labels", -100), "attention_mask": torch.tensor(mask)}

    rows = [{"ids": prompt + answer, "labels": [-100] * len(prompt) + answer} for prompt, answer in work.kept]
    settings = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=work.batch,
        max_steps=work.steps,
        learning_rate=work.learning_rate,
        lr_scheduler_type="constant",
        gradient_checkpointing=True,
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(model=model, args=settings, train_dataset=rows, data_collator=collate)
    trainer.remove_callback(PrinterCallback)  # standard output is the figures'
    trainer.train()
