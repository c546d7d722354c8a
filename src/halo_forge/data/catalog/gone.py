"""Datasets that people ask for by ids that no longer work, and what to take instead."""

from __future__ import annotations

LEFT_COMMON_VOICE = (
    "Common Voice left the Hub in October 2025: download the language from https://commonvoice.mozilla.org, unpack it, "
    "and give --dataset common_voice --media-root FOLDER (the folder with train.tsv and clips)"
)
TAKEN_DOWN_MATH = "it was taken down from the Hub in January 2025: take --dataset math, the same problems elsewhere"

# Beginning of an id, lower-case -> what became of it.
GONE: dict[str, str] = {
    "mozilla-foundation/common_voice": LEFT_COMMON_VOICE,
    "hendrycks/competition_math": TAKEN_DOWN_MATH,
    "competition_math": TAKEN_DOWN_MATH,
    "lighteval/math": TAKEN_DOWN_MATH,
    "librispeech_asr": "its id is openslr/librispeech_asr: take --dataset librispeech",
    "openai_humaneval": "its id is openai/openai_humaneval: take --dataset humaneval",
    "livecodebench/code_generation": "take --dataset livecodebench, which reads its files without the loading script",
}


def advice(name: str) -> str | None:
    """Say what became of an id that no longer works, or what to do with any other id; None for a name."""
    found = next((text for start, text in GONE.items() if name.lower().startswith(start)), None)
    if found is not None or name.count("/") != 1:
        return found
    return (
        "that is an id of the Hub, but names of the catalogue are meant here (`halo-forge data prepare --list`); for "
        "any other dataset write a YAML file with hub_id, split and columns, and give --dataset FILE.yaml"
    )
