"""`halo-forge`: the tree of commands, each imported only when it is called, so that `--help` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from halo_forge import __version__
from halo_forge.cli.deferred import Deferred, LazyGroup
from halo_forge.cli.errors import Session, report

PROGRAM = "halo-forge"
TEAM = "halo_forge.training.team"


COMMANDS = (
    Deferred("data", "halo_forge.cli.data:data", "Datasets as files, ready to train on."),
    Deferred("sft", "halo_forge.cli.sft:sft", "Supervised fine-tuning, and the datasets for it."),
    Deferred("raft", "halo_forge.cli.raft:raft", "RAFT cycles: generate, verify, select, train."),
    Deferred("benchmark", "halo_forge.cli.benchmark:benchmark", "pass@k with intervals."),
    Deferred("reasoning", "halo_forge.cli.domains:reasoning", "Mathematics: SFT, RAFT and benchmark on answers."),
    Deferred("audio", "halo_forge.cli.domains:audio", "Speech: SFT, RAFT and benchmark on transcripts."),
    Deferred("vlm", "halo_forge.cli.domains:vlm", "Images: SFT, RAFT and benchmark on questions about them."),
    Deferred("agentic", "halo_forge.cli.domains:agentic", "Tool calling: SFT, RAFT and benchmark on calls."),
    Deferred("verify", "halo_forge.cli.verify:verify", "Verdicts on completions in a file, or on one program."),
    Deferred("serve", "halo_forge.cli.serve:serve", "The command that starts a server for --generator server."),
    Deferred("plan", "halo_forge.cli.plan:plan", "What a run will take, by phase, and where more nodes stop helping."),
    Deferred("runs", "halo_forge.cli.runs:runs", "What ran and what runs: list, logs, stop, resume, rerun, clean up."),
    Deferred("ui", "halo_forge.cli.ui:ui", "The web page: launch, watch, compare, rerun."),
    Deferred("demo", "halo_forge.cli.demo:demo", "The whole loop on a tiny model, on this machine, in minutes."),
    Deferred("config", "halo_forge.cli.config:config", "Check a YAML file of settings."),
    Deferred("info", "halo_forge.cli.info:info", "What this machine offers: hardware, compilers, sandbox, verifiers."),
    Deferred("sandbox", "halo_forge.cli.sandbox:sandbox", "What the sandbox stops on this machine."),
    Deferred("completion", "halo_forge.cli.completion:completion", "Script that completes commands in a shell."),
)

app = click.version_option(__version__, prog_name=PROGRAM)(
    LazyGroup(
        PROGRAM,
        commands=COMMANDS,
        help="Make a model better with rewards that a program can check.\n\n"
        "data -> sft train -> raft train -> benchmark run. "
        "Start with `halo-forge info` and `halo-forge demo`.",
        context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    )
)


def run(args: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        args: what stands behind the program's name; by default, what this process was called with.

    Returns:
        The exit code; `docs/cli.md` lists them.
    """
    session = Session()
    try:
        result = app.main(args, prog_name=PROGRAM, standalone_mode=False, obj=session)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the last boundary: nothing passes it unexplained
        return report(error, debug=session.debug)
    return result if isinstance(result, int) else 0


def main() -> None:
    """Run the command line of this process and end it."""
    code = run()
    if TEAM in sys.modules and os.environ.get("WORLD_SIZE", "1") != "1":
        # gloo's threads may hold tensors until after the interpreter has gone, which aborts the process
        # (github.com/pytorch/pytorch/pull/179291); everything of ours is written and closed by now.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
