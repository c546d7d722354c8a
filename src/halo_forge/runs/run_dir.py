"""Opening a run folder: fresh, to continue, or refused; and closing it with a truthful `exit.json`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from halo_forge.config.load import Loaded
from halo_forge.config.options import CommandConfig
from halo_forge.core.errors import EnvironmentFault, HaloError, Interrupted, ModelError, RunConflictError, is_full_disk
from halo_forge.core.events import EventLog, EventType, Listener, drop_torn_tail
from halo_forge.core.stop import StopRequest, stop_on_signals
from halo_forge.core.types import Checkpoint, Prompt, Record
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.attempt import ASKED_FILE, OUTPUT_FILE, PROCESS_FILE, QUEUED_FILE
from halo_forge.runs.launch import LAUNCH_FILE, InputFile, Judge, LaunchContext, describe_launch, refuse_changes
from halo_forge.runs.lock import LOCK_FILE, hold_lock

C = TypeVar("C", bound=CommandConfig)
REPORT_FILE, PLOTS_FOLDER, TRACKING_FOLDER = "report.html", "plots", "tracking"
CHECKPOINT_FILE = "checkpoint.json"
SUMMARY_FILE = "summary.json"
CYCLES_FILE = "cycles.jsonl"
REMOVE_IT = "remove {folder}, and the same command trains it again to the same weights"
BEFORE_ANY_WORK = frozenset(
    {
        LAUNCH_FILE,
        "config.yaml",
        "events.jsonl",
        "console.log",
        "run.lock",
        "exit.json",
        "prompts.jsonl",
        REPORT_FILE,
        PLOTS_FOLDER,
        TRACKING_FOLDER,
        QUEUED_FILE,
        PROCESS_FILE,
        ASKED_FILE,
        OUTPUT_FILE,
    }
)
NOT_AN_ATTEMPTS = frozenset(
    {LAUNCH_FILE, LOCK_FILE, PLOTS_FOLDER, TRACKING_FOLDER, QUEUED_FILE, PROCESS_FILE, ASKED_FILE, OUTPUT_FILE}
)


class Exit(Record):
    """`exit.json`: how the last attempt ended; absent while one is running, and after a kill."""

    status: Literal["succeeded", "failed", "stopped"]
    exit_code: int
    message: str
    ended_at: float


def plan_file(folder: Path, cycle: int) -> Path:
    """File of what a cycle was decided to be."""
    return folder / "plans" / f"cycle_{cycle}.json"


@dataclass
class Run:
    """An open run folder.

    Args:
        resources: what is to be closed when the run ends.
    """

    path: Path
    context: LaunchContext
    events: EventLog
    stop: StopRequest = field(default_factory=StopRequest)
    resources: ExitStack = field(default_factory=ExitStack)

    def rollouts(self, name: str) -> Path:
        """File of rollouts, such as `rollouts("cycle_1")`."""
        return self.path / "rollouts" / f"{name}.jsonl"

    def kept(self, cycle: int) -> Path:
        """File of selection decisions of a cycle."""
        return self.path / "kept" / f"cycle_{cycle}.jsonl"

    def checkpoint(self, cycle: int) -> Path:
        """Checkpoint folder of a cycle."""
        return self.path / f"cycle_{cycle}_final"

    def write_prompts(self, prompts: Sequence[Prompt]) -> None:
        """Keep the prompts beside the rollouts that refer to them."""
        path = self.path / "prompts.jsonl"
        if not path.exists():
            write_atomically(path, "".join(prompt.model_dump_json() + "\n" for prompt in prompts))

    def drop_torn(self, name: str) -> None:
        """Cut a file of lines after its last whole one."""
        drop_torn_tail(self.path / name)

    @property
    def final_model(self) -> Path:
        """Checkpoint folder of the finished run."""
        return self.path / "final_model"

    @property
    def training_state(self) -> Path:
        """Folder of the state of a training phase in progress."""
        return self.path / "training_state"


def read_launch(folder: Path) -> LaunchContext | None:
    """Return what the run in the folder was started with, or None if it holds none."""
    file = folder / LAUNCH_FILE
    if not file.is_file():
        return None
    try:
        return LaunchContext.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise RunConflictError(f"{file} cannot be read ({error}); choose another --output") from error


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return a checkpoint's description, or None if the folder is no whole checkpoint.

    Raises:
        ModelError: the description cannot be read.
    """
    file = folder / CHECKPOINT_FILE
    if not file.is_file():
        return None
    try:
        return Checkpoint.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise ModelError(f"{file} is damaged; {REMOVE_IT.format(folder=folder)}") from error


def is_complete(folder: Path) -> bool:
    """Whether the run in the folder ended well."""
    file = folder / "exit.json"
    return file.is_file() and Exit.model_validate_json(file.read_bytes()).status == "succeeded"


def check_output(folder: Path, kind: str, config: CommandConfig, inputs: dict[str, InputFile]) -> LaunchContext | None:
    """Say whether a run may be started or continued in the folder, without writing anything.

    Returns:
        The launch context of the run to continue, or None for a fresh folder.

    Raises:
        RunConflictError: the folder belongs to another run, or holds files of something else.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise RunConflictError(f"--output {folder} is a file; choose a folder")
    context = read_launch(folder)
    if context is None:
        # A kill at the very first write leaves no more than these two.
        strangers = sorted(p.name for p in folder.iterdir() if p.name not in (LOCK_FILE, f"{LAUNCH_FILE}.partial"))
        if strangers:
            raise RunConflictError(
                f"--output {folder} holds other files ({', '.join(strangers[:3])}) and no run; choose an empty folder"
            )
        return None
    if {entry.name for entry in folder.iterdir()} <= BEFORE_ANY_WORK:
        return None  # it failed before it did any work: nothing is lost by starting afresh
    if context.kind != kind:
        raise RunConflictError(
            f"--output {folder} belongs to the {context.kind} run {context.run_id}; "
            f"choose another folder for this {kind} run"
        )
    refuse_changes(context, config, inputs)
    return context


@contextmanager
def open_run(
    kind: str,
    loaded: Loaded[C],
    output: Path,
    inputs: dict[str, InputFile],
    *,
    judge: Judge | None = None,
    listeners: tuple[Listener, ...] = (),
) -> Iterator[Run]:
    """Start a run or continue the one in the folder; on the way out record how it ended.

    Raises:
        RunConflictError, RunLockedError: the folder is not ours to write.
        EnvironmentFault: the disk is full; what is written stays usable.
    """
    before = check_output(output, kind, loaded.config, inputs)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot create --output {output}: {error.strerror}") from error
    with _disk_errors(output), hold_lock(output):
        context = before or _keep_identity(
            output, describe_launch(kind, loaded.config, output, inputs, judge, loaded.parent)
        )
        if before is None:
            _clear(output)
            write_atomically(output / LAUNCH_FILE, context.model_dump_json(indent=2) + "\n")
        write_atomically(output / "config.yaml", loaded.to_yaml())
        (output / "exit.json").unlink(missing_ok=True)
        with EventLog(output / "events.jsonl") as events:
            for listener in listeners:
                events.listen(listener)
            run = Run(output, context, events)
            events.emit(
                EventType.RUN_STARTED, kind=kind, run_id=context.run_id, output=str(output), resumed=before is not None
            )
            if judge is not None and context.verifier_version not in (None, judge.verifier_version):
                events.notice(
                    f"the verifier is not the one the run began with, so earlier and later verdicts may differ: it was "
                    f"{context.verifier_version}, and is {judge.verifier_version}"
                )
            with stop_on_signals(run.stop), run.resources:
                yield from _until_exit(run)


def _keep_identity(output: Path, fresh: LaunchContext) -> LaunchContext:
    """Keep the id and the parent of a run that was put on record and has not begun, so that links to it hold."""
    earlier = read_launch(output)
    if earlier is None or (earlier.kind, earlier.config_hash) != (fresh.kind, fresh.config_hash):
        return fresh
    kept = {"run_id": earlier.run_id, "created_at": earlier.created_at, "parent": earlier.parent or fresh.parent}
    return fresh.model_copy(update=kept)


def _clear(output: Path) -> None:
    """Remove what an attempt that failed before any work left behind."""
    for name in BEFORE_ANY_WORK - NOT_AN_ATTEMPTS:
        (output / name).unlink(missing_ok=True)
    for name in (PLOTS_FOLDER, TRACKING_FOLDER):
        shutil.rmtree(output / name, ignore_errors=True)


def _until_exit(run: Run) -> Iterator[Run]:
    try:
        yield run
    except Interrupted as error:
        _close(
            run, EventType.RUN_STOPPED, Exit(status="stopped", exit_code=130, message=str(error), ended_at=time.time())
        )
        raise
    except BaseException as error:
        code = error.exit_code if isinstance(error, HaloError) else 1
        code = EnvironmentFault.exit_code if is_full_disk(error) else code
        message = f"{type(error).__name__}: {error}"
        _close(run, EventType.RUN_FAILED, Exit(status="failed", exit_code=code, message=message, ended_at=time.time()))
        raise
    _close(run, EventType.RUN_FINISHED, Exit(status="succeeded", exit_code=0, message="", ended_at=time.time()))


def _close(run: Run, type: EventType, ended: Exit) -> None:
    try:
        run.events.emit(type, message=ended.message, exit_code=ended.exit_code)
        write_atomically(run.path / "exit.json", ended.model_dump_json(indent=2) + "\n")
    except OSError as error:
        if not is_full_disk(error) or ended.status == "succeeded":
            raise


@contextmanager
def _disk_errors(output: Path) -> Iterator[None]:
    """Put a full disk into words, whichever library met it; what it left half-written is found out when going on."""
    try:
        yield
    except HaloError:
        raise
    except Exception as error:
        if is_full_disk(error):
            raise EnvironmentFault(
                f"the disk of {output} is full; free some space, and the same command goes on from its last whole chunk"
            ) from error
        raise
