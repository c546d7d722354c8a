import json
import sys
from importlib.metadata import EntryPoint
from io import StringIO
from pathlib import Path

import pytest

from halo_forge.cli.app import run
from halo_forge.cli.console import results_console
from halo_forge.cli.info import show_machine
from halo_forge.cli.machine import Accelerator, Machine, VerifierState, nvidia_devices
from halo_forge.core.plugins import VERIFIERS

MACHINE = Machine(
    halo_forge="1.0",
    python="3.11",
    system="Linux",
    cpu="A processor",
    cores=2,
    memory_gib=8.0,
    memory_free_gib=4.0,
    disk_free_gib=100.0,
    accelerators=(Accelerator("NVIDIA H200", 139.8, "NVIDIA 570.1"), Accelerator("NVIDIA GB10", None, "NVIDIA 580.9")),
    packages={"torch": "2.13.0", "bitsandbytes": None},
    tools={"g++": "g++ 12.2.0", "clang++": None},
    sandbox=None,
    sandbox_problem="install [bubblewrap]",
    verifiers=(
        VerifierState("gcc", "Compiles C++.", None),
        VerifierState("odd", "Is odd.", "no odd tool"),
        VerifierState("own", "Asks.", None, ("command",)),
    ),
)


def shown(machine: Machine) -> str:
    page = StringIO()
    show_machine(machine, results_console(page))
    return " ".join(page.getvalue().split())


def test_the_table_says_what_is_there_and_what_is_not() -> None:
    text = shown(MACHINE)
    assert "accelerator NVIDIA H200, 139.8 GiB (NVIDIA 570.1)" in text
    assert "accelerator NVIDIA GB10 (NVIDIA 580.9)" in text
    assert "sandbox none install [bubblewrap]" in text
    assert "bitsandbytes not installed" in text
    assert "gcc Compiles C++. odd Is odd. no odd tool own Asks. with --verifier-option command=…" in text


def test_json_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "--json"]) == 0
    machine = json.loads(capsys.readouterr().out)
    assert machine["python"] == ".".join(map(str, sys.version_info[:3]))
    assert machine["packages"]["torch"]
    verifiers = {verifier["name"]: verifier for verifier in machine["verifiers"]}
    assert verifiers["python"]["problem"] is None
    assert (verifiers["msvc"]["problem"], verifiers["msvc"]["needs"]) == (None, ["host", "user"])
    assert machine["tools"]["ssh"].startswith("OpenSSH")
    assert (machine["sandbox"] is None) != (machine["sandbox_problem"] is None)


def test_nothing_is_built_for_later_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert run(["info"]) == 0
    assert "auto" in capsys.readouterr().out
    assert not [place for place in tmp_path.rglob("*") if place.is_file()]


def install(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_nvidia_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "echo 'NVIDIA H200, 143771, 570.133.20'; echo 'NVIDIA GB10, [N/A], 580.95.05'"
    install(tmp_path, answer, monkeypatch)
    assert nvidia_devices() == (
        Accelerator("NVIDIA H200", 140.4, "NVIDIA 570.133.20"),
        Accelerator("NVIDIA GB10", None, "NVIDIA 580.95.05"),
    )


def test_a_failing_nvidia_smi_means_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "echo 'NVIDIA-SMI has failed, because it could, not talk'; exit 9", monkeypatch)
    assert nvidia_devices() == ()


def test_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sft", "datasets"]) == 0
    assert "codealpaca" in capsys.readouterr().out


def test_a_verifier_that_cannot_be_imported_is_listed_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = (
        EntryPoint(name="absent", value="halo_forge.absent:Config", group=VERIFIERS),
        EntryPoint(name="gone", value="halo_forge.core.plugins:Gone", group=VERIFIERS),
    )
    monkeypatch.setattr("halo_forge.cli.machine.entry_points", lambda group: broken)
    assert run(["info", "--json"]) == 0
    found = {verifier["name"]: verifier["problem"] for verifier in json.loads(capsys.readouterr().out)["verifiers"]}
    assert found["absent"] == "cannot be loaded: No module named 'halo_forge.absent'"
    assert found["gone"].startswith("cannot be loaded: ")
