"""Verifiers: paste a program, choose what judges it, and see the verdict stage by stage."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from threading import BoundedSemaphore

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from halo_forge.core.errors import EnvironmentFault, HaloError
from halo_forge.core.plugins import VERIFIERS, verifier_config
from halo_forge.core.types import Stage, Verdict
from halo_forge.web.site import form_of, site_of

LIMIT_S = 180
_AT_ONCE = BoundedSemaphore(2)


@dataclass(frozen=True)
class Offer:
    """A verifier that is installed."""

    name: str
    help: str


def show(request: Request) -> Response:
    """Draw the form."""
    return _page(request, {"verifier": "gcc"}, None, "")


def judge(request: Request) -> Response:
    """Judge a program in a process of its own, as `halo-forge verify` does."""
    texts = form_of(request)
    if not texts.get("program", "").strip():
        return _page(request, texts, None, "Paste a program first.", 422)
    if texts.get("verifier") not in {offer.name for offer in _offers()}:
        return _page(request, texts, None, "Choose a verifier.", 422)
    if not _AT_ONCE.acquire(timeout=LIMIT_S):
        raise EnvironmentFault("other programs are being judged; try again in a minute")
    try:
        verdict, said = _judge(texts)
    finally:
        _AT_ONCE.release()
    return _page(request, texts, verdict, said, 200 if verdict else 422)


def _judge(texts: dict[str, str]) -> tuple[Verdict | None, str]:
    with tempfile.TemporaryDirectory(prefix="halo-forge-") as name:
        folder = Path(name)
        (folder / "program").write_text(texts["program"].replace("\r\n", "\n"), encoding="utf-8")
        command = [sys.executable, "-m", "halo_forge", "verify", str(folder / "program"), "--json"]
        command += ["--verifier", texts["verifier"]]
        if tests := texts.get("tests", "").replace("\r\n", "\n").strip():
            file = folder / ("tests.json" if tests[:1] in "[{" else "tests.txt")
            file.write_text(tests, encoding="utf-8")
            command += ["--tests", str(file)]
        if entry := texts.get("entry_point", "").strip():
            command += [f"--entry-point={entry}"]
        for line in texts.get("options", "").splitlines():
            command += [f"--verifier-option={line.strip()}"] if line.strip() else []
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None, f"there was no verdict within {LIMIT_S} s"
    try:
        return Verdict.model_validate(json.loads(done.stdout)), ""
    except (ValueError, ValidationError):
        words = [line for line in done.stderr.splitlines() if line.strip()]
        said = words[-1].removeprefix("halo-forge: ") if words else f"exit code {done.returncode}"
        return None, said.replace(str(folder), "")


def _page(request: Request, texts: dict[str, str], verdict: Verdict | None, said: str, status: int = 200) -> Response:
    return site_of(request).page(
        request,
        "verifiers.html",
        status,
        title="Verifiers",
        offers=_offers(),
        texts=texts,
        verdict=verdict,
        said=said,
        steps=[] if verdict is None else _steps(verdict),
    )


def _steps(verdict: Verdict) -> list[tuple[str, str]]:
    """Each stage and how it went: passed, failed, unverified or not reached."""
    stages = list(Stage)
    last = stages.index(verdict.stage)
    ended = "unverified" if verdict.reward is None else "passed" if verdict.passed else "failed"
    return [
        (str(stage), "passed" if place < last else ended if place == last else "not reached")
        for place, stage in enumerate(stages)
    ]


def _offers() -> list[Offer]:
    offers = []
    for entry in sorted(entry_points(group=VERIFIERS), key=lambda entry: entry.name):
        try:
            schema = type(verifier_config(entry.name, {}))
        except HaloError:  # it cannot do without options
            schema = entry.load()
        except (ImportError, AttributeError):
            continue
        offers.append(Offer(entry.name, (schema.__doc__ or "").strip().partition("\n")[0]))
    return offers


ROUTES = [Route("/verifiers", show), Route("/verifiers", judge, methods=["POST"])]
