"""The files of images and audio, and which of them can be used (`images.py` knows pictures). Without torch.

What cannot be decoded, or whose size would break what reads it later, is bad: whoever meets it leaves its row out, with
a count.
"""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import MediaPart

MOST_BYTES = 256 << 20
SHORTEST_S, LONGEST_S = 0.01, 3600.0
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
BLOCK_FRAMES = 1 << 18
AUDIO_ENDINGS = {
    "FLAC": "flac",
    "WAV": "wav",
    "WAVEX": "wav",
    "OGG": "ogg",
    "MP3": "mp3",
    "MPEG": "mp3",
    "AIFF": "aiff",
}


class BadMedia(Exception):
    """An image or audio that cannot be used; the text is the reason, in words that fit behind a count."""


def read_media(part: MediaPart) -> bytes:
    """Return the bytes of an image or a piece of audio.

    Raises:
        BadMedia: the file is not there, too large, or not the one whose hash was recorded.
    """
    path = Path(part.path)
    if not path.is_file():
        raise BadMedia(f"whose {part.kind} file is not there")
    if path.stat().st_size > MOST_BYTES:
        raise BadMedia(f"with an {part.kind} of more than {MOST_BYTES >> 20} MiB")
    content = path.read_bytes()
    if part.sha256 and sha256(content).hexdigest() != part.sha256:
        raise BadMedia(f"whose {part.kind} file has changed since its hash was taken")
    return content


def inspect_media(kind: str, content: bytes) -> str:
    """Decode an image or a piece of audio as a whole and return the ending of its format.

    Raises:
        BadMedia: it cannot be used.
        EnvironmentFault: the library that decodes it is missing.
    """
    if not content:
        raise BadMedia(f"with empty {kind}")
    if len(content) > MOST_BYTES:
        raise BadMedia(f"with an {kind} of more than {MOST_BYTES >> 20} MiB")
    return _image(content) if kind == "image" else _audio(content)


def _image(content: bytes) -> str:
    from halo_forge.models.images import ENDINGS, decode_image

    return ENDINGS[str(decode_image(content).format)]


def require_soundfile() -> None:
    """See that audio can be read.

    Raises:
        EnvironmentFault: a library is missing.
    """
    try:
        import soundfile  # noqa: F401  only to see that it is there
    except (ImportError, OSError) as error:
        raise EnvironmentFault(
            f"audio needs the soundfile library ({error}): pip install 'halo-forge[audio]'"
        ) from error


def _audio(content: bytes) -> str:
    require_soundfile()
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as sound:
            ending = AUDIO_ENDINGS.get(str(sound.format))
            if ending is None:
                raise BadMedia("with audio in a format that is not known")
            if not LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE:
                raise BadMedia(
                    f"with audio of less than {LOWEST_RATE:,} or more than {HIGHEST_RATE:,} samples a second"
                )
            if not SHORTEST_S <= sound.frames / sound.samplerate <= LONGEST_S:
                raise BadMedia(f"with audio shorter than {SHORTEST_S:g} s or longer than {LONGEST_S:g} s")
            frames = sum(len(block) for block in sound.blocks(BLOCK_FRAMES))
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise BadMedia("with broken audio") from error
    if frames < SHORTEST_S * sound.samplerate:
        raise BadMedia("with broken audio")
    return ending
