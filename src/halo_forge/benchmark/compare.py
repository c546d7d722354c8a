"""Comparing models that were measured on the same prompts, and refusing what cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from halo_forge.benchmark.measured import Measured, read_measured
from halo_forge.benchmark.paired import holm, pair
from halo_forge.core.errors import DataError
from halo_forge.runs.comparison import Arm, Comparison, PairedTest


def compare_runs(
    names: Sequence[str], *, allow_different_sampling: bool = False, allow_different_verifier: bool = False
) -> Comparison:
    """Compare finished runs; the first is what the others are compared with.

    Args:
        names: folders of benchmarks or RAFT runs; see `read_measured`.
        allow_different_sampling: compare although temperature, samples and the like differ.
        allow_different_verifier: compare although another verifier judged, or another version of it.

    Raises:
        DataError: fewer than two, not finished, or not comparable; the text lists why.
    """
    if len(names) < 2:
        raise DataError("a comparison needs at least two runs")
    sides = [read_measured(name) for name in names]
    if len({side.name for side in sides}) < len(sides):
        raise DataError(f"the same run is named twice: {', '.join(names)}")
    return compare(
        sides,
        allow_different_sampling=allow_different_sampling,
        allow_different_verifier=allow_different_verifier,
    )


def compare(
    sides: Sequence[Measured], *, allow_different_sampling: bool = False, allow_different_verifier: bool = False
) -> Comparison:
    """Compare what was measured; see `compare_runs`."""
    first, *others = sides
    caveats = [side.caveat for side in sides if side.caveat]
    refused: list[str] = []
    for other in others:
        refused += _unlike_prompts(first, other)
        sampling, verifier = list(_unlike_sampling(first, other)), list(_unlike_verifier(first, other))
        (caveats if allow_different_sampling else refused).extend(sampling)
        (caveats if allow_different_verifier else refused).extend(verifier)
        if sampling and not allow_different_sampling:
            refused.append("--allow-different-sampling compares them all the same")
        if verifier and not allow_different_verifier:
            refused.append("--allow-different-verifier compares them all the same")
    if refused:
        raise DataError(f"these runs cannot be compared: {'; '.join(dict.fromkeys(refused))}")
    metrics = [metric for metric in first.figures if all(metric in other.figures for other in others)]
    if not metrics:
        raise DataError("these runs have no metric in common: give both the same --k")
    return Comparison(
        prompts=len(first.prompts),
        prompts_hash=first.prompts_hash,
        verifier=first.verifier[0],
        arms=tuple(
            Arm(name=side.name, model=side.model, run_id=side.run_id, figures={m: side.figures[m] for m in metrics})
            for side in sides
        ),
        tests=tuple(test for metric in metrics for test in _tests(metric, first, others)),
        caveats=tuple(dict.fromkeys(caveats)),
    )


def _tests(metric: str, first: Measured, others: Sequence[Measured]) -> Iterator[PairedTest]:
    pairs = [pair(first.values[metric], other.values[metric], len(first.prompts)) for other in others]
    adjusted = holm([found.p_value for found in pairs])
    for other, found, p_holm in zip(others, pairs, adjusted, strict=True):
        yield PairedTest(arm=other.name, metric=metric, p_holm=p_holm, **found._asdict())


def _unlike_prompts(first: Measured, other: Measured) -> Iterator[str]:
    if first.prompts_hash == other.prompts_hash:
        return
    here, there = first.prompts.keys(), other.prompts.keys()
    changed = {prompt for prompt in here & there if first.prompts[prompt] != other.prompts[prompt]}
    for ids, words in (
        (here - there, f"only in {first.name}"),
        (there - here, f"only in {other.name}"),
        (changed, f"with other texts or tests in {first.name} than in {other.name}"),
    ):
        if ids:
            yield f"{len(ids)} prompts are {words} (such as {min(ids)})"


def _unlike_sampling(first: Measured, other: Measured) -> Iterator[str]:
    for key, value in first.sampling.items():
        if other.sampling[key] != value:
            yield f"{key} is {value} in {first.name} and {other.sampling[key]} in {other.name}"


def _unlike_verifier(first: Measured, other: Measured) -> Iterator[str]:
    if first.verifier != other.verifier:
        name, version = first.verifier
        other_name, other_version = other.verifier
        yield f"the verifier is {name} ({version}) in {first.name} and {other_name} ({other_version}) in {other.name}"
