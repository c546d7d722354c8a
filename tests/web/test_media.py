"""What of a prompt is seen and heard: from the folders of the run and of its prompts, and from nowhere else."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from sample_runs import finished_run, picture, tone, with_samples
from starlette.testclient import TestClient

from halo_forge.core.types import MediaPart, Message, Prompt
from halo_forge.rollout.records import append_records
from halo_forge.web.app import open_site
from halo_forge.web.media import MOST_BYTES
from halo_forge.web.responses import INERT
from halo_forge.web.settings import Settings

Add = Callable[[MediaPart], str]


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with open_site(Settings(runs_root=root)) as app:
        yield TestClient(app, base_url="http://127.0.0.1:8899")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of the run's prompts."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def run(root: Path, data: Path) -> Path:
    return with_samples(finished_run(root / "one"), data)


@pytest.fixture
def at(run: Path, client: TestClient) -> str:
    """The run's address."""
    return f"/runs/{client.get('/api/results').json()[0]['run_id']}"


@pytest.fixture
def add(run: Path) -> Add:
    """Give the run a prompt with one more image or sound, and return the query that asks for it."""
    prompts = 0

    def add(part: MediaPart) -> str:
        nonlocal prompts
        prompts += 1
        prompt = Prompt(id=f"n{prompts}", messages=(Message(role="user", content=(part,)),))
        append_records(run / "prompts.jsonl", [prompt])
        return f"prompt=n{prompts}"

    return add


def test_the_samples_show_and_play_their_prompts(client: TestClient, at: str) -> None:
    page = unescape(client.get(f"{at}/samples").text)
    assert f'<img src="{at}/media?prompt=seen&part=0" loading="lazy" alt="Image 1 of the prompt seen' in page
    assert f'href="{at}/media?prompt=seen&part=0&large=1"' in page
    assert f'src="{at}/media?prompt=heard&part=0" aria-label="Audio 1 of the prompt heard"' in page
    offsets = [line.split('"')[0] for line in page.split('value="cycle_1:')[1:3]]
    pair = unescape(client.get(f"{at}/difference?sample=cycle_1:{offsets[0]}&sample=cycle_1:{offsets[1]}").text)
    assert pair.count("media?prompt=seen&part=0&large=1") == 1


def test_an_image_is_small_and_opens_large(client: TestClient, at: str, data: Path, add: Add) -> None:
    for query, size in (("", (480, 240)), ("&large=1", (1200, 600))):
        answer = client.get(f"{at}/media?prompt=seen{query}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["content-security-policy"] == INERT
        assert Image.open(io.BytesIO(answer.content)).size == size
    tiny = add(picture(data / "tiny.png", (8, 4)))
    assert Image.open(io.BytesIO(client.get(f"{at}/media?{tiny}").content)).size == (160, 80)


def test_a_player_may_ask_for_a_range_of_a_sound(client: TestClient, at: str, data: Path) -> None:
    address, whole = f"{at}/media?prompt=heard", (data / "tone.wav").read_bytes()
    answer = client.get(address)
    assert (answer.headers["content-type"], answer.content) == ("audio/wav", whole)
    part = client.get(address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])


def test_the_run_s_own_folder_is_looked_in(client: TestClient, at: str, run: Path, add: Add) -> None:
    (run / "seen").mkdir()
    inside = picture(run / "seen" / "own.png")
    for path in (inside.path, "seen/own.png"):
        assert client.get(f"{at}/media?{add(inside.model_copy(update={'path': path}))}").status_code == 200


def linked(data: Path, elsewhere: Path) -> str:
    (data / "link.png").symlink_to(elsewhere / "private.png")
    return str(data / "link.png")


def hidden(data: Path, elsewhere: Path) -> str:
    (data / ".keys").mkdir()
    return picture(data / ".keys" / "private.png").path


def pipe(data: Path, elsewhere: Path) -> str:
    os.mkfifo(data / "pipe.png")
    return str(data / "pipe.png")


def huge(data: Path, elsewhere: Path) -> str:
    os.truncate(picture(data / "huge.png").path, MOST_BYTES["image"] + 1)
    return str(data / "huge.png")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (lambda data, elsewhere: str(elsewhere / "private.png"), "lies outside"),
        (lambda data, elsewhere: str(data / ".." / elsewhere.name / "private.png"), "lies outside"),
        (lambda data, elsewhere: f"../../{elsewhere.name}/private.png", "lies outside"),
        (linked, "lies outside"),
        (hidden, "no ordinary file"),
        (pipe, "no ordinary file"),
        (lambda data, elsewhere: str(data), "no ordinary file"),
        (huge, "more than 32 MiB"),
        (lambda data, elsewhere: str(data / "gone.png"), "not there any more"),
        (lambda data, elsewhere: "a\0b", "not there any more"),
        (lambda data, elsewhere: "x" * 5_000, "not there any more"),
    ],
)
def test_nothing_else_is_given(
    client: TestClient, at: str, data: Path, tmp_path: Path, add: Add, named: Callable[[Path, Path], str], said: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    picture(elsewhere / "private.png")
    answer = client.get(f"{at}/media?{add(MediaPart(kind='image', path=named(data, elsewhere)))}")
    assert answer.status_code == 400 and said in answer.text
    assert "image" not in answer.headers["content-type"]


def test_only_images_and_sounds_are_given(client: TestClient, at: str, data: Path, add: Add) -> None:
    (data / "drawing.png").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    (data / "page.wav").write_text("<script>alert(1)</script>")
    for kind, name in (("image", "drawing.png"), ("audio", "page.wav")):
        answer = client.get(f"{at}/media?{add(MediaPart(kind=kind, path=str(data / name)))}")
        assert answer.status_code == 400 and "alert" not in answer.text


def test_what_has_changed_since_is_not_shown(client: TestClient, at: str, data: Path) -> None:
    picture(data / "picture.png", (30, 30))
    (data / "tone.wav").write_bytes((data / "tone.wav").read_bytes() + b"\0\0")
    for prompt in ("seen", "heard"):
        answer = client.get(f"{at}/media?prompt={prompt}")
        assert answer.status_code == 400 and "changed" in answer.text


def test_a_file_of_prompts_that_is_gone_opens_no_folder(client: TestClient, at: str, data: Path) -> None:
    (data / "prompts.jsonl").unlink()
    assert client.get(f"{at}/media?prompt=seen").status_code == 400
    assert "picture.png, is not shown: it lies outside" in client.get(f"{at}/samples").text


@pytest.mark.parametrize("query", ["prompt=seen&part=1", "prompt=seen&part=-1", "part=99999999", "prompt=read", ""])
def test_places_that_there_are_not(client: TestClient, at: str, query: str) -> None:
    assert client.get(f"{at}/media?{query}").status_code == 400


def test_prompts_by_any_name_are_found(client: TestClient, at: str, run: Path, data: Path) -> None:
    name = 'a "name" / with \\ and ü'
    part = tone(data / "other.wav")
    append_records(run / "prompts.jsonl", [Prompt(id=name, messages=(Message(role="user", content=(part,)),))])
    assert client.get(f"{at}/media?prompt={quote(name, safe='')}").content == (data / "other.wav").read_bytes()
