"""Repositories as the real ones are laid out: the same files, columns and types, with a few rows made up.

`write_repositories` puts one for every dataset of the catalogue below the root of a `HubServer`.
"""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 6
Files = dict[str, "bytes | tuple[list[dict[str, Any]], dict[str, Any]]"]
IMAGE, AUDIO = {"_type": "Image"}, {"_type": "Audio", "sampling_rate": 16_000}
LABEL = {"_type": "ClassLabel", "names": ["human", "machine"]}


def png(number: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (12 + number, 9), (number * 20, 90, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def wav(number: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        tone = (int(9_000 * math.sin(step * (number + 1) / 9)) for step in range(1_600))
        sound.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    return buffer.getvalue()


def lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def array(rows: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps(rows, indent=1).encode()


def table(make: Callable[[int], dict[str, Any]], rows: int = ROWS, **features: Any) -> Any:
    return [make(number) for number in range(rows)], features


def parquet(rows: list[dict[str, Any]], features: dict[str, Any]) -> bytes:
    content = pa.Table.from_pylist(rows)
    if features:
        known = {name: features.get(name) or _feature(content.schema.field(name).type) for name in content.column_names}
        content = content.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": known}})})
    buffer = io.BytesIO()
    pq.write_table(content, buffer, row_group_size=2)
    return buffer.getvalue()


def _feature(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": str(kind).replace("double", "float64"), "_type": "Value"}


def picture(number: int) -> dict[str, Any]:
    return {"bytes": png(number), "path": None}


def clip(number: int) -> dict[str, Any]:
    return {"bytes": wav(number), "path": f"{number}.wav"}


def codeforces(fence: str) -> Callable[[int], dict[str, Any]]:
    def row(n: int) -> dict[str, Any]:
        asked, answer = f"Print {n} more.", f"<think>\nAdd {n}.\n</think>\n\nSo:\n```{fence}\nx + {n}\n```"
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        cases = [{"input": "1\n", "output": f"{n + 1}\n"}]
        return {
            **{"id": f"1{n}/A", "aliases": None, "contest_id": f"1{n}", "contest_name": "Round", "contest_type": "CF"},
            **{"contest_start": 1_600_000_000, "contest_start_year": 2020, "index": "A", "time_limit": 2.0},
            **{"memory_limit": 256.0, "title": "More", "description": asked, "input_format": "n", "output_format": "m"},
            **{"examples": cases, "note": None, "editorial": None, "prompt": asked, "generation": answer},
            **{"finish_reason": "length" if n == 3 else "stop", "api_metadata": {"completion_tokens": 5}},
            **{"interaction_format": None, "messages": turns},
        }

    return row


def humaneval(n: int) -> dict[str, Any]:
    return {
        "task_id": f"HumanEval/{n}",
        "prompt": f'def add_{n}(n):\n    """Add {n} to n."""\n',
        "canonical_solution": f"    return n + {n}\n",
        "test": f"def check(candidate):\n    assert candidate(1) == {n + 1}\n    assert candidate(-9) == {n - 9}\n",
        "entry_point": f"add_{n}",
    }


def mbpp(n: int) -> dict[str, Any]:
    tests = [f"assert add_{n}(1) == {n + 1}", f"assert add_{n}(5) == {n + 5}"]
    return {
        **{"task_id": 600 + n, "text": f"Write a function to add {n}.", "code": f"def add_{n}(x):\r\n  return x + {n}"},
        **{
            "test_list": tests,
            "test_setup_code": "",
            "challenge_test_list": pa.array([], pa.string()).to_pylist() or [""],
        },
    }


def mbpp_sanitized(n: int) -> dict[str, Any]:
    full = mbpp(n)
    kept = {key: full[key] for key in ("task_id", "code", "test_list")}
    return {"source_file": "Benchmark.ipynb", **kept, "prompt": full["text"], "test_imports": ["import math"]}


def livecodebench(n: int) -> dict[str, Any]:
    method = n == 2  # of a class, and not a whole program
    case = {"input": "1\n", "output": f"{n + 1}\n", "testtype": "functional" if method else "stdin"}
    return {
        **{
            "question_title": "More",
            "question_content": f"Add {n}.",
            "platform": "atcoder",
            "question_id": f"abc{n}_a",
        },
        **{"contest_id": f"abc{n}", "contest_date": f"2024-0{n + 1}-01T00:00:00"},
        **{
            "difficulty": "easy" if n % 2 else "hard",
            "public_test_cases": json.dumps([case]),
            "private_test_cases": "[]",
        },
        "starter_code": "class Solution:\n    def add(self, n: int) -> int:\n        " if method else "",
        "metadata": json.dumps({"func_name": "add"} if method else {}),
    }


def gsm8k(n: int) -> dict[str, Any]:
    return {"question": f"What is 2 plus {n}?", "answer": f"2+{n} = <<2+{n}={n + 2}>>{n + 2}.\n#### {n + 2}"}


def metamath(n: int) -> dict[str, Any]:
    asked = f"What is {n} plus {n}?"
    said = "It is." if n == 4 else f"Twice {n} is {2 * n}.\n#### {2 * n}\nThe answer is: {2 * n}"
    return {"type": "GSM_Rephrased", "query": asked, "original_question": asked, "response": said}


def math_row(n: int) -> dict[str, Any]:
    return {"problem": f"Half of {n}?", "level": f"Level {n % 5 + 1}", "type": "Algebra",
            "solution": f"It is $\\boxed{{\\frac{{{n}}}{{2}}}}$."}  # fmt: skip


def math500(n: int) -> dict[str, Any]:
    return {**{"problem": f"Half of {n}?", "solution": "\\boxed{1}", "answer": f"\\frac{{{n}}}{{2}}"},
            **{"subject": "Algebra", "level": n % 5 + 1, "unique_id": f"test/algebra/{n}.json"}}  # fmt: skip


def librispeech(n: int) -> dict[str, Any]:
    return {"file": f"37{n}-1-0.flac", "audio": clip(n), "text": f"CHAPTER {'I' * (n + 1)}", "speaker_id": 370 + n,
            "chapter_id": 1, "id": f"37{n}-1-0"}  # fmt: skip


def command(n: int) -> dict[str, Any]:
    return {"file": f"no/{n}.wav", "audio": clip(n), "label": n, "is_unknown": False, "speaker_id": "7846fd85",
            "utterance_id": n}  # fmt: skip


def textvqa(n: int) -> dict[str, Any]:
    return {**{"image_id": f"00{n}", "question_id": n, "question": f"what is sign {n}?", "question_tokens": ["what"]},
            **{"image": picture(n), "image_width": 12 + n, "image_height": 9, "flickr_original_url": "https://a.b/c.jpg"},
            **{"flickr_300k_url": "https://a.b/d.jpg", "answers": [str(n)] * 9 + ["x"], "image_classes": ["Sign"]},
            **{"set_name": "train", "ocr_tokens": [str(n)]}}  # fmt: skip


def docvqa(n: int) -> dict[str, Any]:
    return {**{"questionId": str(n), "question": f"What is value {n}?", "question_types": ["table"]},
            **{"image": picture(n), "docId": n, "ucsf_document_id": "a", "ucsf_document_page_no": "1"},
            **{"answers": [f"0.2{n}"], "data_split": "val"}}  # fmt: skip


def chartqa(n: int) -> dict[str, Any]:
    return {"image": picture(n), "query": f"How many {n}?", "label": [str(n)], "human_or_machine": n % 2}


def realworldqa(n: int) -> dict[str, Any]:
    return {
        "image": picture(n),
        "question": f"Where is {n}?\nA. Left\nB. Right",
        "answer": "A",
        "image_path": f"{n}.webp",
    }


def mathvista(n: int) -> dict[str, Any]:
    return {**{"pid": str(n), "question": f"How long is {n}?", "image": f"images/{n}.jpg", "decoded_image": picture(n)},
            **{"choices": ["1", "2"] if n else None, "unit": None, "precision": 1.0, "answer": f"{n}.0"},
            **{"question_type": "multi_choice" if n else "free_form", "answer_type": "float"},
            **{"metadata": {"split": "testmini"}, "query": f"Hint: a float.\nQuestion: How {n}?"}}  # fmt: skip


def llava(n: int) -> dict[str, Any]:
    talk = [{"from": "human", "value": f"<image>\nWhat is {n}?"}, {"from": "gpt", "value": f"A {n}."}]
    return {"id": f"00{n}", "image": f"00{n}.png", "conversations": talk}


def xlam(n: int) -> dict[str, Any]:
    tool = {"name": f"tool_{n}", "description": "d", "parameters": {"x": {"description": "x", "type": "int, optional"}}}
    calls = [{"name": f"tool_{n}", "arguments": {"x": n}}]
    return {"query": f"Call {n}", "id": n, "answers": json.dumps(calls), "tools": json.dumps([tool])}


def glaive(n: int) -> dict[str, Any]:
    tool = json.dumps({"name": f"tool_{n}", "description": "d", "parameters": {}}, indent=4)
    call = f'<functioncall> {{"name": "tool_{n}", "arguments": \'{{"x": {n}}}\'}} <|endoftext|>'
    return {
        "system": f"SYSTEM: You are a helpful assistant with access to the following functions. Use them -\n{tool}\n",
        "chat": f"USER: Call {n}\n\n\nASSISTANT: {call}\n\n\nFUNCTION RESPONSE: {{}}\n\n\nASSISTANT: Done. ",
    }


def hermes(n: int) -> dict[str, Any]:
    tool = {"type": "function", "function": {"name": "price", "description": "d", "parameters": {"type": "object"}}}
    said = f"<tool_call>\n{{'arguments': {{'n': {n}}}, 'name': 'price'}}\n</tool_call>\n"
    talk = [
        {"from": "system", "value": "<tools>"},
        {"from": "human", "value": f"Price {n}?"},
        {"from": "gpt", "value": said},
    ]
    return {
        "id": f"a{n}",
        "conversations": talk,
        "tools": json.dumps([tool]),
        "category": "c",
        "subcategory": "s",
        "task": "t",
    }


def made(make: Callable[[int], dict[str, Any]], count: int = ROWS) -> list[dict[str, Any]]:
    return [make(number) for number in range(count)]


MBPP_SPLITS = ("train", "test", "validation", "prompt")
SUBJECTS = ("algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
            "precalculus")  # fmt: skip


def repositories() -> dict[str, Files]:
    """Return repository -> path -> content, or rows and features of a Parquet file."""
    speech = table(librispeech, audio=AUDIO)
    return {
        "sahil2801/CodeAlpaca-20k": {
            "code_alpaca_20k.json": array(
                made(lambda n: {"output": f"print({n})", "instruction": f"Print {n}.", "input": ""})
            )
        },
        "ise-uiuc/Magicoder-Evol-Instruct-110K": {
            "data-evol_instruct-decontaminated.jsonl": lines(
                made(lambda n: {"instruction": f"Do {n}.", "response": f"Done {n}."})
            )
        },
        "open-r1/codeforces-cots": {
            "solutions/train-00000-of-00010.parquet": table(codeforces("cpp")),
            "solutions/train-00001-of-00010.parquet": table(codeforces("cpp")),
            "solutions_py/train-00000-of-00003.parquet": table(codeforces("python")),
        },
        "google-research-datasets/mbpp": {
            **{f"full/{split}-00000-of-00001.parquet": table(mbpp) for split in MBPP_SPLITS},
            **{f"sanitized/{split}-00000-of-00001.parquet": table(mbpp_sanitized) for split in MBPP_SPLITS},
        },
        "openai/openai_humaneval": {"openai_humaneval/test-00000-of-00001.parquet": table(humaneval)},
        "evalplus/humanevalplus": {"data/test-00000-of-00001-5973903632b82d40.parquet": table(humaneval)},
        "livecodebench/code_generation_lite": {
            "code_generation_lite.py": b"raise SystemExit('a loading script must not run')\n",
            "test.jsonl": lines(made(livecodebench, 4)),
            "test2.jsonl": lines([{**row, "question_id": "b" + row["question_id"]} for row in made(livecodebench, 2)]),
        },
        "meta-math/MetaMathQA": {"MetaMathQA-395K.json": array(made(metamath))},
        "openai/gsm8k": {
            **{f"main/{split}-00000-of-00001.parquet": table(gsm8k) for split in ("train", "test")},
            "socratic/train-00000-of-00001.parquet": table(gsm8k),
        },
        "EleutherAI/hendrycks_math": {
            f"{subject}/{split}-00000-of-00001.parquet": table(math_row, 2)
            for subject in SUBJECTS
            for split in ("train", "test")
        },
        "HuggingFaceH4/MATH-500": {"test.jsonl": lines(made(math500))},
        "Maxwell-Jia/AIME_2024": {
            "aime_2024_problems.parquet": table(
                lambda n: {"ID": f"2024-I-{n}", "Problem": f"P{n}", "Solution": "S", "Answer": n}
            )
        },
        "math-ai/aime25": {
            "test.jsonl": lines(made(lambda n: {"problem": f"P{n}", "answer": str(n), "id": str(n)}))
        },
        "openslr/librispeech_asr": {
            f"{folder}/0000.parquet": speech
            for folder in ("clean/train.100", "clean/train.360", "clean/validation", "clean/test", "other/test")
        },
        "google/speech_commands": {
            "speech_commands.py": b"raise SystemExit('a loading script must not run')\n",
            **{f"v0.02/{split}/0000.parquet": table(command, audio=AUDIO) for split in ("train", "test")},
        },
        "lmms-lab/textvqa": {
            f"data/{split}-00000-of-00020.parquet": table(textvqa, image=IMAGE)
            for split in ("train", "validation", "test")
        },
        "lmms-lab/DocVQA": {"DocVQA/validation-00000-of-00006.parquet": table(docvqa, image=IMAGE)},
        "HuggingFaceM4/ChartQA": {
            f"data/{split}-00000-of-00003-49492f364babfa44.parquet": table(chartqa, image=IMAGE, human_or_machine=LABEL)
            for split in ("train", "val", "test")
        },
        "xai-org/RealworldQA": {"data/test-00000-of-00002.parquet": table(realworldqa, image=IMAGE)},
        "AI4Math/MathVista": {
            "data/testmini-00000-of-00001-725687bf7a18d64b.parquet": table(mathvista, decoded_image=IMAGE)
        },
        "liuhaotian/LLaVA-Instruct-150K": {"llava_instruct_150k.json": array(made(llava)), "other.json": b"[]"},
        "Salesforce/xlam-function-calling-60k": {"xlam_function_calling_60k.json": array(made(xlam, 60))},
        "glaiveai/glaive-function-calling-v2": {"glaive-function-calling-v2.json": array(made(glaive, 60))},
        "NousResearch/hermes-function-calling-v1": {
            "func-calling-singleturn.json": array(made(hermes)), "func-calling.json": array(made(hermes))
        },
    }  # fmt: skip


def write_repositories(root: Path) -> None:
    """Write all of them below `root/datasets`."""
    for repository, files in repositories().items():
        for name, content in {"README.md": b"---\nlicense: mit\n---\nRows made for a test.\n", **files}.items():
            path = root / "datasets" / repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else parquet(*content))
