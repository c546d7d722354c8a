"""Files of rows made from local tables: killed, stopped, filled disks, hostile rows and broken media."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_repositories import png, wav

from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.errors import ConfigError, DataError, EnvironmentFault, Interrupted, RunLockedError
from halo_forge.core.events import Event, EventType
from halo_forge.data import load_conversations, load_prompts, prepare_job, prompts_hash
from halo_forge.data import prepare as prepare_module
from halo_forge.data.ledger import ledger_path, locked
from halo_forge.data.prepare import prepare
from halo_forge.data.sidecar import read_sidecar

# Saves every few rows, so that kills fall between and into many saves.
CLIENT = """
import sys, json
from halo_forge.config.prepare import PrepareConfig
from halo_forge.data import prepare
prepare.ROWS_A_SAVE = 40
prepare.prepare(PrepareConfig.model_validate(json.loads(sys.argv[1])))
"""
Own = Callable[..., Path]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """Write a YAML file that describes a dataset of one's own."""

    def write(name: str = "own.yaml", **content: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
        return path

    return write


def settings(dataset: Path, output: Path, **more: Any) -> PrepareConfig:
    return PrepareConfig.model_validate({"dataset": str(dataset), "output": output, **more})


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500)


def rows_settled(output: Path) -> int:
    try:
        return int(json.loads(ledger_path(output).read_text())["counts"]["read"])
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("more", [{}, {"max_samples": 700, "seed": 3}], ids=["all", "drawn"])
def test_killed_at_random_it_loses_and_doubles_nothing(more: dict[str, Any], own: Own, tmp_path: Path) -> None:
    for part in range(3):
        rows = [{"q": f"question {part} {n} " * 8, "a": f"answer {n}" if n % 7 else ""} for n in range(1_500)]
        parquet(tmp_path / f"part{part}.parquet", rows)
    dataset = own(path="part*.parquet", columns={"prompt": "q", "completion": "a"})
    whole = prepare(settings(dataset, tmp_path / "whole.jsonl", **more))
    given = json.loads(settings(dataset, tmp_path / "killed.jsonl", **more).model_dump_json())
    chance = random.Random(5)
    moments = sorted(chance.sample(range(4_000), 6))
    for moment in moments:
        process = subprocess.Popen([sys.executable, "-c", CLIENT, json.dumps(given)])
        while process.poll() is None and rows_settled(tmp_path / "killed.jsonl") < moment:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    subprocess.run([sys.executable, "-c", CLIENT, json.dumps(given)], check=True, timeout=60)
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    found = read_sidecar(tmp_path / "killed.jsonl")
    assert found is not None and found.counts == whole.counts
    left = {path.name for path in tmp_path.iterdir() if "killed" in path.name}
    assert left == {"killed.jsonl", "killed.jsonl.meta.json"}


def test_a_stop_is_obeyed_and_the_same_command_goes_on(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "a.parquet", [{"q": f"question {n}", "a": "yes"} for n in range(2_000)])
    dataset = own(path="a.parquet", columns={"prompt": "q", "completion": "a"})
    monkeypatch.setattr(prepare_module, "ROWS_A_SAVE", 100)
    monkeypatch.setattr(prepare_module, "TELL_PACE_S", 0.0)

    def interrupt(event: Event) -> None:
        if event.type is EventType.PROGRESS and event.step == 300:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        prepare(settings(dataset, tmp_path / "rows.jsonl"), (interrupt,))
    assert not (tmp_path / "rows.jsonl").exists()
    begun: list[Any] = []
    sidecar = prepare(settings(dataset, tmp_path / "rows.jsonl"), (lambda event: begun.append(event.m.get("done")),))
    assert begun[0] == 300
    assert sidecar.counts.kept == 2_000
    assert [row.id for row in load_conversations(tmp_path / "rows.jsonl").conversations] == [
        f"own-{n}" for n in range(2_000)
    ]


def test_a_source_that_changed_in_between_is_begun_anew(own: Own, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("q,a\n" + "".join(f"question {n},old\n" for n in range(50)), encoding="utf-8")
    dataset = own(path="a.csv", columns={"prompt": "q", "completion": "a"})

    def fail(event: Event) -> None:
        raise ConfigError("something else")

    first = settings(dataset, tmp_path / "rows.jsonl")
    with pytest.raises(ConfigError):
        prepare(first, (lambda event: fail(event) if event.type is EventType.PHASE_FINISHED else None,))
    (tmp_path / "rows.jsonl").unlink(missing_ok=True)
    (tmp_path / "rows.jsonl.meta.json").unlink(missing_ok=True)
    table.write_text("q,a\n" + "".join(f"question {n},new\n" for n in range(60)), encoding="utf-8")
    assert prepare(first).counts.kept == 60
    assert "old" not in (tmp_path / "rows.jsonl").read_text()


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet", "jsonl.gz"])
def test_every_format_gives_the_same_rows(ending: str, own: Own, tmp_path: Path) -> None:
    import gzip

    rows = [{"q": f'Wie geht "{n}"?', "a": f"gut, {n}\u2028"} for n in range(30)]
    path = tmp_path / f"rows.{ending}"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if ending == "jsonl":
        path.write_text("\ufeff" + text.replace("\n", "\r\n"), encoding="utf-8")
    elif ending == "jsonl.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif ending == "json":
        path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    elif ending == "parquet":
        parquet(path, rows)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            quoting: Any = csv.QUOTE_NONE if ending == "tsv" else csv.QUOTE_MINIMAL
            writer = csv.writer(
                file,
                delimiter="\t" if ending == "tsv" else ",",
                quoting=quoting,
                quotechar=None if ending == "tsv" else '"',
            )
            writer.writerows([["q", "a"], *([row["q"], row["a"]] for row in rows)])
    prepare(settings(own(path=path.name, columns={"prompt": "q", "completion": "a"}), tmp_path / "out.jsonl"))
    found = load_conversations(tmp_path / "out.jsonl").conversations
    assert [tuple(m.text for m in row.messages) for row in found] == [(row["q"], row["a"]) for row in rows]


def test_hostile_rows_are_kept_out_with_a_count(own: Own, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"q": "fine", "a": "yes"},
        {"q": "fine", "a": 3},
        {"q": ["list"], "a": "yes"},
        {"q": "half \ud800", "a": "yes"},
        {"q": "", "a": "nobody asks"},
        {"q": "nobody answers", "a": None},
        {"q": "zero \x00 and \x1b", "a": "yes"},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    sidecar = prepare(settings(own(path="a.json", columns={"prompt": "q", "completion": "a"}), tmp_path / "out.jsonl"))
    assert sidecar.counts.dropped == {"that cannot be read": 3, "without text of the user": 1}
    assert sidecar.counts.mended == {"halves of surrogate pairs": 1, "control characters": 1}
    loaded = load_conversations(tmp_path / "out.jsonl")
    assert [row.messages[0].text for row in loaded.conversations] == ["fine", "half \ufffd", "zero  and "]
    assert not loaded.noted


def test_broken_lines_and_endless_ones_are_counted(own: Own, tmp_path: Path) -> None:
    good = json.dumps({"q": "fine", "a": "yes"}).encode()
    long = json.dumps({"q": "x" * (17 << 20), "a": "yes"}).encode()
    lines = [b"\xff\xfe", b"{cut", good, b"[1]", long, b"", good]
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    sidecar = prepare(settings(own(path="a.jsonl", columns={"prompt": "q", "completion": "a"}), tmp_path / "out.jsonl"))
    assert (sidecar.counts.read, sidecar.counts.kept) == (6, 2)
    assert sidecar.counts.dropped == {"that cannot be read": 3, "of more than 16 MiB": 1}


def test_bad_images_are_left_out_and_good_ones_checked(own: Own, tmp_path: Path) -> None:
    tiny, wide = image_of(1, 1), image_of(30_000, 2)
    pictures: list[Any] = [png(1), b"", png(2)[:-30], b"GIF89a-not-really", tiny, wide, png(1), None]
    parquet(tmp_path / "a.parquet", [{"i": {"bytes": p, "path": "x"}, "q": "What?", "a": "7"} for p in pictures])
    dataset = own(path="a.parquet", domain="vlm", use="rlvr", columns={"image": "i", "prompt": "q", "answer": "a"})
    sidecar = prepare(settings(dataset, tmp_path / "out.jsonl"))
    assert sidecar.counts.kept == 2
    assert sidecar.counts.dropped == {
        "with empty image": 1,
        "with a broken image": 2,
        "with an image of less than 2 pixels a side": 1,
        "with an image of more than 20,000 pixels a side, or too many in all": 1,
        "whose image is a file that --media-root does not name": 1,
    }
    assert sidecar.media == 1
    prompts = load_prompts(tmp_path / "out.jsonl")
    assert Path(prompts[0].messages[0].media[0].path).read_bytes() == png(1)
    assert prompts[0].reference.answer == "7"
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("out.jsonl", "out.jsonl.media"):
        (tmp_path / name).rename(moved / name)
    assert prompts_hash(load_prompts(moved / "out.jsonl")) == prompts_hash(prompts)


def test_addresses_are_fetched_only_where_that_is_allowed(own: Own, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a.png").write_bytes(png(1))
    (tmp_path / "web" / "b.png").write_bytes(png(1)[:-30])
    handler = partial(QuietFiles, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            site = f"http://127.0.0.1:{server.server_port}"
            named = [f"{site}/a.png", f"{site}/b.png", f"{site}/gone.png", "file:///etc/passwd"]
            parquet(tmp_path / "a.parquet", [{"i": name, "q": "What?", "a": "7"} for name in named])
            dataset = own(
                path="a.parquet", domain="vlm", use="rlvr", columns={"image": "i", "prompt": "q", "answer": "a"}
            )
            with pytest.raises(DataError, match=r"4 with an address instead of an image \(--media-urls fetches\)"):
                prepare(settings(dataset, tmp_path / "none.jsonl"))
            sidecar = prepare(settings(dataset, tmp_path / "out.jsonl", media_urls=True))
        finally:
            server.shutdown()
            thread.join()
    assert sidecar.counts.dropped == {
        "with a broken image": 1,
        "whose image cannot be fetched from its address": 1,
        "whose image has an address that is not http or https": 1,
    }
    (prompt,) = load_prompts(tmp_path / "out.jsonl")
    assert Path(prompt.messages[0].media[0].path).read_bytes() == png(1)


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def image_of(width: int, height: int) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_common_voice_is_read_from_its_folder(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    (tmp_path / "cv" / "clips").mkdir(parents=True)
    names = ["a.wav", "b.wav", "c.wav", "../../out.wav", "http://a.b/c.wav"]
    for name in names[:2]:
        (tmp_path / "cv" / "clips" / name).write_bytes(wav(1) if name == "a.wav" else wav(1)[:40])
    rows = "".join(f'7f\t{name}\tHe said "hi.\t2\n' for name in names)
    (tmp_path / "cv" / "test.tsv").write_text("client_id\tpath\tsentence\tup_votes\n" + rows, encoding="utf-8")
    config = PrepareConfig(
        dataset="common_voice", split="test", output=tmp_path / "out.jsonl", media_root=tmp_path / "cv"
    )
    sidecar = prepare(config)
    assert sidecar.counts.dropped == {
        "with broken audio": 1,
        "whose audio file is not in --media-root": 2,
        "with an address instead of an audio (--media-urls fetches)": 1,
    }
    (prompt,) = load_prompts(tmp_path / "out.jsonl")
    assert prompt.reference.transcript == 'He said "hi.'
    assert prompt.messages[0].media[0].path == str((tmp_path / "cv" / "clips" / "a.wav").resolve())
    with pytest.raises(DataError, match="needs --media-root: not on the Hub"):
        prepare(PrepareConfig(dataset="common_voice", output=tmp_path / "other.jsonl"))


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "a.parquet", [{"q": "a", "a": "b"}])
    monkeypatch.setattr(prepare_job, "SPARE_BYTES", 1 << 60)
    with pytest.raises(EnvironmentFault, match=r"GB left, but own .* needs about"):
        prepare(settings(own(path="a.parquet", columns={"prompt": "q"}), tmp_path / "out.jsonl"))
    assert not list(tmp_path.glob("out*"))


def test_two_processes_do_not_write_one_file(own: Own, tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", [{"q": "a", "a": "b"}])
    config = settings(own(path="a.parquet", columns={"prompt": "q", "completion": "a"}), tmp_path / "out.jsonl")
    with locked(config.output), pytest.raises(RunLockedError, match="another process is writing"):
        prepare(config)
    prepare(config)
    assert not (tmp_path / "out.jsonl.lock").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"hub_id": "a/b", "path": "c"}, "give either hub_id (owner/name) or path"),
        ({"hub_id": "a/b", "colums": {}}, "colums: Extra inputs are not permitted; the keys are name, hub_id"),
        ({"hub_id": "a/b", "use": "training"}, "use: Input should be 'sft', 'rlvr' or 'benchmark'"),
    ],
)
def test_a_description_that_is_wrong(content: dict[str, Any], text: str, own: Own, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(settings(own(**content), tmp_path / "out.jsonl"))
    assert text in str(caught.value)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_table_is_prepared_as_it_is(ending: str, tmp_path: Path) -> None:
    rows = [{"prompt": f"a{n}\x00", "completion": "x<|im_end|>" if n < 2 else ""} for n in range(3)]
    path = tmp_path / f"mine.{ending}"
    if ending == "parquet":
        parquet(path, rows)
    elif ending == "csv":
        path.write_text("prompt,completion\n" + "".join(f"{row['prompt']},{row['completion']}\n" for row in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sidecar = prepare(settings(path, tmp_path / "out.jsonl"))
    assert (sidecar.use, sidecar.counts.kept, sidecar.counts.mended) == ("sft", 2, {"control characters": 2})
    assert sidecar.counts.noted == {"chat control tokens inside a text": 2}
    assert [row.id for row in load_conversations(tmp_path / "out.jsonl").conversations] == ["mine-0", "mine-1"]
    assert prepare(settings(path, tmp_path / "prompts.jsonl", use="rlvr")).counts.kept == 3
    assert load_prompts(tmp_path / "prompts.jsonl")[0].messages[0].text == "a0"


def test_rows_are_not_prepared_under_a_name_that_says_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.csv: rows are written as JSON Lines"):
        prepare(PrepareConfig(dataset="gsm8k", output=tmp_path / "out.csv"))
    assert not list(tmp_path.iterdir())
