import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from halo_forge.cli import app as app_module
from halo_forge.cli.app import run
from halo_forge.cli.deferred import Deferred
from halo_forge.cli.errors import report
from halo_forge.core.errors import (
    ConfigError,
    EnvironmentFault,
    HaloError,
    Interrupted,
    RunLockedError,
    TooManyFaults,
)

HEAVY = ("torch", "transformers", "peft", "datasets", "matplotlib")


def imported_by(*args: str) -> set[str]:
    """Return the modules in memory after a command, run in a process of its own."""
    script = (
        "import sys\n"
        "from halo_forge.cli.app import run\n"
        f"assert run({list(args)!r}) == 0\n"
        "print('\\n', ' '.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_nothing_heavy() -> None:
    assert not imported_by("--help") & {*HEAVY, "pydantic", "numpy", "rich", "yaml"}


@pytest.mark.parametrize("command", [("raft", "train"), ("sft", "train"), ("benchmark", "run"), ("verify",), ("demo",)])
def test_a_commands_help_imports_no_machine_learning(command: tuple[str, ...]) -> None:
    assert not imported_by(*command, "--help") & set(HEAVY)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("halo-forge, version ")


def test_help_lists_every_command_in_the_order_of_work(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    listing = capsys.readouterr().out.partition("Commands:")[2]
    names = [line.split()[0] for line in listing.splitlines() if line.startswith("  ") and line[2] != " "]
    assert names == [
        *(
            "data",
            "sft",
            "raft",
            "benchmark",
            "reasoning",
            "audio",
            "vlm",
            "agentic",
            "verify",
            "serve",
            "plan",
            "runs",
            "ui",
        ),
        *("demo", "config", "info", "sandbox", "completion"),
    ]


@pytest.mark.parametrize("deferred", app_module.COMMANDS, ids=lambda command: str(command.name))
def test_every_deferred_command_exists(deferred: Deferred) -> None:
    assert deferred.load().name == deferred.name


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["raft", "trian"], "Did you mean 'train'?"),
        (["benhcmark"], "Did you mean 'benchmark'?"),
        (["sft", "train", "--epoch", "3"], "Did you mean '--epochs'?"),
        (["raft", "train", "--cycles", "x"], "'x' is not a valid integer"),
    ],
)
def test_wrong_usage(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["raft", "train"], "--output is required"),
        (["raft", "train", "--prompts", "p", "--output", "o"], "give --checkpoint or --model to start from"),
        (["raft", "train", "--cycles", "0", "--prompts", "p", "--output", "o"], "--cycles: Input should be"),
        (["sft", "train", "--config", "absent.yaml"], "cannot read absent.yaml"),
        (["benchmark", "run", "--model", "m", "--prompts", "p", "--samples", "4"], "--k 10 needs at least that many"),
    ],
)
def test_a_wrong_setting_is_one_line(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("halo-forge: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sft", "train", "--debug"]) == 2
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert error.splitlines()[-1].startswith("halo-forge: error: ")


def chained(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("--x is wrong"), 2, "halo-forge: error: --x is wrong"),
        (EnvironmentFault("no g++"), 3, "halo-forge: error: no g++"),
        (TooManyFaults("many"), 4, "halo-forge: error: many"),
        (RunLockedError("busy"), 75, "halo-forge: error: busy"),
        (HaloError("two\nlines"), 1, "halo-forge: error: two lines"),
        (Interrupted("stopped"), 130, "halo-forge: stopped"),
        (click.Abort(), 130, "halo-forge: interrupted"),
        (KeyboardInterrupt(), 130, "halo-forge: interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 3, "halo-forge: error: no space left on the disk"),
        (RuntimeError("write: No space left on device (os error 28)"), 3, "halo-forge: error: no space left"),
        (chained(ValueError("x"), OSError(errno.ENOSPC, "full")), 3, "halo-forge: error: no space left"),
        (OSError(errno.EACCES, "Permission denied"), 1, "halo-forge: error: PermissionError: [Errno 13]"),
        (KeyError(), 1, "halo-forge: error: KeyError; run again with --debug for the traceback"),
        (ZeroDivisionError("by\nzero"), 1, "halo-forge: error: ZeroDivisionError: by zero; run again with --debug"),
    ],
)
def test_what_an_error_says(error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(error, debug=False) == code
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from halo_forge.cli.app import main; main()", "completion", "bash"]
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_HALO_FORGE_COMPLETE" in script
    assert "halo-forge" in script


def complete(words: str) -> list[str]:
    env = {
        **os.environ,
        "_HALO_FORGE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split())),
    }
    command = [sys.executable, "-c", "from halo_forge.cli.app import main; main()"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in done.stdout.split()]


@pytest.mark.parametrize(("words", "choice"), [("halo-forge", "raft"), ("halo-forge raft", "train")])
def test_completing_a_command(words: str, choice: str) -> None:
    assert choice in complete(words)


def test_completing_a_choice() -> None:
    assert complete("halo-forge raft train --tuning") == ["lora", "full", "qlora"]


def test_the_last_boundary_catches_what_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> Callable[[], None]:
        raise ZeroDivisionError("odd")

    monkeypatch.setitem(app_module.app.commands, "odd", click.Command("odd", callback=failing))
    assert run(["odd"]) == 1
    assert capsys.readouterr().err == (
        "halo-forge: error: ZeroDivisionError: odd; run again with --debug for the traceback\n"
    )


@pytest.mark.parametrize(("size", "status"), [("2", 0), ("1", -signal.SIGABRT)])
def test_one_of_several_processes_leaves_without_taking_the_interpreter_down(size: str, status: int) -> None:
    script = (
        "import atexit, os, sys, types\n"
        "atexit.register(os.abort)  # as gloo's threads do now and then\n"
        "sys.modules['halo_forge.training.team'] = types.ModuleType('team')\n"
        "sys.argv[1:] = ['--version']\n"
        "from halo_forge.cli.app import main\n"
        "main()\n"
    )
    environment = {**os.environ, "RANK": "0", "WORLD_SIZE": size}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert ended.returncode == status
    assert "halo-forge" in ended.stdout
