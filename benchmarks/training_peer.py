"""The other side of `training.py`, run by the interpreter that has trl: one training a line of standard input.

The first line is the job, each further line the name of a setting to train with; each answer is a line of JSON. Always
the same rows in the same batches from the same weights.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# What each differs in from `lean`; bfloat16 and checkpointing, which trl turns on, are off in all but `default`.
SETTINGS: dict[str, dict[str, Any]] = {
    "lean": {},
    "grouped": {"train_sampling_strategy": "group_by_length"},
    "packed": {"packing": True},
    "unpadded": {"pad_to_multiple_of": 1},
    "default": {"bf16": True, "gradient_checkpointing": True},
}


def main() -> None:
    """Answer until standard input ends."""
    import torch
    from datasets import Dataset, disable_progress_bars
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    rows = Dataset.from_dict({name: job[name] for name in ("input_ids", "labels")})
    for line in sys.stdin:
        name = line.strip()
        settings = {
            "bf16": False,
            "gradient_checkpointing": False,
            "train_sampling_strategy": "sequential",
            "per_device_train_batch_size": job["batch_size"],
            "max_length": job["max_length"],
            **SETTINGS[name],
        }
        if name == "packed":  # a packed row is as long as the longest batch, so that a step has about as many tokens
            settings["per_device_train_batch_size"] = max(1, job["tokens"] // job["steps"] // job["max_length"])
        with tempfile.TemporaryDirectory() as folder:
            config = SFTConfig(
                output_dir=folder,
                num_train_epochs=1,
                learning_rate=job["learning_rate"],
                lr_scheduler_type="constant",
                adam_beta1=0.9,
                adam_beta2=0.95,
                weight_decay=0.0,
                max_grad_norm=1.0,
                optim="adamw_torch_fused",
                logging_steps=1 if name == "lean" else 1000,
                save_strategy="no",
                report_to=[],
                use_cpu=True,
                dataloader_pin_memory=False,
                disable_tqdm=True,
                seed=0,
                **settings,
            )
            model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
            trainer = SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
            wall, cpu = time.perf_counter(), time.process_time()
            with Path(os.devnull).open("w") as nowhere:  # the trainer prints its log
                out, sys.stdout = sys.stdout, nowhere
                trainer.train()
                sys.stdout = out
            result = {
                "wall_s": time.perf_counter() - wall,
                "cpu_s": time.process_time() - cpu,
                "steps": trainer.state.global_step,
                "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
            }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
