"""Config: a YAML file of settings, checked as one types, with each message at its line."""

from __future__ import annotations

from typing import NamedTuple

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halo_forge.config.load import known_key
from halo_forge.config.options import CommandConfig
from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.errors import ConfigError
from halo_forge.web.checking import REQUIRED, WHOLE_FORM, check_values
from halo_forge.web.pages.choose import STARTED
from halo_forge.web.responses import attachment
from halo_forge.web.site import form_of, site_of

EXAMPLE = """\
# Settings of `halo-forge raft train`; what is left out keeps its default.
model: Qwen/Qwen2.5-Coder-7B
prompts: data/prompts.jsonl
output: runs/raft-1

verifier: gcc
cycles: 5
samples_per_prompt: 8
temperature: 0.7
keep_fraction: 0.5
"""


class Message(NamedTuple):
    """What is wrong, and at which line (from 1)."""

    line: int
    text: str


def show(request: Request) -> Response:
    """Draw the editor."""
    return site_of(request).page(
        request,
        "config.html",
        title="Config",
        commands=[(name.replace(" ", "-"), name) for name in SCHEMAS],
        launched=[name.replace(" ", "-") for name in STARTED],
        text=EXAMPLE,
        chosen="raft-train",
    )


def validate(request: Request) -> Response:
    """Give the messages on a text."""
    texts = form_of(request)
    messages = messages_on(texts.get("yaml", ""), _schema(texts.get("command", "")))
    return JSONResponse({"messages": [message._asdict() for message in messages]})


def save(request: Request) -> Response:
    """Give the text as a file."""
    texts = form_of(request)
    _schema(texts.get("command", ""))
    return attachment(texts.get("yaml", "").replace("\r\n", "\n"), f"{texts['command']}.yaml", "application/yaml")


def messages_on(text: str, schema: type[CommandConfig]) -> list[Message]:
    """Say everything that is wrong with a file of settings, in the order of its lines."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return [Message(mark.line + 1 if mark else 1, f"Not valid YAML: {error.problem or error.context}")]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return [Message(1, f"Not valid YAML: {' '.join(str(error).split())}")]
    if node is None:
        content, lines = {}, {}
    elif not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        return [Message(1, "This must be a mapping of settings such as 'cycles: 5'")]
    else:
        lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    return sorted(_messages(schema, {str(key): value for key, value in content.items()}, lines))


def _messages(schema: type[CommandConfig], content: dict[str, object], lines: dict[str, int]) -> list[Message]:
    messages: list[Message] = []
    try:
        content = schema.unfolded(content)
    except ValueError as error:
        return [Message(lines.get("cycles", 1), str(error))]
    values: dict[str, object] = {}
    places: dict[str, int] = {}
    for name, value in content.items():
        line = lines.get(name, lines.get("cycles", 1))
        try:
            key = known_key(schema, name, "")
        except ConfigError as error:
            messages.append(Message(line, str(error)))
            continue
        if key in values:
            messages.append(Message(line, f"'{name}' sets {key} a second time; keep one of the two"))
        values[key], places[key] = value, line
    last = max([1, *lines.values()])
    for key, said in check_values(schema, values).problems.items():
        if key == WHOLE_FORM:
            messages.append(Message(1, said))
        elif key in places:
            messages.append(Message(places[key], f"{key}: {said}, but it is {values[key]!r}"[:400]))
        elif said == REQUIRED:
            messages.append(Message(last, f"{key} is missing: {schema.model_fields[key].description}"))
        elif not any(message.text == said for message in messages):  # it is about several settings
            messages.append(Message(last, said))
    return messages


def _schema(slug: str) -> type[CommandConfig]:
    for name, schema in SCHEMAS.items():
        if name.replace(" ", "-") == slug:
            return schema
    raise ConfigError(f"there is no command '{slug[:40]}'; choose one of {', '.join(SCHEMAS)}")


ROUTES = [
    Route("/config", show),
    Route("/config/check", validate, methods=["POST"]),
    Route("/config/save", save, methods=["POST"]),
]
