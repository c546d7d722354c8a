"""One HTML page a run: everything inlined, nothing fetched, every foreign text escaped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from halo_forge.core.words import NONE, count, duration
from halo_forge.report.benchmark_sections import benchmark_body
from halo_forge.report.blocks import Body, Section, Table
from halo_forge.report.demo_sections import demo_body
from halo_forge.report.full_sections import full_body
from halo_forge.report.raft_sections import raft_body
from halo_forge.report.read import RunView, read_run
from halo_forge.report.sft_sections import sft_body
from halo_forge.report.style import PALETTE
from halo_forge.report.wording import moment, visible
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.run_dir import PLOTS_FOLDER, REPORT_FILE
from halo_forge.runs.summary import BenchmarkSummary, RaftSummary

KINDS: dict[str, tuple[str, Callable[[RunView, Path], Body]]] = {
    "sft": ("Supervised fine-tuning", sft_body),
    "raft": ("RAFT", raft_body),
    "benchmark": ("Benchmark", benchmark_body),
    "full": ("Course of a RAFT run", full_body),
    "demo": ("Demo", demo_body),
}


def write_report(run_folder: Path) -> Path:
    """Write `report.html` and `plots/*.png` of a run, whatever of it is there yet.

    Returns:
        The page's path; it is replaced as a whole.

    Raises:
        DataError: the folder holds no run, or one of its files is broken.
    """
    run = read_run(run_folder)
    kind, build = KINDS.get(run.context.kind, (run.context.kind, _plain_body))
    body = build(run, run_folder / PLOTS_FOLDER)
    environment = Environment(
        loader=PackageLoader("halo_forge.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("template.html.j2").render(
        title=f"{visible(kind)}: {visible(run.model)}",
        body=body,
        facts=_facts(run, kind),
        finished=run.finished,
        ending=run.ending,
        progress="" if run.history.progress is None else visible(str(run.history.progress)),
        sections=(*body.sections, _notices(run), _settings(run), _origin(run)),
        palette=PALETTE,
    )
    path = run_folder / REPORT_FILE
    write_atomically(path, page)
    return path


def _plain_body(run: RunView, plots: Path) -> Body:
    return Body("This kind of run has no figures of its own here.", (), ())


def _facts(run: RunView, kind: str) -> tuple[tuple[str, str], ...]:
    facts = [("Kind", kind), ("Model", run.model)]
    if verifier := run.param("verifier"):
        facts.append(("Verifier", verifier))
    taken = duration(run.history.wall_s)
    if len(run.history.attempts) > 1:
        taken += f" of work, in {len(run.history.attempts)} attempts"
    facts += [
        ("Seed", str(run.seed)),
        ("Started", moment(run.context.created_at)),
        ("Took", taken),
        ("Ended", run.ending),
        ("Run", run.context.run_id),
    ]
    return tuple((name, visible(value)) for name, value in facts)


def _notices(run: RunView) -> Section:
    title = "Notices"
    if not run.history.notices:
        return Section(title, empty="None: nothing was adjusted, dropped or substituted.")
    rows = tuple((visible(message), f"{times:,}") for message, times in run.history.notices.items())
    return Section(title, tables=(Table("What was adjusted, dropped or substituted", ("Notice", "Times"), rows),))


def _settings(run: RunView) -> Section:
    title = "Settings"
    if not run.settings:
        return Section(title, empty="The run folder holds no config.yaml.", folded=True)
    given = sum(setting.origin != "default" for setting in run.settings)
    text = (f"{count(given, 'setting')} of {len(run.settings)} were given; the others are defaults.",)
    tables = []
    for name in dict.fromkeys(setting.section for setting in run.settings):
        rows = tuple((s.name, s.value, visible(s.origin)) for s in run.settings if s.section == name)
        tables.append(Table(name, ("Setting", "Value", "Origin"), rows, numeric=False))
    return Section(title, text, tables=tuple(tables), folded=True)


def _verifier(run: RunView) -> str:
    if isinstance(run.summary, RaftSummary | BenchmarkSummary):
        return visible(f"{run.summary.verifier}: {run.summary.verifier_version}")
    return visible(run.param("verifier") or NONE)


def _origin(run: RunView) -> Section:
    context = run.context
    launch = (
        ("Command", visible(" ".join(context.argv)) or NONE),
        ("Working folder", visible(context.cwd)),
        ("Output", visible(context.output_dir)),
        ("Hash of the settings", context.config_hash),
        ("Sandbox", context.sandbox_tier or NONE),
        ("Verifier", _verifier(run)),
        *((name, visible(value)) for name, value in context.environment.items()),
    )
    tables = [
        Table("Launch", ("What", "Value"), launch, numeric=False),
        Table("Versions", ("Package", "Version"), tuple(context.versions.items()), numeric=False),
    ]
    if context.inputs:
        rows = tuple(
            (name, visible(f.path), NONE if f.rows is None else f"{f.rows:,}", f.sha256)
            for name, f in context.inputs.items()
        )
        tables.append(Table("Inputs", ("Input", "File", "Rows", "SHA-256"), rows, numeric=False))
    return Section("Versions and inputs", tables=tuple(tables), folded=True)
