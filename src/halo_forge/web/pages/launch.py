"""The form of a command, made from its schema and checked as one types, and what starts a run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from halo_forge.config.load import Loaded, fitting_schemas
from halo_forge.config.options import CommandConfig
from halo_forge.config.prepare import PrepareConfig
from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.errors import ConfigError, HaloError
from halo_forge.runs.prepare import prepare_run
from halo_forge.runs.relaunch import COMMANDS
from halo_forge.runs.run_dir import read_launch
from halo_forge.web.checking import REQUIRED, WHOLE_FORM, Checked, check, check_values, needs
from halo_forge.web.forms import as_texts, equivalent_command, is_default, sections
from halo_forge.web.pages.actions import queue_of
from halo_forge.web.pages.choose import LAUNCHED, PREPARE, STARTED, TITLES
from halo_forge.web.responses import attachment
from halo_forge.web.settings import STATE_FOLDER
from halo_forge.web.site import Site, form_of, site_of

C = TypeVar("C", bound=CommandConfig)


def show(request: Request) -> Response:
    """An empty form, or one filled from a preset (`?preset=`) or a run (`?from=`)."""
    site, command = site_of(request), _command(request)
    texts, origin = _of_query(request, command), ""
    if run_id := request.query_params.get("from"):
        texts, origin = _of_run(site, command, run_id)
    elif name := request.query_params.get("preset"):
        texts, origin = _of_preset(site, command, name)
    _propose_output(site, command, texts)
    # A form that was filled says at once what is still missing; an empty one waits until something is typed.
    checked = _checked(site, command, texts)[0] if origin else None
    return _form(request, command, texts, checked, origin)


def launch(request: Request) -> Response:
    """Check the form, put the run on record and into the queue."""
    site, command = site_of(request), _command(request)
    if command not in STARTED:
        raise ConfigError(f"halo-forge {command} is started in a terminal: copy the command")
    texts = form_of(request)
    checked, output = _checked(site, command, texts)
    if checked.config is None or output is None:
        return _form(request, command, texts, checked, "", status=422)
    try:
        if isinstance(checked.config, PrepareConfig):
            site.preparations.start(_loaded(checked.config))
            return RedirectResponse("/datasets", 303)
        line = equivalent_command(command, checked.config)
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
    _propose_output(site, command, texts)
    checked = _checked(site, command, texts)[0]
    if unknown := problems.get(WHOLE_FORM):
        checked = Checked(None, checked.values, {**checked.problems, WHOLE_FORM: unknown})
    return _form(request, command, texts, checked, "the YAML you gave", status=422 if problems else 200)


def _propose_output(site: Site, command: str, texts: dict[str, str]) -> None:
    """Name a folder for the run that is not taken yet, or a file for the rows."""
    if command in LAUNCHED:
        texts.setdefault("output", free_folder(site.settings.runs_root, command))
    elif command == PREPARE and texts.get("dataset"):
        texts.setdefault("output", f"data/{Path(texts['dataset']).stem}.jsonl")


def free_folder(root: Path, command: str) -> str:
    """A name below the root that is not taken yet."""
    stem = f"{command.split()[0]}-{time.strftime('%Y%m%d')}"
    number = 1
    while (root / f"{stem}-{number}").exists():
        number += 1
    return str(root / f"{stem}-{number}")


def _form(
    request: Request, command: str, texts: Mapping[str, str], checked: Checked | None, origin: str, status: int = 200
) -> Response:
    site, schema = site_of(request), SCHEMAS[command]
    needed = needs(schema)
    return site.page(
        request,
        "form.html",
        status,
        title=TITLES.get(command, command),
        command=command,
        slug=command.replace(" ", "-"),
        lead=str(schema.__doc__).partition("\n")[0],
        launched=command in STARTED,
        sections=sections(schema, needed),
        needed=needed,
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
    """Validate a form; what is started has to stay below the root of the runs, or below the page's own folder."""
    if command not in STARTED:
        return check(SCHEMAS[command], texts), None
    root = site.home if command == PREPARE else site.settings.runs_root
    output, problem = _below(root, texts.get("output", ""))
    if output is not None and command == PREPARE and output.suffix != ".jsonl":
        output, problem = None, "Give a name that ends in .jsonl"
    checked = check(SCHEMAS[command], {**texts, "output": "" if output is None else str(output)})
    if output is None:
        return Checked(None, checked.values, {**checked.problems, "output": problem}), None
    return checked, output


def _below(root: Path, text: str) -> tuple[Path | None, str]:
    """Read where something is to be made; a relative path counts from the root."""
    if not text.strip():
        return None, REQUIRED
    if "\0" in text:
        return None, "That is no name of a file or folder"
    output = (root / Path(text.strip())).resolve()
    if output == root.resolve() or not output.is_relative_to(root.resolve()):
        return None, f"Choose a place below {root}"
    inside = output.relative_to(root.resolve()).parts
    if any(part.startswith(".") or part == STATE_FOLDER for part in inside):
        return None, "Choose a place that is not hidden"
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


def _loaded(config: C) -> Loaded[C]:
    settings = config.model_dump(mode="json")
    fields = type(config).model_fields
    return Loaded(config, {k: "default" if is_default(f, settings[k]) else "form" for k, f in fields.items()})


ROUTES = [
    Route("/new/{slug}", show),
    Route("/new/{slug}", launch, methods=["POST"]),
    Route("/new/{slug}/check", check_form, methods=["POST"]),
    Route("/new/{slug}/export", export, methods=["POST"]),
    Route("/new/{slug}/fill", fill, methods=["POST"]),
]
