"""Which completions a report shows: a seeded, readable few out of any number, in one pass over their sketches."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from halo_forge.core.types import Prompt, Rollout, media_of
from halo_forge.report.blocks import Sample
from halo_forge.report.pictures import thumbnails
from halo_forge.report.read import read_lines
from halo_forge.report.sounds import sounds
from halo_forge.report.wording import cut, number, visible
from halo_forge.rollout.decision import Decision, Reason
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch

PROMPT_LIMIT = 2_000


@dataclass(frozen=True)
class Pick:
    """A rollout, what it was picked for, and what selection decided about it, if it did."""

    rollout: Rollout
    labels: tuple[str, ...]
    reason: Reason | None = None


class Picker:
    """Keeps, under each label, the rollouts of highest rank; equal ranks are settled by a seeded draw.

    Args:
        places: label -> how many to keep, in the order in which they are shown.
    """

    def __init__(self, seed: str, places: Mapping[str, int]) -> None:
        self._random = random.Random(seed)
        self._places = places
        self._best: dict[str, list[tuple[float, float, Sketch]]] = {label: [] for label in places}

    def offer(self, label: str, rollout: Sketch, rank: float = 0.0) -> None:
        """Consider a rollout for a place under a label."""
        best = self._best[label]
        best.append((rank, self._random.random(), rollout))
        best.sort(key=lambda item: item[:2], reverse=True)
        del best[self._places[label] :]

    def picks(self, file: RolloutFile, reasons: Mapping[tuple[str, int], Reason] | None = None) -> tuple[Pick, ...]:
        """Return each chosen rollout once, read from its file, with every label it was chosen under."""
        labels: dict[tuple[str, int], list[str]] = {}
        chosen: dict[tuple[str, int], Sketch] = {}
        for label, best in self._best.items():
            for _, _, rollout in best:
                key = (rollout.prompt_id, rollout.number)
                labels.setdefault(key, []).append(label)
                chosen[key] = rollout
        read = zip(chosen, file.read(chosen.values()), strict=True)
        return tuple(Pick(rollout, tuple(labels[key]), (reasons or {}).get(key)) for key, rollout in read)


def read_reasons(path: Path) -> dict[tuple[str, int], Reason]:
    """Return what selection decided about each completion of a cycle, by prompt id and index."""
    return {(d.prompt_id, d.index): d.reason for d in read_lines(path, Decision)}


def read_prompts(folder: Path, ids: Collection[str]) -> dict[str, Prompt]:
    """Return those of a run's prompts that are asked for, as far as the run stored them."""
    return {p.id: p for p in read_lines(folder / "prompts.jsonl", Prompt) if p.id in ids}


def show(pick: Pick, prompts: Mapping[str, Prompt], where: str) -> Sample:
    """Return a picked rollout as it stands on the page.

    Args:
        where: the file it is from, named when a text is cut.
    """
    completion, verdict = pick.rollout.completion, pick.rollout.verdict
    text, note = cut(completion.text, where)
    outcome = "passed" if verdict.passed else f"ended in {verdict.stage}"
    facts = [("Reward", number(verdict.reward) if verdict.reward is not None else "none, it could not be verified")]
    facts.append(("Stage", outcome if verdict.reward is not None else str(verdict.stage)))
    if verdict.fault:
        facts.append(("Fault", visible(verdict.fault)))
    if verdict.detail:
        facts.append(("Verifier", cut(verdict.detail, where, 1_000)[0]))
    if pick.reason is not None:
        facts.append(("Selection", str(pick.reason)))
    if completion.finish_reason == "length":
        facts.append(("Ended", f"cut at max_new_tokens, after {len(completion.token_ids):,} tokens"))
    prompt = prompts.get(completion.prompt_id)
    said = () if prompt is None else tuple(m for m in prompt.messages if m.text or not m.media)
    turns = tuple((m.role, cut(m.text, where, PROMPT_LIMIT)[0]) for m in said)
    return Sample(
        kind="fault" if verdict.reward is None else "good" if verdict.passed else "bad",
        title=f"{'; '.join(pick.labels)} · {visible(completion.prompt_id)}, completion {completion.index}",
        facts=tuple(facts),
        prompt=turns,
        text=text,
        note=note,
        images=() if prompt is None else thumbnails(media_of(prompt.messages)),
        sounds=() if prompt is None else sounds(media_of(prompt.messages)),
    )
