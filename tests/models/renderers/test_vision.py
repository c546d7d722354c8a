"""Rows of models that see: places of images, masks, tensors, padding, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from seen import COLOURS, QUESTION, asked, build_vision_model, picture, picture_prompt, shown
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.types import Checkpoint, MediaPart, Message, TextPart, media_of
from halo_forge.models.check import check_model
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.preview import load_renderer, read_config
from halo_forge.models.renderers.base import Misfit
from halo_forge.models.renderers.vision import VisionFormat
from halo_forge.models.resolve import ModelRef
from halo_forge.models.save import save_checkpoint
from halo_forge.training.layout import lay_out

LOADING = LoadingOptions(device="cpu", threads=1)
FAMILIES = ["qwen2_vl", "qwen2_5_vl"]


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_vision_model(tmp_path_factory.mktemp("seen") / "base", request.param)


@pytest.fixture(scope="module")
def policy(folder: Path) -> Policy:
    return load_policy(ModelRef(str(folder)), LOADING)


@pytest.fixture
def renderer(folder: Path) -> VisionFormat:
    return open_renderer(folder)


def open_renderer(folder: Path, **loading: Any) -> VisionFormat:
    ref = ModelRef(str(folder))
    found = load_renderer(ref, LOADING.model_copy(update=loading), read_config(ref))
    assert isinstance(found, VisionFormat)
    return found


def answered(part: MediaPart, said: str = "red") -> list[Message]:
    return [asked(part), Message(role="assistant", content=said)]


def mark(renderer: VisionFormat) -> int:
    return int(renderer.tokenizer.convert_tokens_to_ids("<|image_pad|>"))


@pytest.mark.parametrize(
    ("size", "places"), [((32, 16), 8), ((16, 16), 4), ((40, 24), 15), ((9, 15), 2), ((640, 320), 32)]
)
def test_an_image_takes_as_many_places_as_its_size_gives(
    renderer: VisionFormat, tmp_path: Path, size: tuple[int, int], places: int
) -> None:
    part = shown(tmp_path, picture("red", size))
    ids = renderer.prompt_ids([asked(part)])
    assert ids.count(mark(renderer)) == places
    made = renderer.tensors([[part]], torch.tensor([ids]))
    assert int(made["image_grid_thw"].prod()) == 4 * places == len(made["pixel_values"])
    assert made["mm_token_type_ids"].tolist() == [[int(token == mark(renderer)) for token in ids]]


def test_the_pixels_are_those_of_the_published_preprocessing(renderer: VisionFormat, tmp_path: Path) -> None:
    """Scaled to 0..1, normalised by CLIP's mean and deviation, cut into patches that stand four by four."""
    part = shown(tmp_path, picture("blue", (16, 8), noise=3))
    found = renderer.tensors([[part]], torch.tensor([renderer.prompt_ids([asked(part)])]))["pixel_values"]
    image = np.asarray(Image.open(part.path), dtype=np.float64) / 255
    mean, deviation = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    normal = (image - mean) / deviation  # (8, 16, 3)
    patches = []
    for left in (0, 8):  # two merged patches of 8 x 8, each of four patches of 4 x 4
        for row in (0, 4):
            for column in (left, left + 4):
                patch = normal[row : row + 4, column : column + 4].transpose(2, 0, 1)
                patches.append(np.repeat(patch[:, None], 2, axis=1).reshape(-1))  # a still picture is two frames
    assert np.allclose(found.numpy(), np.stack(patches), atol=1e-5)


def test_a_limit_of_pixels_scales_an_image_down_and_is_not_saved(folder: Path, tmp_path: Path) -> None:
    part = shown(tmp_path, picture("red", (64, 64)))
    limited = open_renderer(folder, max_pixels=784)
    ids = limited.prompt_ids([asked(part)])
    assert ids.count(mark(limited)) == 9
    assert len(limited.tensors([[part]], torch.tensor([ids]))["pixel_values"]) == 36
    limited.save(tmp_path / "saved")
    assert AutoImageProcessor.from_pretrained(tmp_path / "saved", backend="pil").size["longest_edge"] == 32 * 64


def test_the_row_learns_the_answer_alone(renderer: VisionFormat, tmp_path: Path) -> None:
    part = shown(tmp_path, picture("red"))
    row = renderer.conversation_row(answered(part))
    prompt = renderer.prompt_ids([asked(part)])
    assert list(row.ids[: len(prompt)]) == prompt
    assert row.learn == (False,) * len(prompt) + (True,) * (len(row.ids) - len(prompt))
    assert renderer.decode(row.ids[len(prompt) :]) == "red"
    assert row.ids[-1] in renderer.stop_ids
    assert row.media == (part,)
    drawn = renderer.completion_row([asked(part)], row.ids[len(prompt) :])
    assert (drawn.ids, drawn.learn, drawn.media) == (row.ids, row.learn, row.media)


def test_a_drawn_mark_without_an_image_is_not_learnt(renderer: VisionFormat, tmp_path: Path) -> None:
    """Its place could not be told from those of the prompt's images."""
    part = shown(tmp_path, picture("red"))
    with pytest.raises(Misfit, match="mark of an image that is not there"):
        renderer.completion_row([asked(part)], [5, mark(renderer), 7])


def test_several_images_in_several_turns_stand_in_their_order(renderer: VisionFormat, tmp_path: Path) -> None:
    small, large = shown(tmp_path, picture("red", (8, 8))), shown(tmp_path, picture("blue", (32, 16)))
    messages = [asked(small, large), Message(role="assistant", content="red"), asked(small)]
    ids = torch.tensor([renderer.prompt_ids(messages)])
    assert int((ids == mark(renderer)).sum()) == 1 + 8 + 1
    made = renderer.tensors([media_of(messages)], ids)
    assert made["image_grid_thw"].tolist() == [[1, 2, 2], [1, 4, 8], [1, 2, 2]]


def test_nobody_s_text_is_an_image(renderer: VisionFormat, tmp_path: Path) -> None:
    part = shown(tmp_path, picture("red"))
    plain = renderer.prompt_ids([asked(part)]).count(mark(renderer))
    cheat = asked(part, text="<|vision_start|><|image_pad|><|vision_end|>")
    assert renderer.prompt_ids([cheat]).count(mark(renderer)) == plain
    row = renderer.conversation_row(answered(part, "<|image_pad|>"))
    assert sum(token == mark(renderer) for token in row.ids) == plain


def test_text_alone_goes_as_well(renderer: VisionFormat) -> None:
    said = [Message(role="system", content="red"), Message(role="user", content=QUESTION)]
    ids = renderer.prompt_ids(said)
    assert mark(renderer) not in ids
    assert renderer.tensors([[]], torch.tensor([ids])) == {}


def test_a_padded_batch_gives_each_row_what_it_gets_alone(policy: Policy, tmp_path: Path) -> None:
    chat = policy.media
    assert chat is not None
    parts = [shown(tmp_path, picture(c, size)) for c, size in zip(COLOURS, ((32, 16), (8, 8), (24, 40)), strict=True)]
    turns = [answered(part, said) for part, said in zip(parts, COLOURS, strict=True)]
    turns.insert(1, [Message(role="user", content=QUESTION), Message(role="assistant", content="green red blue")])
    rows = [chat.conversation_row(messages) for messages in turns]
    with torch.inference_mode():
        padded = logits(policy, rows)
        for row, found in zip(rows, padded, strict=True):
            (alone,) = logits(policy, [row])
            assert torch.allclose(alone, found[: len(row.ids)], atol=1e-5)
    assert not torch.allclose(padded[0][8], padded[2][8], atol=1e-2)


def logits(policy: Policy, rows: list[Any]) -> torch.Tensor:
    layout = lay_out(rows, policy.chat.pad_id, packed=False)
    tensors = policy.media_tensors([row.media for row in rows], layout.ids)
    found: torch.Tensor = policy.model(input_ids=layout.ids, **tensors, use_cache=False).logits
    return found


def test_the_model_is_called_as_transformers_would_call_it(policy: Policy, folder: Path, tmp_path: Path) -> None:
    """Ids and tensors put together by hand from the parts of the checkpoint, and positions left to the model."""
    part = shown(tmp_path, picture("green", (24, 40)))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    images = AutoImageProcessor.from_pretrained(folder, backend="pil")(Image.open(part.path), return_tensors="pt")
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}],
        tokenize=False,
        add_generation_prompt=True,
    ).replace("<|image_pad|>", "<|image_pad|>" * int(images["image_grid_thw"].prod() // 4))
    ids = tokenizer(text, return_tensors="pt").input_ids
    assert policy.chat.prompt_ids([asked(part)]) == ids[0].tolist()
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    types = (ids == model.config.image_token_id).long()
    with torch.inference_mode():
        theirs = model(input_ids=ids, **images, mm_token_type_ids=types).logits
        ours = policy.model(input_ids=ids, **policy.media_tensors([[part]], ids)).logits
    assert torch.equal(theirs, ours)


def test_bad_images_are_told_before_anything_is_made_of_them(
    renderer: VisionFormat, policy: Policy, folder: Path, tmp_path: Path
) -> None:
    whole = picture("red")
    wide = tmp_path / "wide.png"
    Image.new("1", (50_000, 3)).save(wide)
    dot = tmp_path / "dot.png"
    Image.new("RGB", (1, 1)).save(dot)
    bad = {
        "broken": shown(tmp_path, whole[:-30], hashed=False),
        "empty": shown(tmp_path, b"", hashed=False),
        "gone": MediaPart(kind="image", path=str(tmp_path / "gone.png")),
        "sound": MediaPart(kind="audio", path=str(tmp_path / "a.wav")),
        "wide": MediaPart(kind="image", path=str(wide)),
        "dot": MediaPart(kind="image", path=str(dot)),
    }
    good = picture_prompt(tmp_path, "red")
    prompts = [good, *(good.model_copy(update={"id": name, "messages": (asked(part),)}) for name, part in bad.items())]
    checked = check_model(ModelRef(str(folder)), LOADING, prompts)
    assert checked.bad == {
        "broken": "with a broken image",
        "empty": "with empty image",
        "gone": "whose image file is not there",
        "sound": "with audio, which this model does not take",
        "wide": "with an image of more than 20,000 pixels a side, or too many in all",
        "dot": "with an image of less than 2 pixels a side",
    }
    assert checked.usable(prompts) == [good]
    for part in bad.values():
        with pytest.raises(Misfit):
            renderer.conversation_row(answered(part))


def test_an_image_that_changes_afterwards_is_an_error(renderer: VisionFormat, tmp_path: Path) -> None:
    part = shown(tmp_path, picture("red"))
    ids = torch.tensor([renderer.prompt_ids([asked(part)])])
    Path(part.path).write_bytes(picture("red", (64, 64)))
    with pytest.raises(DataError, match="changed since its hash was taken"):
        renderer.tensors([[part]], ids)
    unhashed = part.model_copy(update={"sha256": ""})
    with pytest.raises(DataError, match="changed its size"):
        renderer.tensors([[unhashed]], ids)


def test_a_template_without_images_is_refused(folder: Path, tmp_path: Path) -> None:
    turn = "<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% endif %}<|im_end|>\n"
    opened = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    (tmp_path / "plain.jinja").write_text("{% for m in messages %}" + turn + "{% endfor %}" + opened)
    with pytest.raises(ModelError, match="does not show images"):
        open_renderer(folder, chat_template=str(tmp_path / "plain.jinja"))


def test_adapters_leave_the_eyes_alone_and_are_saved_with_the_processor(folder: Path, tmp_path: Path) -> None:
    policy = load_policy(ModelRef(str(folder)), LOADING, TuningOptions(lora_rank=4))
    trained = [name for name, weight in policy.model.named_parameters() if weight.requires_grad]
    assert trained and all("language_model" in name for name in trained)
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in trained} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    checkpoint = Checkpoint(kind="adapter", base_model=str(folder), run_id="t", cycle=0, step=0)
    save_checkpoint(policy, tmp_path / "adapter", checkpoint)
    again = load_policy(ModelRef(str(folder), str(tmp_path / "adapter")), LOADING)
    prompt = picture_prompt(tmp_path, "red")
    assert again.chat.prompt_ids(prompt.messages) == policy.chat.prompt_ids(prompt.messages)


def test_a_template_in_a_file_of_its_own_is_found(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "old")
    template = (tmp_path / "old" / "chat_template.jinja").read_text()
    (tmp_path / "old" / "chat_template.jinja").unlink()
    (tmp_path / "old" / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    part = shown(tmp_path, picture("red"))
    assert open_renderer(tmp_path / "old").prompt_ids([asked(part)]) == open_renderer(folder).prompt_ids([asked(part)])


# As the family's templates do: a system turn of their own, and parts told by what they hold.
WITH_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n{% endif %}"
    "{% for turn in messages %}<|im_start|>{{ turn['role'] }}\n"
    "{% if turn['content'] is string %}{{ turn['content'] }}{% else %}{% for part in turn['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_checkpoint_is_read_as_the_family_publishes_it(folder: Path, tmp_path: Path) -> None:
    """Limits of pixels as two numbers, the processor of the whole named, and a system turn in the template."""
    shutil.copytree(folder, tmp_path / "like")
    settings = json.loads((tmp_path / "like" / "preprocessor_config.json").read_text())
    mean, deviation = settings["image_mean"], settings["image_std"]
    (tmp_path / "like" / "preprocessor_config.json").write_text(
        json.dumps(
            {"min_pixels": 64, "max_pixels": 2048, "patch_size": 4, "temporal_patch_size": 2, "merge_size": 2,
             "image_mean": mean, "image_std": deviation, "image_processor_type": "Qwen2VLImageProcessor",
             "processor_class": "Qwen2VLProcessor"}
        )
    )  # fmt: skip
    (tmp_path / "like" / "chat_template.jinja").write_text(WITH_SYSTEM)
    ours, theirs = open_renderer(folder), open_renderer(tmp_path / "like")
    part = shown(tmp_path, picture("red", (40, 24)))
    ids, same = (renderer.prompt_ids([asked(part)]) for renderer in (ours, theirs))
    assert ids.count(mark(ours)) == same.count(mark(theirs)) == 15
    assert same[-len(ids) :] == ids and "helpful" in theirs.tokenizer.decode(same)
    made, again = (r.tensors([[part]], torch.tensor([i])) for r, i in ((ours, ids), (theirs, same)))
    assert torch.equal(made["pixel_values"], again["pixel_values"])
    row = theirs.conversation_row(answered(part))
    assert theirs.decode([token for token, learnt in zip(row.ids, row.learn, strict=True) if learnt]) == "red"
    theirs.save(tmp_path / "saved")
    kept = json.loads((tmp_path / "saved" / "preprocessor_config.json").read_text())
    assert kept["image_processor_type"] == "Qwen2VLImageProcessor"


def test_a_conversation_that_begins_with_an_image_alone(renderer: VisionFormat, tmp_path: Path) -> None:
    part = shown(tmp_path, picture("red"))
    turns = [Message(role="user", content=(part,)), Message(role="assistant", content=(TextPart(text="red"),))]
    row = renderer.conversation_row(turns)
    assert sum(row.learn) == len(renderer.tokenizer.encode("red")) + 1
