"""Settings of having a model behind an API write training data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import JsonValue, model_validator

from halo_forge.config.options import option
from halo_forge.config.shared import DATA, MODEL, RUN, SAMPLING, VERIFICATION, JudgingOptions

Backend = Literal["deepseek", "openai", "anthropic", "ollama", "compatible"]


class GenerateConfig(JudgingOptions):
    """Tasks and answers about a topic, written by a model behind an API, as rows for `sft train --data`.

    Keys come from the environment alone: DEEPSEEK_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY, and
    HALO_FORGE_SERVER_KEY for --backend compatible. Each answer is put on disk before anything is done with it; the same
    command continues after an interruption, and what is stored is never asked for again. Costs are estimates.
    """

    topic: str = option(..., "Name of a topic (--list shows them), or a YAML file that describes one.", section=DATA)
    output: Path = option(..., "JSONL file for the rows; its ledger lies beside it.", section=RUN)
    backend: Backend | None = option(
        None,
        "Who writes; compatible, which --base-url alone means, is any server of OpenAI's protocol.",
        section=MODEL,
    )
    model: str | None = option(None, "Model that writes; some backends have a default, see --list.", section=MODEL)
    base_url: str | None = option(
        None, "Address of the server, such as http://127.0.0.1:8000/v1, instead of the backend's own.", section=MODEL
    )
    count: int = option(
        100,
        "Answers to ask for; what is dropped afterwards is not asked for again. More may be asked for later.",
        section=DATA,
        ge=1,
        resumable=True,
    )
    form: Literal["conversations", "prompts"] = option(
        "conversations",
        "Rows for `sft train`, or the tasks with their tests for `raft train`.",
        section=DATA,
        aliases=("as",),
        resumable=True,
    )
    near_threshold: float = option(
        0.8,
        "Share of common 5-word runs (Jaccard) from which an answer with its task counts as one that is there already, "
        "0.5 to 1.",
        section=DATA,
        ge=0.5,
        le=1,
        resumable=True,
    )
    temperature: float | None = option(
        None,
        "Sampling temperature; by default the model's own, as some models take no other.",
        section=SAMPLING,
        ge=0,
        le=2,
    )
    max_new_tokens: int = option(
        4096,
        "Tokens an answer at most, the model's thoughts included; a longer one is dropped.",
        section=SAMPLING,
        ge=1,
    )
    concurrency: int = option(8, "Requests under way at the same time.", section=RUN, ge=1, le=1024, resumable=True)
    budget: float | None = option(
        None,
        "US dollars that this output may cost, earlier attempts included; no request is begun that could pass it.",
        section=RUN,
        gt=0,
        resumable=True,
    )
    price_per_million: tuple[float, ...] | None = option(
        None,
        "US dollars for a million tokens in and out, such as 0.3,1.2; by default a table's, where it has the model.",
        section=RUN,
        resumable=True,
    )
    timeout_s: float = option(
        600.0, "Seconds after which an answer is given up and asked for again.", section=RUN, gt=0, resumable=True
    )
    attempts: int = option(
        6, "Requests for one answer, when the server fails, before it is left out.", section=RUN, ge=1, resumable=True
    )
    verify: bool = option(
        False, "Keep answers alone that compile, run or pass their tests in the sandbox.", section=VERIFICATION
    )
    verifier: str | None = option(None, "What judges answers; by default the topic's verifier.", section=VERIFICATION)
    verifier_options: dict[str, JsonValue] = option(
        {}, "A setting of the verifier's own, as key=value, over the topic's; may be repeated.", section=VERIFICATION
    )
    seed: int = option(0, "The order of categories, levels and variations follows from it.", section=RUN, ge=0)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend is None and self.base_url is None:
            raise ValueError(
                "who writes? Give --backend deepseek, openai, anthropic or ollama, "
                "or --base-url with the address of a server of OpenAI's protocol"
            )
        if self.backend == "compatible" and self.base_url is None:
            raise ValueError("--backend compatible needs --base-url, such as http://127.0.0.1:8000/v1")
        price = self.price_per_million
        if price is not None and (len(price) != 2 or not all(0 <= part < 1e6 for part in price)):
            raise ValueError("--price-per-million takes two prices in US dollars, in and out, such as 0.3,1.2")
        return self

    @property
    def writer(self) -> Backend:
        """The backend, also where the address alone names it."""
        return self.backend or "compatible"
