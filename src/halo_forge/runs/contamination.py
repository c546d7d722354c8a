"""Whether what a model was trained on was compared with the benchmark it is measured on.

The answer follows the model back through the runs that made it: the files each was given, and the checks that
`data decontaminate` recorded beside them. It is "not checked" unless every one of these files, with the very bytes that
were trained on, was compared with the very same problems. What the first model was trained on nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from halo_forge.core.errors import DataError, RunConflictError
from halo_forge.data.curate.contamination import read_checks
from halo_forge.data.sidecar import read_sidecar
from halo_forge.runs.launch import InputFile, LaunchContext
from halo_forge.runs.run_dir import read_launch

NOT_CHECKED = "not checked"
TRAINED_ON = ("data", "dataset", "prompts", "replay")
TRAINS = ("sft", "raft")


def contamination_of(model: str, problems: str) -> str:
    """Say in a sentence whether a model's training data was compared with a benchmark.

    Args:
        model: as the user named it: a run, a checkpoint in it, or anything else.
        problems: `prompts_hash` of the benchmark's prompts.
    """
    runs = list(_runs_behind(model))
    if not runs:
        return f"{NOT_CHECKED}: nothing is known of what '{model}' was trained on"
    said = []
    for run in runs:
        for name in TRAINED_ON:
            if name in run.inputs:
                file = run.inputs[name]
                found = _found(_place(run, file), file.sha256, problems)
                if found is None:
                    return f"{NOT_CHECKED}: {file.path}, on which the {run.kind} run {run.run_id} was trained"
                said.append(f"{found[0]:,} of {found[1]:,} rows of {file.path}")
    return f"checked: {', '.join(said)} hold one of its problems; the data of '{_start(runs[-1])}' is unknown"


def overlap_notices(inputs: Mapping[str, InputFile]) -> list[str]:
    """Say which benchmarks the files to train on are known to overlap; a sidecar that is not ours says nothing."""
    return [
        said
        for name in TRAINED_ON
        if name in inputs
        for said in _overlaps(Path(inputs[name].path), inputs[name].sha256)
    ]


def _overlaps(path: Path, sha256: str) -> list[str]:
    try:
        checks = read_checks(path, sha256)
        sidecar = read_sidecar(path)
    except DataError:
        return []
    said = [
        f"{check.left:,} of {check.rows:,} rows of {path} hold problems of {check.against}, so a score on it will "
        f"flatter; 'data decontaminate {path} --against {check.against} --output FILE' writes a copy without them"
        for check in checks
        if check.left
    ]
    if sidecar is not None and sidecar.sha256 == sha256 and sidecar.use == "benchmark":
        name = sidecar.dataset or sidecar.source
        said.append(f"{path} holds the problems of the benchmark {name} themselves, so a score on it will say nothing")
    return said


def _runs_behind(model: str) -> Iterator[LaunchContext]:
    """The runs that made a model, the last one first."""
    seen: set[str] = set()
    base = Path()
    while True:
        run = _run_of(base / model)
        if run is None or run.run_id in seen:
            return
        seen.add(run.run_id)
        yield run
        model, base = _start(run), Path(run.cwd)


def _run_of(place: Path) -> LaunchContext | None:
    for folder in (place, place.parent):
        try:
            found = read_launch(folder)
        except RunConflictError:
            return None
        if found is not None:
            return found if found.kind in TRAINS else None
    return None


def _start(run: LaunchContext) -> str:
    return str(run.params.get("checkpoint") or run.params.get("model"))


def _place(run: LaunchContext, file: InputFile) -> Path:
    return Path(run.cwd) / file.path


def _found(path: Path, sha256: str, problems: str) -> tuple[int, int] | None:
    """Rows that hold a problem, of how many; None where nobody looked."""
    try:
        checks = read_checks(path, sha256)
    except DataError:
        return None
    return next(((check.left, check.rows) for check in checks if check.sha256 == problems), None)
