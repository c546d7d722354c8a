"""What a RAFT run starts from, and everything the user could have got wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.types import Prompt
from halo_forge.data import Split, load_asked, load_conversations, split_holdout
from halo_forge.generation.choice import check_generator
from halo_forge.models.check import Checked, check_model, count_reasons
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.raft.cycle_plan import refuse_changed_cycles
from halo_forge.raft.engine import check_run_memory
from halo_forge.raft.guards import LEAST_PROMPTS
from halo_forge.runs.launch import InputFile, LaunchContext, hash_file, model_inputs, prompts_input
from halo_forge.runs.run_dir import check_output


class Work(NamedTuple):
    """What a run starts from.

    Args:
        context: of the run in the output folder that is to be continued, if there is one.
    """

    prompts: list[Prompt]
    inputs: dict[str, InputFile]
    start: ModelRef
    context: LaunchContext | None


def read_work(config: RaftTrainConfig) -> Work:
    """Read the prompts, find the start model, and see that the output folder may be written."""
    prompts = load_asked(config, "rlvr", config.seed, config.system_prompt)
    start = resolve_model(config.start, config.stated_base)
    inputs = {"prompts": prompts_input(config, prompts), **model_inputs(start, config)}
    if config.replay is not None:
        replay = load_conversations(config.replay)
        inputs["replay"] = hash_file(config.replay, len(replay.conversations))
    context = check_output(config.output, "raft", config, inputs)
    if context is not None:
        refuse_changed_cycles(config)
    return Work(prompts, inputs, start, context)


def check_work(work: Work, config: RaftTrainConfig) -> Checked:
    """See that the model and what draws from it can be had, and which prompts do not suit it."""
    checked = check_model(work.start, config, work.prompts)
    check_generator(work.start, config, config, checked.learnable(work.prompts), trains=True)
    check_run_memory(work.start, config)
    return checked


def split_prompts(work: Work, checked: Checked, config: RaftTrainConfig) -> Split:
    """Divide the prompts that fit into those that are trained on and those held out.

    Raises:
        DataError: none fits.
    """
    fitting = checked.learnable(work.prompts)
    if not fitting:
        if unfit := {**checked.bad, **checked.cut}:
            raise DataError(f"no prompt is left for '{work.start.name}': {count_reasons(unfit)}")
        raise DataError(f"every prompt fills the context of '{work.start.name}' and leaves no room for an answer")
    return split_holdout(fitting, config.holdout_fraction, config.seed)


def early_notices(config: RaftTrainConfig, split: Split, checked: Checked) -> Iterator[str]:
    """What the user should know before the first cycle."""
    if checked.overlong:
        yield (
            f"{len(checked.overlong)} prompts are left out: they fill the model's context and leave no room for an "
            f"answer (such as {min(checked.overlong)})"
        )
    if unfit := {**checked.bad, **checked.cut}:
        yield f"{len(unfit)} prompts are left out: {count_reasons(unfit)} (such as {min(unfit)})"
    if config.patience and 0 < len(split.holdout) < LEAST_PROMPTS:
        yield (
            f"{len(split.holdout)} held-out prompts are too few to tell a standstill from chance (it takes "
            f"{LEAST_PROMPTS}): --patience {config.patience} does not apply, and all cycles are run"
        )
    if config.holdout_fraction and not split.holdout:
        yield f"{len(split.train)} prompts are too few to hold some out: the last cycle is published, not the best"
    if config.learns_from_wrong:
        yield (
            f"--objective {config.objective} trains on every verified and whole completion of a prompt whose rewards "
            "differ: --keep-fraction, --max-kept-per-prompt and --min-samples do not apply"
        )
    tested = sum(prompt.reference.has_tests for prompt in split.train)
    if tested and config.reward_threshold < 1 and config.select == "reward" and config.reward_shaping == "fixed":
        yield (
            f"{tested} prompts have tests, and a reward of {config.reward_threshold} is below passing them: programs "
            "that fail their tests may be trained on; --reward-threshold 1.0 keeps only those that pass"
        )
