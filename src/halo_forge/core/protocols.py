"""The four parts that can be exchanged: Generator, Trainer, Verifier, Sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from halo_forge.core.types import Completion, MediaPart, Prompt, Sampling, Verdict


class Submission(NamedTuple):
    """What a verifier judges: a prompt with its ground truth, and the text that answers it."""

    prompt: Prompt
    text: str


class Generator(Protocol):
    """Draws completions from the current policy."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """Answer one chunk of prompts.

        The result depends on the policy, the prompts, the sampling and the seed alone.

        Returns:
            `sampling.n` completions a prompt, ordered by prompt, then by index.
        """
        ...


class Verifier(Protocol):
    """Judges submissions; built once a run, closed at its end."""

    @property
    def name(self) -> str:
        """The entry point's name, such as `gcc`."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same submission could earn another verdict: rules, toolchain, limits."""
        ...

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """Judge a batch; several threads may do so at the same time.

        A verdict follows from the prompt's messages, tools and reference and the text alone: it is kept for equal ones.
        A fault of the machine never raises and is never a reward of 0: it is a verdict with `reward=None`.

        Returns:
            One verdict a submission, in the same order.
        """
        ...

    def close(self) -> None:
        """Release workers and folders; further calls of `verify` are errors."""
        ...


@runtime_checkable
class Foreseeing(Protocol):
    """A verifier that judges faster once it has seen what comes."""

    def prepare(self, submissions: Sequence[Submission]) -> None:
        """Do once for submissions that will soon be judged, maybe one by one, what helps all of them."""
        ...


class TrainingRow(NamedTuple):
    """Token ids of one row and which of them are learnt.

    Args:
        ids: (T,) the whole row.
        learn: (T,) True where the token counts in the loss; never the first, which nothing predicts.
        weight: factor on the row's loss: its advantage, where the objective has one; below 0 moves away from the row.
        old_logprobs: log-probability of each learnt token when it was drawn; empty for rows that no policy drew, which
            are learnt by likelihood whatever the objective.
        temperature: under which those hold.
        media: the images or audio that belong to it, which are read again whenever the row is.
    """

    ids: tuple[int, ...]
    learn: tuple[bool, ...]
    weight: float = 1.0
    old_logprobs: tuple[float, ...] = ()
    temperature: float = 1.0
    media: tuple[MediaPart, ...] = ()


class TrainingReport(NamedTuple):
    """What a round of training did."""

    steps: int
    tokens: int
    learnt_tokens: int
    mean_loss: float
    last_loss: float
    weight_change: float
    wall_s: float


class Trainer(Protocol):
    """Moves the policy's weights towards rows."""

    def train(self, rows: Sequence[TrainingRow], *, seed: int, cycle: int, state_folder: Path) -> TrainingReport:
        """Train on the rows; resume from `state_folder` when an interrupted call with the same rows left a state there.

        Raises:
            Interrupted: the user asked to stop; the state has been saved.
        """
        ...


class Limits(BaseModel):
    """What one sandboxed program may use; without disk it has no work folder at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall_s: float = Field(default=10.0, gt=0)
    cpu_s: float = Field(default=10.0, gt=0)
    memory_mb: int = Field(default=1024, ge=16)
    processes: int = Field(default=32, ge=1)
    open_files: int = Field(default=64, ge=8)
    disk_mb: int = Field(default=64, ge=0)
    output_bytes: int = Field(default=65_536, ge=1)
    report_bytes: int = Field(default=1_048_576, ge=1)


class Image(NamedTuple):
    """A warm Python: an interpreter that has loaded modules and scripts, and of which each job gets a copy.

    Args:
        name: jobs that must not meet in one process, such as a judge's and a candidate's, have images of different
            names.
        modules: modules of the standard library that are imported beforehand.
        scripts: (module name, source); each has a function `main()` that a job runs.
    """

    name: str
    modules: tuple[str, ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()


class Job(NamedTuple):
    """A program for the sandbox.

    Args:
        argv: program (an absolute path inside the sandbox) and arguments; with an image, the name of its script first.
        limits: what it may use.
        stdin: bytes for its standard input.
        files: relative name -> content, laid read-only and executable into `/job`.
        mounts: path inside -> host folder, shown read-only (a toolchain outside `/usr`, a cache).
        hidden: paths inside that appear as empty folders.
        env: its whole environment; that of an image is fixed.
        image: the warm Python it runs in, None for a program.
        inline: a trusted script's function `serve(payload, link) -> str` answers in the warm Python itself, without a
            copy; its result is the report. For scripts alone that run nothing of a program's.
        payload: bytes it finds on descriptor 5, positioned at their start; None gives it no such descriptor.
        report: whether it gets descriptor 3, whose bytes come back as `Outcome.report`.
        returned: a file it makes, such as `/work/program`, that comes back as the report if the program ends with
            status 0; it has no descriptor 3 then.
    """

    argv: tuple[str, ...]
    limits: Limits
    stdin: bytes = b""
    files: Mapping[str, bytes] = {}
    mounts: Mapping[str, Path] = {}
    hidden: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    image: Image | None = None
    inline: bool = False
    payload: bytes | None = None
    report: bool = False
    returned: str = ""


class Python(NamedTuple):
    """A Python inside the sandbox: its standard library, and no packages.

    Args:
        program: its path inside.
        version: such as `3.11.7`.
        mounts: path inside -> host folder, when it is not part of the system.
        hidden: its folders of installed packages.
        env: the environment it needs.
    """

    program: str
    version: str
    mounts: Mapping[str, Path]
    hidden: tuple[str, ...]
    env: Mapping[str, str]


class Outcome(NamedTuple):
    """How a sandboxed program ended.

    Args:
        exit_status: the program's exit status, negative for the signal that ended it.
        stdout: at most `output_bytes` of it.
        stderr: likewise.
        report: what it wrote to descriptor 3, at most `report_bytes`.
        timed_out: it met the wall or the processor limit and was killed.
        overdue: it met the wall limit before the processor limit: asleep, waiting, or on a busy machine.
        flooded: it wrote more than `output_bytes` or `report_bytes` and was killed.
        stray_kill: it died of a SIGKILL that the sandbox did not send: its own, or somebody's on the host.
        host_out_of_memory: it was killed while the kernel was killing processes for want of memory: a fault of ours.
        wall_s: seconds on the clock.
        cpu_s: processor seconds of the whole process tree, without processes that had to be killed at the end.
        peak_memory_mb: largest process, MiB.
    """

    exit_status: int
    stdout: bytes
    stderr: bytes
    report: bytes
    timed_out: bool
    overdue: bool
    flooded: bool
    stray_kill: bool
    host_out_of_memory: bool
    wall_s: float
    cpu_s: float
    peak_memory_mb: float


class Exchange(NamedTuple):
    """How two connected programs ended."""

    judge: Outcome
    candidate: Outcome


class Sandbox(Protocol):
    """Runs untrusted programs: no network, no host files beyond a read-only toolchain, bounded in every resource."""

    @property
    def tier(self) -> str:
        """The isolation in force, such as `bubblewrap`; shown by `halo-forge info` and kept in every run."""
        ...

    @property
    def python(self) -> Python:
        """The Python inside, of which images are made."""
        ...

    def run(self, job: Job) -> Outcome:
        """Run one program to its end and leave no process of it behind.

        Raises:
            EnvironmentFault: the sandbox itself could not be set up (never for what the program did).
        """
        ...

    def converse(self, judge: Job, candidate: Job) -> Exchange:
        """Run two programs, each in a sandbox of its own, joined by a socket on descriptor 4.

        The candidate is killed once the judge has ended.

        Raises:
            EnvironmentFault: as for `run`.
        """
        ...

    @property
    def renewals(self) -> int:
        """How often `renew` was called."""
        ...

    def renew(self) -> None:
        """Let no later program meet a helper process of now, which sees the machine as it was when that began."""
        ...

    def close(self) -> None:
        """End the helper processes; further runs are errors."""
        ...
