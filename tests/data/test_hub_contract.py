"""The repositories of the tests are what the Hub's own libraries take for repositories, for every dataset by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_repositories import write_repositories
from hub_server import HubServer, serve_hub

from halo_forge.config.prepare import PrepareConfig
from halo_forge.data.catalog import all_datasets, find_dataset
from halo_forge.data.origin import open_origin
from halo_forge.data.prepare import prepare
from halo_forge.data.tables import read_table

CLIENT = Path(__file__).parent / "contract_client.py"
XLAM = "Salesforce/xlam-function-calling-60k"
DATASETS = [dataset for dataset in all_datasets() if dataset.hub_id]
NAMES = [dataset.name for dataset in DATASETS]
SCRIPTED = {"livecodebench", "speech_commands"}
# What the project promises to know by name.
PROMISED = {
    "code": "codeforces_cpp codeforces_python mbpp humaneval humaneval_plus livecodebench codealpaca magicoder",
    "reasoning": "metamath gsm8k gsm8k_sft math aime",
    "audio": "librispeech librispeech_sft common_voice speech_commands",
    "vlm": "llava textvqa docvqa chartqa realworldqa mathvista",
    "agentic": "xlam xlam_sft glaive glaive_sft hermes",
}


def test_every_name_is_there() -> None:
    known = {dataset.name: dataset for dataset in all_datasets()}
    for domain, names in PROMISED.items():
        assert {known[name].domain for name in names.split()} == {domain}
    assert [name for name, dataset in known.items() if dataset.gated] == ["xlam", "xlam_sft"]
    assert [name for name, dataset in known.items() if not dataset.hub_id] == ["common_voice"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    root = tmp_path_factory.mktemp("hub")
    write_repositories(root)
    with serve_hub(root) as server:
        server.gated.add(XLAM)
        server.branches.add("refs/convert/parquet")
        yield server


def ask(hub: HubServer, home: Path, jobs: list[dict[str, Any]], **environment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(CLIENT), json.dumps(jobs)],
        env={**hub.environment(home), **environment},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def job_for(name: str, hub: HubServer) -> dict[str, Any]:
    """The files that the entry takes for its default split, found in the folder that is served."""
    dataset = find_dataset(name)
    folder = hub.folder("datasets", str(dataset.hub_id))
    patterns = dataset.part(None)[1].files
    matched = next(found for pattern in patterns if (found := sorted(folder.glob(pattern))))
    files = [] if name in SCRIPTED else [str(path.relative_to(folder)) for path in matched]
    return {"hub_id": dataset.hub_id, "files": files, "columns": list(dataset.columns)}


@pytest.fixture(scope="module")
def taken(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    jobs = [job_for(name, hub) for name in NAMES]
    found = ask(hub, tmp_path_factory.mktemp("home"), jobs, HF_TOKEN=hub.token)
    return dict(zip(NAMES, found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_hubs_libraries_take_the_repository(name: str, hub: HubServer, taken: dict[str, dict[str, Any]]) -> None:
    found = taken[name]
    source = hub.folder("datasets", str(find_dataset(name).hub_id))
    copy = Path(found["snapshot"])
    assert copy.name == hub.revision(source)
    paths = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    assert paths and all((copy / path).read_bytes() == (source / path).read_bytes() for path in paths)
    if name not in SCRIPTED:
        assert found["rows"][0] == found["rows"][1] > 0
        assert found["lacking"] == []


def test_a_gated_repository_is_given_to_nobody_else(hub: HubServer, tmp_path: Path) -> None:
    job = {"hub_id": XLAM, "files": [], "columns": []}
    assert ask(hub, tmp_path / "home", [job], HF_TOKEN="hf_of_somebody_else") == [{"error": "GatedRepoError"}]


@pytest.mark.hub
@pytest.mark.parametrize("name", NAMES)
def test_the_live_repository_has_the_columns(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Read a few rows of the real one: `pytest -m hub tests/data/test_hub_contract.py`; HF_TOKEN opens gated ones."""
    if "hub" not in str(request.config.getoption("-m")).split():
        pytest.skip("asks the real Hub: give -m hub")
    dataset = find_dataset(name)
    split, part = dataset.part(None)
    origin = open_origin(dataset, split, part, dataset.revision, tmp_path)
    with origin.files[0].opened() as file:
        _, row = next(read_table(file, origin.files[0].name))
    assert {*dataset.columns} <= {*row}
    if not dataset.media_root:
        rows = prepare(PrepareConfig(dataset=name, output=tmp_path / "rows.jsonl", max_samples=3))
        assert rows.counts.kept == 3 and rows.revision == origin.revision
