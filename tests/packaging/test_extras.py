"""What is installed: little by itself, and every extra alone and beside all others."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
SMALL = 64
SMALL_MB = 700
# Both come with what is in the base already; an extra names them for whoever looks for one.
IN_THE_BASE = {"httpx2", "pillow", "pyarrow"}


def names(requirements: list[str]) -> set[str]:
    """Names of requirements, those of our own extras resolved."""
    found: set[str] = set()
    for requirement in map(Requirement, requirements):
        if requirement.name == "halo-forge":
            found |= {name for extra in requirement.extras for name in names(EXTRAS[extra])}
        else:
            found.add(canonicalize_name(requirement.name))
    return found


def closure(requirements: list[str]) -> set[str]:
    """Everything that requirements bring in here, by what is installed."""
    found: set[str] = set()
    todo = [(Requirement(each), "") for each in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if f"{name}[{wanted}]" not in found:
                found.add(f"{name}[{wanted}]")
                todo += [(Requirement(each), wanted) for each in distribution(name).requires or ()]
    return {each.partition("[")[0] for each in found}


def test_the_base_install_stays_small() -> None:
    base = closure(PROJECT["dependencies"])
    assert len(base) <= SMALL, sorted(base)
    brought = set().union(*(names(requirements) for requirements in EXTRAS.values()))
    assert base & brought <= IN_THE_BASE
    # torch aside, whose size is a matter of its build.
    files = [
        file for name in base - {"torch"} if not name.startswith("nvidia") for file in distribution(name).files or ()
    ]
    assert sum(file.size or 0 for file in files) < SMALL_MB * 1e6


def test_every_extra_is_one_of_features_that_tests_use_or_says_what_to_install() -> None:
    told = " ".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    documented = " ".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    for extra in set(EXTRAS) - {"dev"}:
        assert f"halo-forge[{extra}" in told + documented or f"`{extra}`" in documented, extra


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where no package index answers."""
    asked = pip("download", "--no-deps", "--quiet", "--dest", str(tmp_path_factory.mktemp("nothing")), "simpy==0")
    if "from versions:" not in asked.stderr or "from versions: none" in asked.stderr:
        pytest.skip("no package index answers: " + " ".join(asked.stderr.split())[-200:])


def pip(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600)


@pytest.mark.slow
@pytest.mark.index
@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("extras", [*EXTRAS, ",".join(EXTRAS)], ids=lambda name: "all" if "," in name else name)
def test_every_extra_can_be_installed(extras: str, tmp_path: Path) -> None:
    # constraints.txt names the versions that are tested, among which trackio does not fit (it wants pillow below 13);
    # what is asked here is whether our own requirements go together, on the torch that there is.
    kept = tmp_path / "kept.txt"
    kept.write_text(f"torch=={distribution('torch').version}\n")
    report = tmp_path / "report.json"
    asked = pip(
        *("install", "--dry-run", "--quiet", "--no-build-isolation", "--report", str(report)),
        *("--constraint", str(kept), f".[{extras}]"),
    )
    assert asked.returncode == 0, asked.stderr[-2000:]
    added = {canonicalize_name(each["metadata"]["name"]) for each in json.loads(report.read_text())["install"]}
    wanted = set().union(*(names(EXTRAS[extra]) for extra in extras.split(",")))
    assert all(name in added or _is_installed(name) for name in wanted)
    # Nothing here may change what the others run on.
    assert not {name for name in added if name in ("torch", "transformers", "numpy") or name.startswith("nvidia")}


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
