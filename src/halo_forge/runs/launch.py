"""`launch_context.json`: what a run was started with, written before anything starts and never changed after."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from pydantic import JsonValue

from halo_forge import __version__
from halo_forge.config.load import config_hash
from halo_forge.config.options import CommandConfig, presentation
from halo_forge.config.shared import LoadingOptions, PromptOptions
from halo_forge.core.errors import RunConflictError
from halo_forge.core.types import Prompt, Record
from halo_forge.data import prompts_hash
from halo_forge.models.content import hash_model
from halo_forge.models.resolve import ModelRef

LAUNCH_FILE = "launch_context.json"
SECRETS = ("HF_TOKEN", "HALO_FORGE_SERVER_KEY", "OPENAI_API_KEY")
ENVIRONMENT = ("CUDA_VISIBLE_DEVICES", "HF_ENDPOINT", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS")
PACKAGES = ("torch", "transformers", "peft", "datasets", "tokenizers")


class InputFile(Record):
    """A file, model or dataset the run depends on; with another hash the run is not continued.

    Args:
        path: file or folder; a Hub id or a name of the catalogue.
        sha256: of the content; for what comes from the Hub its revision.
        rows: how many it has, where it has rows.
    """

    path: str
    sha256: str
    rows: int | None = None


class Judge(NamedTuple):
    """What judges a run's completions: a verifier's version names its rules, toolchain and limits."""

    sandbox_tier: str
    verifier_version: str


class LaunchContext(Record):
    """Everything needed to start the run again.

    Args:
        params: the validated settings; a rerun is rebuilt from these, never from `argv`, which is for people.
        secrets: names of the secret variables that were set, never their values.
        parent: id of the run that this one repeats.
    """

    schema_version: int = 1
    run_id: str
    kind: str
    created_at: float
    output_dir: str
    cwd: str
    params: dict[str, JsonValue]
    config_hash: str
    inputs: dict[str, InputFile]
    argv: tuple[str, ...]
    environment: dict[str, str]
    secrets: tuple[str, ...]
    versions: dict[str, str]
    sandbox_tier: str | None = None
    verifier_version: str | None = None
    parent: str | None = None


def describe_launch(
    kind: str,
    config: CommandConfig,
    output: Path,
    inputs: dict[str, InputFile],
    judge: Judge | None,
    parent: str | None = None,
) -> LaunchContext:
    """Gather the launch context of a run about to start."""
    return LaunchContext(
        run_id=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid4().hex[:6]}",
        kind=kind,
        created_at=round(time.time(), 3),
        output_dir=str(output),
        cwd=str(Path.cwd()),
        params=config.model_dump(mode="json"),
        config_hash=config_hash(config),
        inputs=inputs,
        argv=tuple(sys.argv),
        environment={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        secrets=tuple(name for name in SECRETS if os.environ.get(name)),
        versions={"halo-forge": __version__, "python": platform.python_version(), **_package_versions()},
        sandbox_tier=judge.sandbox_tier if judge else None,
        verifier_version=judge.verifier_version if judge else None,
        parent=parent,
    )


def refuse_changes(before: LaunchContext, config: CommandConfig, inputs: dict[str, InputFile]) -> None:
    """Check that a run may be continued with these settings and inputs.

    Raises:
        RunConflictError: a setting or an input changed; the text lists each with both values.
    """
    changes = []
    after = config.model_dump(mode="json")
    for key, field in type(config).model_fields.items():
        if key != "output" and not presentation(field).resumable and before.params.get(key) != after[key]:
            changes.append(f"{key} was {before.params.get(key)!r}, now {after[key]!r}")
    for name in sorted({*before.inputs, *inputs}):
        old, new = before.inputs.get(name), inputs.get(name)
        if old is None and new is not None:
            changes.append(f"{name} ({new.path}) was not there, or not recorded")
        elif old is not None and new is None:
            changes.append(f"{name} ({old.path}) is no longer used")
        elif old is not None and new is not None and old.sha256 != new.sha256:
            changes.append(f"the content of {name} ({new.path}) changed")
    if changes:
        raise RunConflictError(
            f"{before.output_dir} holds run {before.run_id} with other settings: {'; '.join(changes)}. "
            "Give the same settings to continue it, or another --output"
        )


def hash_file(path: Path, rows: int | None) -> InputFile:
    """Fingerprint an input file."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return InputFile(path=str(path), sha256=digest.hexdigest(), rows=rows)


def prompts_input(options: PromptOptions, prompts: Sequence[Prompt]) -> InputFile:
    """Fingerprint the prompts: their file, or what a dataset of the catalogue gave."""
    if options.prompts_file is not None:
        return hash_file(options.prompts_file, len(prompts))
    return InputFile(path=str(options.dataset), sha256=prompts_hash(prompts), rows=len(prompts))


def model_inputs(ref: ModelRef, loading: LoadingOptions) -> dict[str, InputFile]:
    """Fingerprint the start model, its adapter and the file of its chat template; see `hash_model` for the cost."""
    found = {name: InputFile(path=path, sha256=digest) for name, (path, digest) in hash_model(ref).items()}
    if loading.chat_template is not None and Path(loading.chat_template).is_file():
        found["chat_template"] = hash_file(Path(loading.chat_template), None)
    return found


def _package_versions() -> dict[str, str]:
    found = {} if (commit := _commit()) is None else {"git": commit}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of the checkout that this package is run from, if it is."""
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
