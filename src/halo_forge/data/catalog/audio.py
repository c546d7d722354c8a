"""Speech: what is said, and single spoken words.

`audio` is stored before a row is converted, so that these functions see `{"kind": "audio", "path": …, "sha256": …}`.
"""

from __future__ import annotations

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, MediaPart, Message, Prompt, Reference
from halo_forge.data.catalog import Dataset, Part
from halo_forge.data.fields import text_field
from halo_forge.data.jsonl import JsonObject
from halo_forge.data.messages import make_message
from halo_forge.data.parts import read_content

# The labels of speech_commands v0.02, in the order of their numbers.
WORDS = (
    "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "zero", "one", "two", "three", "four",
    "five", "six", "seven", "eight", "nine", "bed", "bird", "cat", "dog", "happy", "house", "marvin", "sheila", "tree",
    "wow", "backward", "forward", "follow", "learn", "visual", "_silence_",
)  # fmt: skip


def librispeech_row(values: JsonObject, id: str) -> Prompt:
    """openslr/librispeech_asr (Panayotov et al. 2015), cc-by-4.0, 281,241 rows for training, 16 kHz.

    `{"file": "374-180298-0000.flac", "audio": {"bytes": …, "path": "374-180298-0000.flac"},
    "text": "CHAPTER SIXTEEN I MIGHT HAVE TOLD YOU OF THE BEGINNING OF THIS LIAISON IN A FEW LINES …",
    "speaker_id": 374, "chapter_id": 180298, "id": "374-180298-0000"}`

    The id is the utterance's own; it begins with the speaker and the chapter.
    """
    transcript = _transcript(values, "text")
    return Prompt(
        id=text_field(values, "id") or id, messages=(_heard(values),), reference=Reference(transcript=transcript)
    )


def librispeech_sft_row(values: JsonObject, id: str) -> Conversation:
    """As `librispeech_row`, to learn from, in lower case: nobody writes as the corpus does, in capitals alone."""
    said = make_message("assistant", _transcript(values, "text").lower())
    return Conversation(id=text_field(values, "id") or id, messages=(_heard(values), said))


def common_voice_row(values: JsonObject, id: str) -> Prompt | None:
    """Mozilla Common Voice, CC0, one folder a language with `train.tsv`, `dev.tsv`, `test.tsv` and `clips/*.mp3`.

    `{"client_id": "7f1e…", "path": "common_voice_en_18131402.mp3", "sentence": "Joe Keaton disapproved of films.",
    "up_votes": "2", "down_votes": "0", "age": "", "gender": "", "accents": "", "locale": "en"}`

    It left the Hub in October 2025; `--media-root` names the unpacked folder.
    """
    sentence = (text_field(values, "sentence") or "").strip()
    if not sentence:
        return None
    return Prompt(id=id, messages=(_heard(values, "path"),), reference=Reference(transcript=sentence))


def common_voice_sft_row(values: JsonObject, id: str) -> Conversation | None:
    """As `common_voice_row`, to learn from."""
    prompt = common_voice_row(values, id)
    if prompt is None or prompt.reference.transcript is None:
        return None
    return Conversation(id=id, messages=(*prompt.messages, make_message("assistant", prompt.reference.transcript)))


def speech_commands_row(values: JsonObject, id: str) -> Prompt | None:
    """google/speech_commands, config v0.02 (Warden 2018), cc-by-4.0, 84,848, 9,982 and 4,890 rows.

    `{"file": "no/7846fd85_nohash_0.wav", "audio": {"bytes": …, "path": "7846fd85_nohash_0.wav"}, "label": 1,
    "is_unknown": true, "speaker_id": "7846fd85", "utterance_id": 0}`

    The answer is the word; the choices are all words of the set. Pieces of background noise are left out.
    """
    label = values.get("label")
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(WORDS):
        label = WORDS[label]
    if not isinstance(label, str) or label not in WORDS:
        raise DataError(f"'label' must be a word of the set, or its number, 0 to {len(WORDS) - 1}, but it is {label!r}")
    if label.startswith("_"):
        return None
    words = tuple(word for word in WORDS if not word.startswith("_"))
    return Prompt(id=id, messages=(_heard(values),), reference=Reference(answer=label, choices=words))


def speech_commands_sft_row(values: JsonObject, id: str) -> Conversation | None:
    """As `speech_commands_row`, to learn from."""
    prompt = speech_commands_row(values, id)
    if prompt is None or prompt.reference.answer is None:
        return None
    return Conversation(id=id, messages=(*prompt.messages, make_message("assistant", prompt.reference.answer)))


def _heard(values: JsonObject, key: str = "audio") -> Message:
    content = read_content([values.get(key)], key)
    if isinstance(content, str) or not isinstance(content[0], MediaPart):
        raise DataError(f"{key!r} must be audio")
    return make_message("user", content)


def _transcript(values: JsonObject, key: str) -> str:
    text = (text_field(values, key) or "").strip()
    if not text:
        raise DataError(f"{key!r} is blank")
    return text


def _librispeech_part(split: str) -> Part:
    """`train.clean.100` is in the folder `clean/train.100`, or in `all/train.clean.100`."""
    part, kind, *hours = split.split(".")
    return Part((f"{kind}/{'.'.join([part, *hours])}/*.parquet", f"all/{split}/*.parquet"))


LIBRISPEECH_SPLITS = {
    name: _librispeech_part(name)
    for name in (
        "train.clean.100", "train.clean.360", "train.other.500", "validation.clean", "validation.other", "test.clean",
        "test.other",
    )
}  # fmt: skip
LIBRISPEECH = Dataset(
    name="librispeech",
    domain="audio",
    use="rlvr",
    hub_id="openslr/librispeech_asr",
    config="clean",
    split="train.clean.360",
    splits=LIBRISPEECH_SPLITS,
    licence="cc-by-4.0",
    rows=104_014,
    size_mb=23_000,
    gated=False,
    columns=("audio", "text", "id"),
    convert=librispeech_row,
    media={"audio": "audio"},
    test_split="test.clean",
    note="another part than librispeech_sft's train.clean.100, so that RAFT meets new utterances",
)
LIBRISPEECH_SFT = Dataset(
    name="librispeech_sft",
    domain="audio",
    use="sft",
    hub_id="openslr/librispeech_asr",
    config="clean",
    split="train.clean.100",
    splits=LIBRISPEECH_SPLITS,
    licence="cc-by-4.0",
    rows=28_539,
    size_mb=6_600,
    gated=False,
    columns=("audio", "text", "id"),
    convert=librispeech_sft_row,
    media={"audio": "audio"},
)
COMMON_VOICE = Dataset(
    name="common_voice",
    domain="audio",
    use="rlvr",
    hub_id=None,
    config=None,
    split="train",
    splits={name: Part((f"{name}.tsv",)) for name in ("train", "dev", "test", "validated")},
    licence="cc0-1.0",
    rows=0,
    gated=False,
    columns=("path", "sentence"),
    convert=common_voice_row,
    also={"sft": common_voice_sft_row},
    media={"path": "audio"},
    media_root=True,
    test_split="test",
    note="not on the Hub: --media-root FOLDER of a language, from https://commonvoice.mozilla.org",
)
SPEECH_COMMANDS = Dataset(
    name="speech_commands",
    domain="audio",
    use="rlvr",
    hub_id="google/speech_commands",
    config="v0.02",
    split="train",
    splits={name: Part((f"v0.02/{name}/*.parquet",)) for name in ("train", "validation", "test")},
    licence="cc-by-4.0",
    rows=84_848,
    size_mb=2_500,
    gated=False,
    columns=("audio", "label"),
    convert=speech_commands_row,
    also={"sft": speech_commands_sft_row},
    media={"audio": "audio"},
    revision="refs/convert/parquet",
    test_split="test",
    note="a script-based set: read from the Hub's own conversion",
)
