"""The task of SkyPilot: read as SkyPilot does where it is installed, and its commands run on two machines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from job_tools import lay_tools
from machines import joined_machines, needs_machines

from halo_forge.core.events import read_events
from halo_forge.runs.state import RunState, read_status

FILE = Path(__file__).resolve().parents[2] / "deploy" / "skypilot.yaml"
SKY = shutil.which("sky")
READ = "import sky, sys; task = sky.Task.from_yaml(sys.argv[1]); task.validate(); print(task.name, task.num_nodes)"
TINY = "--cycles 1 --select random --samples-per-prompt 4 --generation-batch 8 --max-new-tokens 12 --batch-size 4"


@pytest.fixture(scope="module")
def task() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return read


def test_it_can_be_read(task: dict[str, Any]) -> None:
    for part in ("setup", "run"):
        checked = subprocess.run(["bash", "-n"], input=task[part], text=True, capture_output=True)
        assert checked.returncode == 0, checked.stderr
    assert {"num_nodes", "resources", "workdir", "envs"} <= set(task)


@pytest.mark.skipif(SKY is None, reason="no `sky`: pipx install skypilot")
def test_skypilot_itself_takes_it(tmp_path: Path) -> None:
    """In the environment of its own that it is installed in."""
    assert SKY is not None
    python = Path(SKY).resolve().read_text().splitlines()[0].removeprefix("#!")
    environment = {**os.environ, "HOME": str(tmp_path), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    read = subprocess.run([python, "-c", READ, str(FILE)], env=environment, capture_output=True, text=True, timeout=120)
    assert read.returncode == 0, read.stderr
    assert read.stdout.split() == ["halo-forge", "2"]


@pytest.mark.slow
@needs_machines
@pytest.mark.parametrize("ends", [0, 2])
def test_its_commands_go_over_two_machines(
    task: dict[str, Any], terse_model: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, ends: int
) -> None:
    """SkyPilot's part is to copy the folder and to set the variables; a node whose commands fail ends the job."""
    pytest.importorskip("ray")
    home, work = tmp_path / "home", tmp_path / "work"
    lay_tools(home / "forge" / "bin", TINY if ends == 0 else "--cycles none")
    (work / "data").mkdir(parents=True)
    rows = ({"id": f"p{i}", "prompt": f"add {i} to n"} for i in range(12))
    (work / "data" / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with joined_machines(2, tmp_path_factory.mktemp("machines"), tmp_path_factory.getbasetemp()) as machines:
        addresses = "\n".join(machine.address for machine in machines)
        common = {**os.environ, "HOME": str(home), "MODEL": str(terse_model), "SKYPILOT_NUM_NODES": "2"}
        nodes = []
        for rank, machine in enumerate(machines):
            machine.bring(terse_model, home, work)
            told = {**common, "SKYPILOT_NODE_RANK": str(rank), "SKYPILOT_NODE_IPS": addresses}
            words = ["bash", "-c", f"cd {work}\n{task['run']}"]
            nodes.append(machine.start(words, tmp_path / f"node.{rank}.log", told))
        assert [node.wait(300) for node in nodes] == [ends, 0], (tmp_path / "node.0.log").read_text()
        assert not any(machine.processes() for machine in machines)
    if ends == 0:
        output = work / "runs" / "raft"
        assert read_status(output).state is RunState.FINISHED
        assert any("2 replicas" in str(event.m) for event in read_events(output / "events.jsonl"))
