"""Every dataset of the catalogue is prepared from a Hub that holds its repository with the real one's columns."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hub_repositories import ROWS, png, write_repositories
from hub_server import HubServer, serve_hub

from halo_forge.data import load_conversations, load_prompts
from halo_forge.data.catalog import all_datasets, find_dataset
from halo_forge.data.sidecar import hash_content, read_sidecar

CLIENT = Path(__file__).parent / "prepare_client.py"
XLAM = "Salesforce/xlam-function-calling-60k"
NAMES = [dataset.name for dataset in all_datasets() if dataset.hub_id]
# Their repositories hold a loading script, at which the `datasets` library gives up even where it has other files.
SCRIPTED = {"livecodebench", "speech_commands"}
Client = Callable[..., list[dict[str, Any]]]


class Prepared(NamedTuple):
    """What one process made of every dataset."""

    folder: Path
    results: dict[str, dict[str, Any]]
    requests: list[str]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    root = tmp_path_factory.mktemp("hub")
    write_repositories(root)
    with serve_hub(root) as server:
        server.gated.add(XLAM)
        server.branches.add("refs/convert/parquet")
        yield server


@pytest.fixture(scope="module")
def client(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Client:
    home = tmp_path_factory.mktemp("home")

    def run(*jobs: dict[str, Any], **environment: str) -> list[dict[str, Any]]:
        text = json.dumps([{key: str(v) if isinstance(v, Path) else v for key, v in job.items()} for job in jobs])
        done = subprocess.run(
            [sys.executable, str(CLIENT), text],
            env={**hub.environment(home), "HF_TOKEN": hub.token, **environment},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    return run


@pytest.fixture(scope="module")
def prepared(hub: HubServer, client: Client, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Prepare all that has a repository, each compared with what the `datasets` library streams."""
    folder = tmp_path_factory.mktemp("prepared")
    for number in range(ROWS):
        (folder / f"00{number}.png").write_bytes(png(number))
    hub.requests.clear()
    jobs = [{"dataset": name, "output": folder / f"{name}.jsonl", "compare": name not in SCRIPTED} for name in NAMES]
    jobs[NAMES.index("llava")]["media_root"] = folder
    results = client(*jobs)
    return Prepared(folder, dict(zip(NAMES, results, strict=True)), list(hub.requests))


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_comes_from_its_repository(name: str, prepared: Prepared, hub: HubServer) -> None:
    dataset, found, path = find_dataset(name), prepared.results[name], prepared.folder / f"{name}.jsonl"
    if dataset.domain == "audio":
        pytest.importorskip("soundfile")
    assert "error" not in found, found["text"]
    assert found["source"] == dataset.hub_id
    assert found["revision"] == hub.revision(hub.folder("datasets", str(dataset.hub_id)))
    assert found["licence"] == dataset.licence
    counts = found["counts"]
    assert counts["read"] == counts["kept"] + sum(counts["dropped"].values())
    assert found["compared"] == (None if name in SCRIPTED else counts["read"])
    assert found["sha256"] == hash_content(path)
    sidecar = read_sidecar(path)
    assert sidecar is not None and sidecar.counts.kept == counts["kept"]
    rows: list[Any]
    if dataset.use == "sft":
        rows = load_conversations(path).conversations
    else:
        rows = load_prompts(path)
        assert all(row.reference != type(row.reference)() for row in rows)
    assert len(rows) == counts["kept"] > 0
    for message in (message for row in rows for message in row.messages if dataset.media):
        assert all(Path(part.path).is_file() and hash_content(Path(part.path)) == part.sha256 for part in message.media)
    assert found["media"] == (0 if dataset.media_root or not dataset.media else counts["kept"])


def test_what_is_left_out_is_counted(prepared: Prepared) -> None:
    dropped = {name: result["counts"]["dropped"] for name, result in prepared.results.items()}
    assert dropped["codeforces_cpp"] == {"that the dataset's entry leaves out": 2}
    assert dropped["metamath"] == {"that the dataset's entry leaves out": 1}
    others = {name for name, reasons in dropped.items() if reasons}
    assert others == {
        "codeforces_cpp",
        "codeforces_python",
        "metamath",
        "xlam",
        "xlam_sft",
        "glaive",
        "glaive_sft",
    }


@pytest.mark.parametrize("name", ["xlam", "glaive"])
def test_parts_by_tool_set_share_nothing(name: str, prepared: Prepared, client: Client, tmp_path: Path) -> None:
    out = tmp_path / "test.jsonl"
    client({"dataset": name, "split": "test", "output": out})
    sets = [
        {
            tuple(tool["function"]["name"] for tool in json.loads(line)["tools"])
            for line in path.read_text().splitlines()
        }  # type: ignore[misc]
        for path in (prepared.folder / f"{name}_sft.jsonl", prepared.folder / f"{name}.jsonl", out)
    ]
    assert not sets[0] & sets[1] and not sets[1] & sets[2] and not sets[0] & sets[2]
    assert sum(len(names) for names in sets) == 60


def test_only_the_files_of_the_split_are_asked_for(prepared: Prepared) -> None:
    asked = {
        request.rpartition("/resolve/")[2]
        for request in prepared.requests
        if "/resolve/" in request and request.startswith("GET")
    }
    files = {path.partition("/")[2] for path in asked if not path.endswith("README.md")}
    assert "main/train-00000-of-00001.parquet" in files
    assert not any(name in path for path in files for name in ("socratic", "other.json", "func-calling.json", ".py"))
    assert not any(path.startswith("data/test-00000-of-00020") for path in files)


def test_humaneval_rows_are_taken_as_they_are(prepared: Prepared) -> None:
    from halo_forge.config.shared import VerifierOptions
    from halo_forge.core.protocols import Submission
    from halo_forge.rollout.checking import open_checker

    prompts = load_prompts(prepared.folder / "humaneval.jsonl")
    right = [Submission(p, f"```python\n{p.reference.stub}{p.reference.solution}```") for p in prompts]
    wrong = [Submission(p, f"```python\n{p.reference.stub}    return n * 3\n```") for p in prompts]
    with open_checker(VerifierOptions(verifier="humaneval", cache=False, workers=2)) as checker:
        verdicts = [future.result(60) for future in checker.submit([*right, *wrong])]
    assert [verdict.passed for verdict in verdicts] == [True] * len(right) + [False] * len(wrong)


def test_filters_draws_and_system_turns(client: Client, tmp_path: Path) -> None:
    jobs: list[dict[str, Any]] = [
        {"dataset": "livecodebench", "filters": {"contest_date": ">=2024-02-15", "difficulty": ["easy", "hard"]}},
        {"dataset": "gsm8k", "max_samples": 2},
        {"dataset": "gsm8k", "max_samples": 2, "seed": 1},
        {"dataset": "gsm8k", "max_samples": 4, "seed": 1, "system_prompt": "Be brief."},
        {"dataset": "codealpaca", "template": "chatml"},
        {"dataset": "textvqa", "max_samples": 3, "seed": 5},
        {"dataset": "chartqa", "filters": {"human_or_machine": "human"}},
        {"dataset": "codeforces_cpp", "use": "rlvr"},
    ]
    paths = [tmp_path / f"{number}.jsonl" for number in range(len(jobs))]
    results = client(*({**job, "output": path} for job, path in zip(jobs, paths, strict=True)))
    assert not [result for result in results if "error" in result]
    late, first, drawn, more = (load_prompts(path) for path in paths[:4])
    assert [prompt.id for prompt in late] == ["lcb-abc2_a", "lcb-abc3_a"]
    assert [prompt.id for prompt in first] == ["gsm8k-0", "gsm8k-1"]
    assert {prompt.id for prompt in drawn} < {prompt.id for prompt in more}
    assert len(more) == 4 and all(prompt.messages[0].text == "Be brief." for prompt in more)
    assert results[3]["counts"] == {"read": ROWS, "kept": 4, "dropped": {"not drawn": 2}, "mended": {}, "noted": {}}
    assert json.loads(paths[4].read_text().splitlines()[0])["text"].startswith("<|im_start|>user\nPrint 0.<|im_end|>")
    assert len(list((tmp_path / "5.jsonl.media").iterdir())) == results[5]["media"] == 3
    assert {prompt.group for prompt in load_prompts(paths[6])} == {"human"}
    assert load_prompts(paths[7])[0].reference.cases[0].input == "1\n"


def test_the_same_command_finds_its_file_and_another_does_not(client: Client, tmp_path: Path) -> None:
    job = {"dataset": "gsm8k", "output": tmp_path / "rows.jsonl"}
    once, again, other = client(job, job, {**job, "split": "test"})
    assert once == again
    assert other["error"] == "RunConflictError"
    assert "holds gsm8k, split train, made with other settings" in other["text"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "rows.jsonl.meta.json"]


def test_errors_say_what_to_do(hub: HubServer, client: Client, tmp_path: Path) -> None:
    out, own = tmp_path / "rows.jsonl", tmp_path / "own.yaml"
    own.write_text("hub_id: nobody/nothing\ncolumns: {prompt: a}\nuse: rlvr\n", encoding="utf-8")
    scripted = tmp_path / "scripted.yaml"
    scripted.write_text("hub_id: some-one/scripted\ncolumns: {prompt: a}\nuse: rlvr\n", encoding="utf-8")
    folder = hub.folder("datasets", "some-one/scripted")
    folder.mkdir(parents=True)
    (folder / "scripted.py").write_text("raise SystemExit", encoding="utf-8")
    drifted = tmp_path / "drifted.yaml"
    drifted.write_text(
        "hub_id: openai/gsm8k\nfiles: main/train-*.parquet\ncolumns: {prompt: problem}\n", encoding="utf-8"
    )
    found = client(
        {"dataset": "gsm8k", "split": "dev", "output": out},
        {"dataset": "gsm8k", "revision": "v9", "output": out},
        {"dataset": str(own), "output": out},
        {"dataset": str(scripted), "output": out},
        {"dataset": str(drifted), "output": out},
        {"dataset": "gsm8k", "filters": {"level": 3}, "output": out},
        {"dataset": "mozilla-foundation/common_voice_11_0", "output": out},
        {"dataset": "llava", "output": out},
        {"dataset": "metamath", "filters": {"type": "none"}, "output": out},
    )
    expected = [
        "dataset 'gsm8k' has no split 'dev': choose one of train, test",
        "openai/gsm8k has no revision 'v9': ",
        f"there is no dataset at {hub.url}/datasets/nobody/nothing, or it is private: it was moved or removed; set HF_",
        "is made by a loading script (scripted.py), which is not run: take the Hub's own conversion with --revision",
        "lacks problem among its columns, now question, answer: give an older --revision",
        "lacks level among its columns, now question, answer",
        "Common Voice left the Hub in October 2025",
        "gave no row to keep: 6 whose image is a file that --media-root does not name",
        "gave no row to keep: 6 that the filter leaves out",
    ]
    for result, text in zip(found, expected, strict=True):
        assert text in result["text"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drifted.yaml", "own.yaml", "scripted.yaml"]


def test_no_token_no_network(hub: HubServer, client: Client, tmp_path: Path) -> None:
    job = {"dataset": "xlam", "output": tmp_path / "rows.jsonl"}
    (gated,) = client(job, HF_TOKEN="hf_of_somebody_else")
    assert gated["text"] == (
        f"{XLAM} is gated: accept its terms at {hub.url}/datasets/{XLAM}, then set HF_TOKEN to a token of that account"
    )
    (alone,) = client(job, HF_ENDPOINT="http://127.0.0.1:9")
    assert alone["text"].startswith(f"cannot reach http://127.0.0.1:9 for {XLAM}: check the connection")
    (offline,) = client(job, HF_HUB_OFFLINE="1")
    assert offline["text"].startswith(f"HF_HUB_OFFLINE forbids to fetch {XLAM}")


def test_a_snapshot_is_whole(hub: HubServer, tmp_path: Path) -> None:
    fetch = "import sys, huggingface_hub; print(huggingface_hub.snapshot_download(sys.argv[1], repo_type='dataset'))"
    done = subprocess.run(
        [sys.executable, "-c", fetch, "lmms-lab/textvqa"],
        env=hub.environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    source, copy = hub.folder("datasets", "lmms-lab/textvqa"), Path(done.stdout.strip())
    names = sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.is_file())
    assert [(copy / name).read_bytes() for name in names] == [(source / name).read_bytes() for name in names]
