"""Commands as several processes, started by accelerate as a user would start them: real processes, gloo."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from machines import Machine

from halo_forge.core.events import EventType, read_events

COMMAND = Path(sys.executable).with_name("halo-forge")
TOLD = Path(__file__).with_name("told_steps.py")
LAUNCH = ("-m", "accelerate.commands.launch", "--num_machines", "1", "--num_processes", "2", "--main_process_port", "0")
PLAIN = ("--mixed_precision", "no", "--dynamo_backend", "no")
TOGETHER = (*LAUNCH, *PLAIN, "--multi_gpu")
PARTS = (*LAUNCH, *PLAIN, "--use_fsdp", "--fsdp_version", "2")

ZERO = {stage: (*LAUNCH, *PLAIN, "--use_deepspeed", "--zero_stage", str(stage)) for stage in (1, 2, 3)}
NEEDS_DEEPSPEED = pytest.mark.skipif(
    find_spec("deepspeed") is None, reason="deepspeed is not installed: pip install 'halo-forge[deepspeed]'"
)
STEPS = 20
ROWS = [{"prompt": f"double {i} please " + "now " * (i % 7), "completion": f"n * 2 + {i}"} for i in range(40)]


def zero_apart(folder: Path) -> tuple[str, ...]:
    """Stage 3 by a file of DeepSpeed's own, in which small weights too lie in parts, as these models have no others."""
    file = folder / "zero.json"
    zero = {"stage": 3, "stage3_param_persistence_threshold": 0, "reduce_bucket_size": "auto"}
    file.write_text(json.dumps({"zero_optimization": zero, "train_batch_size": "auto", "bf16": {"enabled": "auto"}}))
    return (*LAUNCH, *PLAIN, "--use_deepspeed", "--deepspeed_config_file", str(file))


def flags(**settings: object) -> list[str]:
    """Settings as words of a command line."""
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def sft(model: Path, data: Path, output: Path, tuning: str) -> list[str]:
    """Words that train for `STEPS` steps, with a state every four."""
    settings = {"model": model, "data": data, "output": output, "tuning": tuning, "max_steps": STEPS, "batch_size": 6}
    more = {
        "learning_rate": "1e-3",
        "max_grad_norm": 0.3,
        "save_steps": 4,
        "device": "cpu",
        "dtype": "float32",
        "threads": 1,
    }
    return ["sft", "train", *flags(**settings, **more)]


def start(words: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    """Start Python with these words; what it says goes to a log beside the run folder."""
    with output.with_suffix(".log").open("ab") as log:
        return subprocess.Popen([sys.executable, *words], stdout=log, stderr=log, start_new_session=True)


def start_on(
    machines: Sequence[Machine], launch: Sequence[str], words: Sequence[str], output: Path
) -> list[subprocess.Popen[bytes]]:
    """Start accelerate on each machine, with one process there; what they say goes to logs beside the run folder."""
    joint = {"num_machines": len(machines), "num_processes": len(machines), "main_process_port": 29500}
    started = []
    for rank, machine in enumerate(machines):
        own = {**joint, "machine_rank": rank, "main_process_ip": machines[0].address}
        options = [word for name, value in own.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, *launch, *options, str(TOLD), *words]
        started.append(machine.start(command, output.with_suffix(f".{rank}.log")))
    return started


def finish_on(machines: Sequence[Machine], launch: Sequence[str], words: Sequence[str], output: Path) -> None:
    """Run accelerate on each machine to a good end."""
    for process in start_on(machines, launch, words, output):
        assert process.wait(300) == 0, said_on(output)


def said_on(output: Path) -> str:
    """What the processes on each machine have said last."""
    return "\n\n".join(log.read_text()[-3000:] for log in sorted(output.parent.glob(f"{output.name}.?.log")))


def finish(words: Sequence[str], output: Path) -> None:
    """Run Python with these words to a good end."""
    process = start(words, output)
    assert process.wait(300) == 0, said(output)[-3000:]


def said(output: Path) -> str:
    """What the processes of a run have said."""
    return output.with_suffix(".log").read_text()


def losses(output: Path) -> dict[tuple[int, int], float]:
    """Loss of every step that was told, by cycle and step."""
    events = read_events(output / "events.jsonl") if (output / "events.jsonl").exists() else ()
    return {
        (event.cycle or 0, event.step or 0): float(str(event.m["loss"]))
        for event in events
        if event.type is EventType.STEP
    }


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Look again and again until something holds."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


def processes_of(output: Path, rank: int | None = None) -> list[psutil.Process]:
    """The living Python processes that were started with this run folder; those of one rank."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = str(output) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
            if ours and rank in (None, int(process.environ().get("RANK", -1))):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a launcher and everything below it at once."""
    launcher = psutil.Process(process.pid)
    for each in [*launcher.children(recursive=True), launcher]:
        each.kill()
    process.wait()
