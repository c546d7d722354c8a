"""Images and questions about them.

`image` is stored before a row is converted, so that these functions see `{"kind": "image", "path": …, "sha256": …}`.
"""

from __future__ import annotations

import re

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, MediaPart, Part, Prompt, Reference, TextPart
from halo_forge.data.catalog import Dataset
from halo_forge.data.catalog import Part as Split
from halo_forge.data.fields import shortened, text_field, texts_field
from halo_forge.data.jsonl import JsonObject
from halo_forge.data.messages import make_message
from halo_forge.data.parts import read_content

SHORT = "Answer the question using a single word or phrase."
IMAGE_MARK = "<image>"
SPEAKERS = {"human": "user", "gpt": "assistant"}
OPTION = re.compile(r"^([A-Z])\. (.+)$", re.MULTILINE)


def textvqa_row(values: JsonObject, id: str) -> Prompt | None:
    """lmms-lab/textvqa (Singh et al. 2019), cc-by-4.0, 34,602, 5,000 and 5,734 rows; test has no labels.

    `{"image_id": "003a8ae2ef43b901", "question_id": 34602, "question": "what is the brand of this camera?",
    "image": {"bytes": …, "path": …}, "answers": ["nous les gosses", "dakota", "clos culombu", "dakota digital", …],
    "ocr_tokens": ["DAKOTA", "DIGITAL", …]}`

    The references are the ten annotators' answers, in their order and repeated, as the metric counts them.
    """
    answers = texts_field(values, "answers")
    return _question(id, values, "question", Reference(answers=answers, metric="vqa")) if answers else None


def docvqa_row(values: JsonObject, id: str) -> Prompt | None:
    """lmms-lab/DocVQA, config DocVQA (Mathew et al. 2021), Apache-2.0, 5,349 rows in validation; test has no labels.

    `{"questionId": "49153", "question": "What is the 'actual' value per 1000, during the year 1975?", "docId": 14465,
    "image": {"bytes": …, "path": …}, "answers": ["0.28"]}`
    """
    answers = texts_field(values, "answers")
    return _question(id, values, "question", Reference(answers=answers, metric="anls")) if answers else None


def chartqa_row(values: JsonObject, id: str) -> Prompt:
    """HuggingFaceM4/ChartQA (Masry et al. 2022), gpl-3.0, 28,299, 1,920 and 2,500 rows.

    `{"image": {"bytes": …, "path": …}, "query": "How many food item is shown in the bar graph?", "label": ["14"],
    "human_or_machine": 0}`

    The group is who wrote the question: `human`, or `augmented` for a machine.
    """
    answers = texts_field(values, "label")
    if not answers:
        raise DataError("'label' is empty")
    who = str(values.get("human_or_machine"))
    group = {"0": "human", "human": "human", "1": "augmented", "machine": "augmented"}.get(who)
    return _question(id, values, "query", Reference(answer=answers[0], answers=answers, metric="relaxed"), group)


def realworldqa_row(values: JsonObject, id: str) -> Prompt:
    r"""xai-org/RealworldQA, cc-by-nd-4.0, 765 rows.

    `{"image": {"bytes": …, "path": …}, "question": "In which direction is the front wheel of the car on the right side
    facing?\n\nA. Left\nB. Straight\nC. Right\nPlease answer directly with only the letter of the correct option and
    nothing else.", "answer": "C"}`

    The question itself says in which form to answer. Where it lists options they are the reference's choices, and its
    answer is the words of the right one.
    """
    answer = text_field(values, "answer")
    if not answer:
        raise DataError("'answer' is empty")
    options = dict(OPTION.findall(text_field(values, "question") or ""))
    lettered = "".join(options) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(options)]
    if lettered and answer.strip() in options:
        words = tuple(option.strip() for option in options.values())
        reference = Reference(answer=options[answer.strip()].strip(), choices=words, metric="choice")
    else:
        reference = Reference(answer=answer, metric="exact")
    return _question(id, values, "question", reference, request="")


def mathvista_row(values: JsonObject, id: str) -> Prompt | None:
    r"""AI4Math/MathVista (Lu et al. 2024), cc-by-sa-4.0, testmini 1,000 rows; the answers of test are not public.

    `{"pid": "1", "question": "When a spring does work on an object, …", "image": "images/1.jpg", "decoded_image":
    {"bytes": …, "path": …}, "choices": null, "unit": null, "precision": 1.0, "answer": "1.2", "question_type":
    "free_form", "answer_type": "float", "query": "Hint: Please answer the question requiring a floating-point number …
    \nQuestion: When …", "metadata": {…}}`

    `query` holds the hint for the form of the answer and the choices. A float is given with as many places as
    `precision` says. The group is the type of the question.
    """
    answer = text_field(values, "answer")
    if not answer:
        return None
    choices = texts_field(values, "choices")
    in_digits = values.get("answer_type") in ("integer", "float")
    reference = Reference(
        answer=answer, choices=choices, metric="choice" if choices else "number" if in_digits else "exact"
    )
    return _question(id, values, "query", reference, text_field(values, "question_type"), "", "decoded_image")


def llava_row(values: JsonObject, id: str) -> Conversation | None:
    r"""liuhaotian/LLaVA-Instruct-150K, file llava_instruct_150k.json (Liu et al. 2023), cc-by-4.0, 157,712 rows.

    `{"id": "000000033471", "image": "000000033471.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat are
    the colors of the bus in the image?"}, {"from": "gpt", "value": "The bus in the image is white and red."}, …]}`

    The images are those of COCO train2017, which `--media-root` names. `<image>`, in the first turn before or after the
    question, becomes the image.
    """
    turns = values.get("conversations")
    if not isinstance(turns, list) or not turns:
        raise DataError("'conversations' must be a list of {'from', 'value'} objects")
    messages = []
    for place, item in enumerate(turns):
        if not isinstance(item, dict) or item.get("from") not in SPEAKERS or not isinstance(item.get("value"), str):
            raise DataError(f"a turn must have 'from' (human or gpt) and 'value', but it is {shortened(item)}")
        said = str(item["value"])
        content = _with_image(_image(values), said) if place == 0 else said
        messages.append(make_message(SPEAKERS[str(item["from"])], content))
    return Conversation(id=id, messages=tuple(messages)) if messages[0].role == "user" else None


def _with_image(image: MediaPart, said: str) -> tuple[Part, ...]:
    before, mark, after = said.partition(IMAGE_MARK)
    if not mark:
        return (image, TextPart(text=said))
    texts = before.strip(), after.strip()
    parts: list[Part] = [TextPart(text=texts[0])] if texts[0] else []
    parts.append(image)
    return (*parts, TextPart(text=texts[1])) if texts[1] else tuple(parts)


def _image(values: JsonObject, key: str = "image") -> MediaPart:
    content = read_content([values.get(key)], key)
    if isinstance(content, str) or not isinstance(content[0], MediaPart):
        raise DataError(f"{key!r} must be an image")
    return content[0]


def _question(
    id: str,
    values: JsonObject,
    key: str,
    reference: Reference,
    group: str | None = None,
    request: str = SHORT,
    image: str = "image",
) -> Prompt:
    asked = (text_field(values, key) or "").strip()
    if not asked:
        raise DataError(f"{key!r} is blank")
    text = TextPart(text=f"{asked}\n{request}" if request else asked)
    message = make_message("user", (_image(values, image), text))
    return Prompt(id=id, messages=(message,), reference=reference, group=group)


LLAVA = Dataset(
    name="llava",
    domain="vlm",
    use="sft",
    hub_id="liuhaotian/LLaVA-Instruct-150K",
    config=None,
    split="train",
    splits={"train": Split(("llava_instruct_150k.json",))},
    licence="cc-by-4.0",
    rows=157_712,
    size_mb=229,
    gated=False,
    columns=("image", "conversations"),
    convert=llava_row,
    media={"image": "image"},
    media_root=True,
    note="images: --media-root FOLDER of COCO train2017 (http://images.cocodataset.org/zips/train2017.zip, 19 GB)",
)
TEXTVQA = Dataset(
    name="textvqa",
    domain="vlm",
    use="rlvr",
    hub_id="lmms-lab/textvqa",
    config=None,
    split="train",
    splits={name: Split((f"data/{name}-*.parquet",)) for name in ("train", "validation")},
    licence="cc-by-4.0",
    rows=34_602,
    size_mb=6_000,
    gated=False,
    columns=("image", "question", "answers"),
    convert=textvqa_row,
    media={"image": "image"},
    test_split="validation",
    note="its test split has no labels and is left out",
)
DOCVQA = Dataset(
    name="docvqa",
    domain="vlm",
    use="benchmark",
    hub_id="lmms-lab/DocVQA",
    config="DocVQA",
    split="validation",
    splits={"validation": Split(("DocVQA/validation-*.parquet",))},
    licence="apache-2.0",
    rows=5_349,
    size_mb=2_600,
    gated=False,
    columns=("image", "question", "answers"),
    convert=docvqa_row,
    media={"image": "image"},
    note="its test split has no labels and is left out",
)
CHARTQA = Dataset(
    name="chartqa",
    domain="vlm",
    use="rlvr",
    hub_id="HuggingFaceM4/ChartQA",
    config=None,
    split="train",
    splits={name: Split((f"data/{name}-*.parquet",)) for name in ("train", "val", "test")},
    licence="gpl-3.0",
    rows=28_299,
    size_mb=900,
    gated=False,
    columns=("image", "query", "label"),
    optional=("human_or_machine",),
    convert=chartqa_row,
    media={"image": "image"},
    test_split="test",
)
REALWORLDQA = Dataset(
    name="realworldqa",
    domain="vlm",
    use="benchmark",
    hub_id="xai-org/RealworldQA",
    config=None,
    split="test",
    splits={"test": Split(("data/test-*.parquet", "**/*.parquet"))},
    licence="cc-by-nd-4.0",
    rows=765,
    size_mb=678,
    gated=False,
    columns=("image", "question", "answer"),
    convert=realworldqa_row,
    media={"image": "image"},
)
MATHVISTA = Dataset(
    name="mathvista",
    domain="vlm",
    use="benchmark",
    hub_id="AI4Math/MathVista",
    config=None,
    split="testmini",
    splits={"testmini": Split(("data/testmini-*.parquet",))},
    licence="cc-by-sa-4.0",
    rows=1_000,
    size_mb=143,
    gated=False,
    columns=("decoded_image", "query", "answer"),
    optional=("choices", "question_type", "answer_type", "precision", "pid"),
    convert=mathvista_row,
    media={"decoded_image": "image"},
    note="the answers of its test split are not public, so that it is left out",
)
