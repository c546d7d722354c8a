"""Training and Benchmark: the commands there are."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from halo_forge.config.domains import DOMAINS, Domain
from halo_forge.config.schemas import SCHEMAS
from halo_forge.runs.relaunch import kind_made_by
from halo_forge.web.site import site_of

LAUNCHED = frozenset(name for name in SCHEMAS if kind_made_by(name))
"""Commands that make a run."""
PREPARE = "data prepare"
STARTED = LAUNCHED | {PREPARE}
"""Commands that the page starts; the form of another makes a command to copy."""
TITLES = {
    "sft train": "Supervised fine-tuning",
    "raft train": "RAFT cycles",
    "benchmark run": "Benchmark on your prompts",
    "benchmark eval": "Benchmark by name",
    "benchmark full": "Course of a RAFT run",
    "verify": "Verdicts on a file of completions",
    "serve": "Serve a model to a run",
    "demo": "Demo",
    "data prepare": "Prepare a dataset",
    **{f"{domain.name} sft": f"Supervised fine-tuning, {domain.name}" for domain in DOMAINS},
    **{f"{domain.name} train": f"RAFT cycles, {domain.name}" for domain in DOMAINS},
    **{f"{domain.name} benchmark": f"Benchmark, {domain.name}" for domain in DOMAINS},
}


def _heading(domain: Domain) -> str:
    return domain.help.partition(":")[0]


# Page -> heading -> commands.
GROUPS = {
    "Training": {
        "": ("sft train", "raft train", "demo", "serve"),
        **{_heading(domain): (f"{domain.name} sft", f"{domain.name} train") for domain in DOMAINS},
    },
    "Benchmark": {
        "": ("benchmark run", "benchmark full", "benchmark eval", "verify"),
        **{_heading(domain): (f"{domain.name} benchmark",) for domain in DOMAINS},
    },
}


@dataclass(frozen=True)
class Offer:
    """A command one may choose."""

    command: str
    title: str
    help: str
    launched: bool

    @property
    def slug(self) -> str:
        """Its part of an address."""
        return self.command.replace(" ", "-")


def choose_training(request: Request) -> Response:
    """The kinds of training."""
    return _choose(request, "Training", "Make a model better: on examples, then on what it gets right by itself.")


def choose_benchmark(request: Request) -> Response:
    """The kinds of measuring."""
    return _choose(request, "Benchmark", "Measure what a model can do, with intervals that say how sure that is.")


def _choose(request: Request, group: str, lead: str) -> Response:
    offers = {heading: [_offer(name, heading) for name in names] for heading, names in GROUPS[group].items()}
    return site_of(request).page(request, "choose.html", title=group, lead=lead, offers=offers)


def _offer(name: str, heading: str) -> Offer:
    title = TITLES[name].partition(",")[0] if heading else TITLES[name]  # the heading says the domain
    return Offer(name, title, str(SCHEMAS[name].__doc__).partition("\n")[0], name in STARTED)


ROUTES = [Route("/train", choose_training), Route("/benchmark", choose_benchmark)]
