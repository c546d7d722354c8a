"""The job script under SLURM itself: its daemons on two machines with a network of their own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from job_tools import lay_tools
from launched import wait_until
from machines import Machine, joined_machines, needs_machines

from halo_forge.rollout.records import read_rollouts

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "raft.sbatch"
DAEMONS = ("munged", "slurmctld", "slurmd")
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin"
MISSING = [name for name in DAEMONS if shutil.which(name, path=PLACES) is None]
pytestmark = [
    pytest.mark.slow,
    needs_machines,
    pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}: apt-get install slurm-wlm munge"),
]
CONFIG = """ClusterName=forge
SlurmctldHost={first.name}({first.address})
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=10
NodeName={first.name} NodeAddr={first.address} CPUs=2
NodeName={second.name} NodeAddr={second.address} CPUs=2
PartitionName=all Nodes=ALL Default=YES State=UP
"""


class Slurm:
    """A cluster of two nodes, the first of which has the controller; what is asked is asked there."""

    def __init__(self, machines: Sequence[Machine], folder: Path) -> None:
        self._first, self._folder = machines[0], folder
        tools = lay_tools(folder / "bin")
        (folder / "slurm.conf").write_text(CONFIG.format(first=machines[0], second=machines[1], folder=folder))
        (folder / "munge.key").write_bytes(secrets.token_bytes(64))
        (folder / "munge.key").chmod(0o600)
        for part in ("state", "spool"):
            (folder / part).mkdir()
        self._environment = {**os.environ, "PATH": f"{tools}:{PLACES}", "SLURM_CONF": str(folder / "slurm.conf")}
        own = [
            f"--{name}={folder}/munge.{name.split('-')[0]}"
            for name in ("key-file", "pid-file", "log-file", "seed-file")
        ]
        for machine in machines:
            machine.bring(folder)
            self._start(machine, ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *own])
        self._start(self._first, ["slurmctld", "-D"])
        for machine in machines:
            self._start(machine, ["slurmd", "-D"])
        wait_until(lambda: self.ask("sinfo", "--noheader", "--format=%D %t").split() == ["2", "idle"], 60)

    def _start(self, machine: Machine, words: Sequence[str]) -> None:
        machine.start(words, self._folder / f"{words[0]}.{machine.address}.log", self._environment)

    def ask(self, *words: str | Path) -> str:
        """What a command of SLURM answers."""
        command = self._first.command(words)
        asked = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60)
        return asked.stdout if asked.returncode == 0 else asked.stderr

    def submit(self, *words: str | Path, minutes: int = 30) -> str:
        """Submit the job script, with a processor on either node; return the job's number."""
        options = ["--parsable", "--nodes=2", "--cpus-per-task=1", f"--time={minutes}", f"--output={self.log}"]
        answer = self.ask("sbatch", *options, "--open-mode=append", SCRIPT, *words).strip()
        assert answer.isdigit(), answer
        return answer

    def end_of(self, job: str) -> tuple[str, str]:
        """State and exit code of a job, once it has ended."""
        until = time.monotonic() + 400
        while True:
            words = self.ask("scontrol", "show", "job", job).split()
            told = dict(word.split("=", 1) for word in words if "=" in word)
            if told.get("JobState") not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING"):
                return told["JobState"], told["ExitCode"]
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.5)

    @property
    def log(self) -> Path:
        """What jobs print."""
        return self._folder / "job.log"


@pytest.fixture
def slurm(cache_of_our_own: None, terse_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    pytest.importorskip("ray")
    with joined_machines(2, tmp_path_factory.mktemp("machines"), tmp_path_factory.getbasetemp()) as machines:
        machines[1].bring(terse_model)
        yield Slurm(machines, tmp_path_factory.mktemp("slurm"))


def test_a_job_that_is_told_to_stop_does_and_the_same_job_continues(
    slurm: Slurm, terse_model: Path, tmp_path: Path
) -> None:
    prompts, output = tmp_path / "prompts.jsonl", tmp_path / "run"
    prompts.write_text("".join(json.dumps({"id": f"p{i}", "prompt": f"add {i} to n"}) + "\n" for i in range(12)))
    words = ["--model", terse_model, "--prompts", prompts, "--output", output, "--cycles", 2, "--select", "random"]
    words += ["--samples-per-prompt", 4, "--generation-batch", 8, "--max-new-tokens", 12, "--tuning", "full"]
    words += ["--batch-size", 4, "--device", "cpu", "--dtype", "float32", "--threads", 1, "--no-cache"]
    arguments = [str(word) for word in words]
    first = slurm.submit(*arguments)
    drawn = output / "rollouts" / "cycle_1.jsonl"
    wait_until(lambda: drawn.exists() and drawn.stat().st_size > 0, 300)
    slurm.ask("scancel", "--batch", "--signal=INT", first)  # as SLURM does two minutes before the end of the time
    assert slurm.end_of(first) == ("FAILED", "130:0"), slurm.log.read_text()
    assert json.loads((output / "exit.json").read_text())["exit_code"] == 130
    assert slurm.end_of(slurm.submit(*arguments)) == ("COMPLETED", "0:0"), slurm.log.read_text()
    rollouts = list(read_rollouts(output / "rollouts" / "cycle_2.jsonl"))
    assert len(rollouts) == 4 * len({rollout.prompt_id for rollout in rollouts}) > 0
    assert (output / "summary.json").is_file() and (output / "final_model" / "checkpoint.json").is_file()
    assert "2 replicas" in (output / "events.jsonl").read_text()
