"""Training and Benchmark: forms made from the schemas, checked as one types, and what starts a run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from halo_forge.config.load import Loaded, fitting_schemas
from halo_forge.config.options import CommandConfig
from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.errors import ConfigError, HaloError
from halo_forge.runs.prepare import prepare_run
from halo_forge.runs.relaunch import COMMANDS
from halo_forge.runs.run_dir import read_launch
from halo_forge.web.forms import (
    WHOLE_FORM,
    Checked,
    as_texts,
    check,
    check_values,
    equivalent_command,
    is_default,
    sections,
)
from halo_forge.web.pages.actions import queue_of
from halo_forge.web.responses import attachment
from halo_forge.web.settings import STATE_FOLDER
from halo_forge.web.site import Site, form_of, site_of

LAUNCHED = frozenset(COMMANDS.values())
TITLES = {
    "sft train": "Supervised fine-tuning",
    "raft train": "RAFT cycles",
    "benchmark run": "Benchmark on your prompts",
    "benchmark eval": "Benchmark by name",
    "benchmark full": "Course of a RAFT run",
    "verify": "Verdicts on a file of completions",
    "serve": "Serve a model to a run",
    "demo": "Demo",
}
GROUPS = {
    "Training": ("sft train", "raft train", "demo", "serve"),
    "Benchmark": ("benchmark run", "benchmark full", "benchmark eval", "verify"),
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


def show(request: Request) -> Response:
    """An empty form, or one filled from a preset (`?preset=`) or a run (`?from=`)."""
    site, command = site_of(request), _command(request)
    texts, origin = _of_query(request, command), ""
    if run_id := request.query_params.get("from"):
        texts, origin = _of_run(site, command, run_id)
    elif name := request.query_params.get("preset"):
        texts, origin = _of_preset(site, command, name)
    texts.setdefault("output", free_folder(site.settings.runs_root, command))
    return _form(request, command, texts, None, origin)


def launch(request: Request) -> Response:
    """Check the form, put the run on record and into the queue."""
    site, command = site_of(request), _command(request)
    if command not in LAUNCHED:
        raise ConfigError(f"halo-forge {command} is started in a terminal: copy the command")
    texts = form_of(request)
    checked, output = _checked(site, command, texts)
    if checked.config is None or output is None:
        return _form(request, command, texts, checked, "", status=422)
    line = equivalent_command(command, checked.config)
    try:
        run_id = prepare_run(command, _loaded(checked.config), output, (line,))
    except HaloError as error:
        problem = Checked(None, checked.values, {"output": str(error)})
        return _form(request, command, texts, problem, "", status=422)
    queue_of(request).submit(output)
    return RedirectResponse(f"/runs/{run_id}", 303)


def check_form(request: Request) -> Response:
    """Say what is wrong with a form, and the command that does the same."""
    site, command = site_of(request), _command(request)
    checked, _ = _checked(site, command, form_of(request))
    line = "" if checked.config is None else equivalent_command(command, checked.config)
    return JSONResponse({"problems": checked.problems, "command": line})


def export(request: Request) -> Response:
    """Give the form as a file for `--config`."""
    site, command = site_of(request), _command(request)
    texts = form_of(request)
    checked, _ = _checked(site, command, texts)
    if checked.config is None:
        return _form(request, command, texts, checked, "", status=422)
    return attachment(_loaded(checked.config).to_yaml(), f"{command.replace(' ', '-')}.yaml", "application/yaml")


def fill(request: Request) -> Response:
    """Fill the form from the text of a YAML file."""
    site, command = site_of(request), _command(request)
    texts, problems = _of_yaml(SCHEMAS[command], form_of(request).get("yaml", ""))
    texts.setdefault("output", free_folder(site.settings.runs_root, command))
    checked = Checked(None, {}, problems) if problems else None
    return _form(request, command, texts, checked, "the YAML you gave", status=422 if problems else 200)


def free_folder(root: Path, command: str) -> str:
    """A name below the root that is not taken yet."""
    stem = f"{command.split()[0]}-{time.strftime('%Y%m%d')}"
    number = 1
    while (root / f"{stem}-{number}").exists():
        number += 1
    return str(root / f"{stem}-{number}")


def _choose(request: Request, group: str, lead: str) -> Response:
    offers = [
        Offer(name, TITLES[name], str(SCHEMAS[name].__doc__).partition("\n")[0], name in LAUNCHED)
        for name in GROUPS[group]
        if name in SCHEMAS
    ]
    return site_of(request).page(request, "choose.html", title=group, lead=lead, offers=offers)


def _form(
    request: Request, command: str, texts: Mapping[str, str], checked: Checked | None, origin: str, status: int = 200
) -> Response:
    site, schema = site_of(request), SCHEMAS[command]
    return site.page(
        request,
        "form.html",
        status,
        title=TITLES.get(command, command),
        command=command,
        slug=command.replace(" ", "-"),
        lead=str(schema.__doc__).partition("\n")[0],
        launched=command in LAUNCHED,
        sections=sections(schema),
        texts=texts,
        problems=checked.problems if checked else {},
        whole=WHOLE_FORM,
        line=equivalent_command(command, checked.config) if checked and checked.config else "",
        presets=[path.stem for path in _presets(site, command)],
        origin=origin,
        names={group: sorted({entry.name for entry in entry_points(group=group)}) for group in _groups(schema)},
    )


def _groups(schema: type[CommandConfig]) -> set[str]:
    return {field.suggestions for section in sections(schema) for field in section.inputs if field.suggestions}


def _command(request: Request) -> str:
    slug = request.path_params["slug"]
    for command in SCHEMAS:
        if command.replace(" ", "-") == slug:
            return command
    raise ConfigError(f"there is no form '{slug}'; there are: {', '.join(name.replace(' ', '-') for name in SCHEMAS)}")


def _checked(site: Site, command: str, texts: Mapping[str, str]) -> tuple[Checked, Path | None]:
    """Validate a form; the folder of a run that is launched has to stay below the root."""
    if command not in LAUNCHED:
        return check(SCHEMAS[command], texts), None
    output, problem = _below(site.settings.runs_root, texts.get("output", ""))
    checked = check(SCHEMAS[command], {**texts, "output": "" if output is None else str(output)})
    if output is None:
        return Checked(None, checked.values, {**checked.problems, "output": problem}), None
    return checked, output


def _below(root: Path, text: str) -> tuple[Path | None, str]:
    """Read the name of a run's folder; a relative one counts from the root."""
    if not text.strip():
        return None, "Required: the folder of the run"
    if "\0" in text:
        return None, "That is no name of a folder"
    output = (root / Path(text.strip())).resolve()
    if output == root.resolve() or not output.is_relative_to(root.resolve()):
        return None, f"Choose a folder below {root}"
    inside = output.relative_to(root.resolve()).parts
    if any(part.startswith(".") or part == STATE_FOLDER for part in inside):
        return None, "Choose a folder that is not hidden"
    return output, ""


def _of_query(request: Request, command: str) -> dict[str, str]:
    """What an address says of the fields, such as `?dataset=codealpaca`."""
    return {key: value[:1_000] for key, value in request.query_params.items() if key in SCHEMAS[command].model_fields}


def _of_run(site: Site, command: str, run_id: str) -> tuple[dict[str, str], str]:
    folder = site.board.find(run_id)
    context = read_launch(folder)
    assert context is not None
    if COMMANDS.get(context.kind) != command:
        raise ConfigError(f"{run_id} is a {context.kind} run, which does not fill the form of {command}")
    schema = SCHEMAS[command]
    given = {
        key: value
        for key, value in context.params.items()
        if key in schema.model_fields and key != "output" and not is_default(schema.model_fields[key], value)
    }
    return as_texts(schema, given), f"run {folder.name}"


def _of_preset(site: Site, command: str, name: str) -> tuple[dict[str, str], str]:
    for path in _presets(site, command):
        if path.stem == name:
            texts, problems = _of_yaml(SCHEMAS[command], path.read_text(encoding="utf-8"))
            if problems:
                raise ConfigError(f"{path}: {'; '.join(problems.values())}")
            return texts, f"preset {name}"
    raise ConfigError(f"there is no preset '{name}' for {command}")


def _of_yaml(schema: type[CommandConfig], text: str) -> tuple[dict[str, str], dict[str, str]]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return {}, {WHOLE_FORM: f"Not valid YAML: {' '.join(str(error).split())}"}
    if not isinstance(content, dict):
        return {}, {WHOLE_FORM: "The YAML must be a mapping of settings such as 'cycles: 5'"}
    try:
        values = schema.unfolded({str(key): value for key, value in content.items()})
    except ValueError as error:
        return {}, {WHOLE_FORM: str(error)}
    known = {schema.key_for(name): value for name, value in values.items()}
    unknown = sorted(name for name in values if schema.key_for(name) is None)
    texts = as_texts(schema, {key: value for key, value in known.items() if key is not None})
    problems = check_values(schema, {key: value for key, value in known.items() if key is not None}).problems
    problems = {key: said for key, said in problems.items() if key in texts}
    if unknown:
        problems[WHOLE_FORM] = f"Unknown settings were left out: {', '.join(unknown)}"
    return texts, problems


def _presets(site: Site, command: str) -> list[Path]:
    found = []
    for path in sorted(site.settings.presets.glob("*.yaml")):
        try:
            if command in fitting_schemas(path):
                found.append(path)
        except HaloError:
            continue  # some other file of YAML
    return found


def _loaded(config: CommandConfig) -> Loaded[CommandConfig]:
    settings = config.model_dump(mode="json")
    fields = type(config).model_fields
    return Loaded(config, {k: "default" if is_default(f, settings[k]) else "form" for k, f in fields.items()})


ROUTES = [
    Route("/train", choose_training),
    Route("/benchmark", choose_benchmark),
    Route("/new/{slug}", show),
    Route("/new/{slug}", launch, methods=["POST"]),
    Route("/new/{slug}/check", check_form, methods=["POST"]),
    Route("/new/{slug}/export", export, methods=["POST"]),
    Route("/new/{slug}/fill", fill, methods=["POST"]),
]
