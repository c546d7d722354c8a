"""The job script of SLURM, run with stand-ins for `srun` and `scontrol` that know two nodes on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from job_tools import lay_tools

from halo_forge.rollout.records import read_rollouts

ROOT = Path(__file__).resolve().parents[2]
SRUN = """#!/bin/bash
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""
SCONTROL = "#!/bin/bash\necho 127.0.0.1\necho 127.0.0.1\n"


@pytest.fixture
def job(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The jobs that a test starts; all that they left behind ends with it, as SLURM would end it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        time.sleep(2)


def submit(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    tools = lay_tools(folder / "bin", srun=SRUN, scontrol=SCONTROL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    slurm = {"SLURM_JOB_NODELIST": "two", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "1", "RAY_PORT": str(port)}
    environment = {**os.environ, **slurm, "PATH": f"{tools}:{os.environ['PATH']}"}
    with (folder / "job.log").open("ab") as log:
        command = ["bash", str(ROOT / "deploy" / "raft.sbatch"), *arguments]
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)


@pytest.mark.slow
def test_a_job_that_runs_out_of_time_stops_and_the_same_job_continues(
    terse_model: Path, tmp_path: Path, job: list[subprocess.Popen[bytes]]
) -> None:
    pytest.importorskip("ray")
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(f'{{"id": "p{i}", "prompt": "add {i} to n"}}\n' for i in range(12)))
    output = tmp_path / "run"
    words = ["--model", terse_model, "--prompts", prompts, "--output", output, "--cycles", 2, "--select", "random"]
    words += ["--samples-per-prompt", 4, "--generation-batch", 8, "--max-new-tokens", 12, "--tuning", "full"]
    words += ["--batch-size", 4, "--device", "cpu", "--dtype", "float32", "--threads", 1, "--no-cache"]
    arguments = [str(word) for word in words]
    job.append(submit(tmp_path, *arguments))
    first = output / "rollouts" / "cycle_1.jsonl"
    until = time.monotonic() + 300
    while not (first.exists() and first.stat().st_size) and job[0].poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    job[0].send_signal(signal.SIGINT)
    assert job[0].wait(timeout=120) == 130, (tmp_path / "job.log").read_text()
    end_group(job[0])
    job.append(submit(tmp_path, *arguments))
    assert job[1].wait(timeout=300) == 0, (tmp_path / "job.log").read_text()
    assert len(list(read_rollouts(output / "rollouts" / "cycle_2.jsonl"))) == 4 * len(
        {rollout.prompt_id for rollout in read_rollouts(output / "rollouts" / "cycle_2.jsonl")}
    )
    assert (output / "summary.json").is_file() and (output / "final_model" / "checkpoint.json").is_file()
    assert "2 replicas" in (output / "events.jsonl").read_text()
