"""Runs as processes: started, stopped, killed, found again; real ones, on a tiny model."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from page_server import Page, Server

from halo_forge.runs.attempt import PROCESS_FILE, Supervision
from halo_forge.runs.lock import read_holder
from halo_forge.runs.run_dir import is_complete, read_launch

OVER = ("succeeded", "failed", "stopped", "lost")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    row = {"prompt": "Write int f(int n).", "completion": "int f(int n) { return n * 2; }"}
    file.write_text((json.dumps(row) + "\n") * 40)
    return file


def launch(page: Page, model: Path, rows: Path, output: str, **settings: str) -> str:
    answer = page.post(
        "/new/sft-train", model=str(model), data=str(rows), output=output, device="cpu", batch_size="2", **settings
    )
    assert answer.status_code == 303, answer.text[-2000:]
    return answer.headers["location"].removeprefix("/runs/")


def supervision(folder: Path) -> Supervision:
    return Supervision.model_validate_json((folder / PROCESS_FILE).read_bytes())


def wait_until(holds: Callable[[], bool], for_s: float = 60) -> None:
    deadline = time.monotonic() + for_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def test_a_run_outlives_the_server_and_each_kill_leaves_the_truth(
    serve: Callable[..., Server], root: Path, nano_model: Path, rows: Path
) -> None:
    server = serve()
    long = {"max_steps": "100000", "save_steps": "100000"}
    first = launch(server.page, nano_model, rows, "first", **long)
    second = launch(server.page, nano_model, rows, "second", max_steps="2")
    context = read_launch(root / "first")
    assert context is not None and context.run_id == first  # on record before anything started
    assert server.page.standing(second) == "queued"
    assert server.page.wait(first, "running", *OVER) == "running"
    assert read_launch(root / "first").run_id == first  # type: ignore[union-attr]

    # The server is killed: the run and the queue are found again.
    trainer = supervision(root / "first").trainer
    assert trainer is not None
    server.end(signal.SIGKILL)
    assert trainer.is_alive and (root / "second" / "queued.json").exists()
    server = serve()
    assert server.page.standing(first) == "running" and server.page.standing(second) == "queued"

    # The supervisor is killed: the run goes on and is known to.
    supervisor = supervision(root / "first").supervisor
    supervisor.signal(signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive)
    assert trainer.is_alive and server.page.standing(first) == "running"

    # The trainer is killed, with nobody left to say so: lost, and nothing of it remains.
    processes = family(trainer.pid)
    trainer.signal(signal.SIGKILL)
    assert server.page.wait(first, *OVER) == "lost"
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes))

    # The queue goes on by itself.
    assert server.page.wait(second, *OVER) == "succeeded"
    assert is_complete(root / "second") and read_launch(root / "second").run_id == second  # type: ignore[union-attr]
    wait_until(lambda: supervision(root / "second").ended is not None)
    ended = supervision(root / "second")
    assert ended.exit_status == 0
    wait_until(lambda: not ended.supervisor.is_alive)


def test_stop_kill_and_what_is_refused(serve: Callable[..., Server], root: Path, nano_model: Path, rows: Path) -> None:
    page = serve().page
    long = {"max_steps": "100000", "save_steps": "100000"}
    run_id = launch(page, nano_model, rows, "held", **long)
    assert launch_status(page, nano_model, rows, "held") == 422  # the folder is taken
    page.wait(run_id, "running")
    wait_until(lambda: "train" in page.get(f"/api/runs/{run_id}/live").text)
    act(page, run_id, "stop")
    assert page.wait(run_id, *OVER) == "stopped"

    answer = page.post(f"/runs/{run_id}/resume")
    assert answer.status_code == 409 and "not resumed" in answer.text
    assert ">Resume latest</button>" not in (shown := page.get(f"/runs/{run_id}").text)
    assert "Resume latest is off. Only runs with cycles" in shown
    assert page.post(f"/runs/{run_id}/stop").status_code == 409

    # A rerun has a folder of its own and names its parent; killed, it is stopped at a person's wish.
    again = page.post(f"/runs/{run_id}/rerun").headers["location"].removeprefix("/runs/")
    context = read_launch(root / "held-2")
    assert context is not None and (context.run_id, context.parent) == (again, run_id)
    page.wait(again, "running")
    trainer = supervision(root / "held-2").trainer
    assert trainer is not None
    processes = family(trainer.pid)
    act(page, again, "kill")
    assert page.wait(again, *OVER) == "stopped"
    assert "it was killed" in page.get(f"/runs/{again}").text
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes))
    assert read_holder(root / "held-2") is None
    assert read_launch(root / "held-2").parent == run_id  # type: ignore[union-attr]


def test_a_trainer_killed_by_others_is_lost_and_goes_on(
    serve: Callable[..., Server], root: Path, terse_model: Path, tmp_path: Path
) -> None:
    page = serve().page
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"id": f"p{i}", "prompt": f"double {i}"}) + "\n" for i in range(6)))
    settings = {"model": str(terse_model), "prompts": str(prompts), "output": "raft", "device": "cpu", "cycles": "200"}
    settings |= {"max_new_tokens": "12", "patience": "0", "verifier": "custom", "verifier_options": "command=/bin/true"}
    answer = page.post("/new/raft-train", **settings)
    assert answer.status_code == 303, answer.text[-2000:]
    run_id = answer.headers["location"].removeprefix("/runs/")
    wait_until(lambda: (root / "raft" / "cycle_1_final" / "checkpoint.json").exists(), for_s=120)
    before = supervision(root / "raft")
    assert before.trainer is not None
    processes = family(before.trainer.pid)  # the judges and their sandboxes among them
    assert len(processes) > 1
    before.trainer.signal(signal.SIGKILL)
    assert page.wait(run_id, *OVER) == "lost"
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes))
    wait_until(lambda: supervision(root / "raft").ended is not None)
    assert supervision(root / "raft").exit_status == -signal.SIGKILL
    wait_until(lambda: "Resume raft" in page.get("/").text)  # the dashboard offers it
    assert re.search(r"It goes on after cycle \d+, optimiser step", page.get(f"/runs/{run_id}").text)
    act(page, run_id, "resume")
    assert page.wait(run_id, "running", "failed") == "running"
    act(page, run_id, "kill")
    assert page.wait(run_id, *OVER) == "stopped"


def act(page: Page, run_id: str, what: str, **fields: str) -> None:
    answer = page.post(f"/runs/{run_id}/{what}", **fields)
    assert answer.status_code == 303, answer.text[-1000:]


def launch_status(page: Page, model: Path, rows: Path, output: str) -> int:
    return page.post("/new/sft-train", model=str(model), data=str(rows), output=output).status_code


def test_a_run_that_cannot_start_says_why(serve: Callable[..., Server], root: Path, rows: Path) -> None:
    page = serve().page
    run_id = launch(page, root / "no-such-model", rows, "broken")
    assert page.wait(run_id, *OVER) == "failed"
    told = page.get(f"/runs/{run_id}").text
    assert "no-such-model" in told and "Clone to form" in told and "Rerun" in told
    assert "no-such-model" in page.get(f"/api/runs/{run_id}/log?file=process").json()["text"]
    assert (root / "broken" / "exit.json").exists()
    clone = page.get(f"/new/sft-train?from={run_id}").text
    assert "no-such-model" in clone and str(rows) in clone


def test_the_queue_keeps_its_order(serve: Callable[..., Server], root: Path, nano_model: Path, rows: Path) -> None:
    server = serve()
    page = server.page
    ids = [launch(page, nano_model, rows, name, max_steps="100000") for name in ("a", "b", "c", "d")]
    page.wait(ids[0], "starting", "running")
    act(page, ids[3], "move", where="up")
    act(page, ids[3], "move", where="up")
    act(page, ids[2], "stop")  # out of the queue before it began
    assert page.standing(ids[2]) == "stopped"
    assert "before it began" in page.get(f"/runs/{ids[2]}").text
    server.end()
    page = serve().page
    order = page.get("/live").text
    assert order.index(f"/runs/{ids[3]}") < order.index(f"/runs/{ids[1]}")
    assert page.standing(ids[2]) == "stopped"
    for run_id in (ids[1], ids[3]):
        act(page, run_id, "stop")
    act_when_ready(page, ids[0], "kill")
    assert page.wait(ids[0], *OVER) == "stopped"


def test_each_run_is_given_an_accelerator_of_its_own(
    serve: Callable[..., Server], root: Path, nano_model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    page = serve().page
    long = {"max_steps": "100000", "save_steps": "100000", "model": str(nano_model), "data": str(rows)}
    first, second, third, fourth = (
        page.post("/new/sft-train", output=name, **long, **given).headers["location"].removeprefix("/runs/")
        for name, given in {"a": {"device": "cpu"}, "b": {}, "c": {}, "d": {}}.items()
    )
    for run_id in (first, second):  # as many at a time as there are accelerators
        page.wait(run_id, "starting", "running")
    assert page.standing(third) == "queued" and page.standing(fourth) == "queued"
    act_when_ready(page, first, "kill")
    page.wait(third, "starting", "running")
    wait_until(lambda: (root / "c" / PROCESS_FILE).exists() and supervision(root / "c").trainer is not None)
    given = {name: supervision(root / name) for name in "abc"}
    assert given["a"].accelerator is None
    assert {given["b"].accelerator, given["c"].accelerator} == {"3", "5"}
    for one in (given["b"], given["c"]):
        assert one.trainer is not None
        assert psutil.Process(one.trainer.pid).environ()["CUDA_VISIBLE_DEVICES"] == one.accelerator


def act_when_ready(page: Page, run_id: str, what: str) -> None:
    page.wait(run_id, "starting", "running")
    wait_until(lambda: page.post(f"/runs/{run_id}/{what}").status_code == 303)
