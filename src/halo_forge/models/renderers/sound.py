"""Audio as samples: any rate and number of channels to the one rate that a model hears."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import MediaPart
from halo_forge.models.media import BadMedia, inspect_media, read_media, require_soundfile


def require_sound() -> None:
    """See that audio can be read and resampled.

    Raises:
        EnvironmentFault: a library is missing.
    """
    require_soundfile()
    try:
        import soxr  # noqa: F401  only to see that it is there
    except (ImportError, OSError) as error:
        raise EnvironmentFault(f"audio needs the soxr library ({error}): pip install 'halo-forge[audio]'") from error


def measure_sound(part: MediaPart) -> float:
    """Return how long a piece of audio lasts, seconds.

    A file whose hash was recorded has been decoded as a whole before; of any other, all of it is decoded here.

    Raises:
        BadMedia: it cannot be used.
    """
    require_sound()
    import soundfile

    if not part.sha256:
        inspect_media("audio", read_media(part))
    try:
        found = soundfile.info(part.path)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise BadMedia("whose audio file is not there or broken") from error
    return float(found.frames / found.samplerate)


def read_sound(part: MediaPart, rate: int, most_s: float) -> NDArray[np.float32]:
    """Read a piece of audio.

    Args:
        rate: samples a second of what is returned.
        most_s: seconds read; the rest is left.

    Returns:
        (N,) float32, the mean of the channels, -1 to 1.

    Raises:
        BadMedia: it cannot be used.
    """
    require_sound()
    import soundfile
    import soxr

    content = read_media(part)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as sound:
            own_rate = sound.samplerate
            samples = sound.read(int(most_s * own_rate) + 1, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise BadMedia("with broken audio") from error
    if not len(samples) or not np.isfinite(samples).all():
        raise BadMedia("with broken audio")
    mono = samples.mean(axis=1, dtype=np.float32)
    if own_rate != rate:
        mono = soxr.resample(mono, own_rate, rate)
    heard: NDArray[np.float32] = np.ascontiguousarray(mono[: round(most_s * rate)], dtype=np.float32)
    return heard
