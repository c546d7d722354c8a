"""Whisper (Radford et al. 2022, arXiv 2212.04356): a piece of audio in, its transcript out.

The encoder hears the log-mel spectrogram of one window, 30 s in the published models, silence behind what is shorter.
The decoder's row is `<|startoftranscript|>`, in multilingual models the language and `<|transcribe|>`, then
`<|notimestamps|>`, the transcript and `<|endoftext|>`. A transcript is written with a space in front of it, as the
published models do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import MediaPart, Message, media_of
from halo_forge.models.media import BadMedia
from halo_forge.models.renderers.base import Fit, MediaFormat, Misfit
from halo_forge.models.renderers.kept import KeptTensors
from halo_forge.models.renderers.sound import measure_sound, read_sound
from halo_forge.models.tool_format import Tools

START, TRANSCRIBE, NO_TIMES = "<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>"


class SpeechFormat(MediaFormat):
    """See `MediaFormat`.

    Args:
        tokenizer: Whisper's.
        extractor: Whisper's, which makes the spectrogram.
        language: a code such as `en`; None for a model that knows but one.
        extra_stop_ids: further tokens that end an answer.

    Raises:
        ModelError: the tokenizer lacks Whisper's tokens, or the language.
    """

    def __init__(
        self, tokenizer: Any, extractor: Any, language: str | None, extra_stop_ids: Sequence[int] = ()
    ) -> None:
        ends = {tokenizer.eos_token_id, *extra_stop_ids}
        pad = tokenizer.pad_token_id
        super().__init__(
            frozenset(end for end in ends if end is not None), tokenizer.eos_token_id if pad is None else pad
        )
        self.tokenizer = tokenizer
        self._extractor = extractor
        self._prefix = _prefix(tokenizer, language)
        self._window_s: float = extractor.n_samples / extractor.sampling_rate
        self._added = tuple(token.content for token in tokenizer.added_tokens_decoder.values())
        self._kept = KeptTensors()

    def fit(self, media: Sequence[MediaPart]) -> Fit:
        """See `MediaFormat`: audio longer than the window is heard as far as that goes."""
        try:
            lengths = [measure_sound(part) for part in media]
        except BadMedia as error:
            return Fit(str(error), usable=False)
        if any(length > self._window_s for length in lengths):
            return Fit(f"with audio longer than the model's window of {self._window_s:g} s")
        return Fit()

    def prompt_ids(self, messages: Sequence[Message], tools: Tools = ()) -> list[int]:
        """See `MediaFormat`; a prompt is one piece of audio and nothing else."""
        if [part.kind for part in media_of(messages)] != ["audio"] or tools:
            raise DataError("a speech model takes one piece of audio a prompt, no image and no tools")
        if said := " ".join(m.text.strip() for m in messages if m.text.strip()):
            raise DataError(
                f"a speech model takes audio alone, and this prompt also says {said[:80]!r}: leave that out"
            )
        return list(self._prefix)

    def conversation_row(self, messages: Sequence[Message], tools: Tools = ()) -> TrainingRow:
        """See `MediaFormat`; the assistant's turn is the transcript."""
        if not messages or messages[-1].role != "assistant":
            raise DataError("a row for a speech model ends with the assistant's turn, which is the transcript")
        media = media_of(messages)
        prompt = self.prompt_ids(messages[:-1], tools)
        if reason := self.fit(media).reason:
            raise Misfit(reason)
        said = messages[-1].text.strip()
        if any(token in said for token in self._added):
            raise Misfit("with control tokens in the transcript")
        answer = [*self.tokenizer.encode(f" {said}", add_special_tokens=False), self.tokenizer.eos_token_id]
        return TrainingRow((*prompt, *answer), (False,) * len(prompt) + (True,) * len(answer), media=media)

    def decode(self, token_ids: Sequence[int]) -> str:
        """See `MediaFormat`."""
        ids = [token for token in token_ids if token not in self.stop_ids]
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text.strip()

    def tensors(self, media: Sequence[Sequence[MediaPart]], ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """See `MediaFormat`: `input_features` (R, mels, frames) float32."""
        return {"input_features": torch.stack([self._kept.get(part, self._spectrogram) for (part,) in media])}

    def save(self, folder: Path) -> None:
        """See `MediaFormat`."""
        self.tokenizer.save_pretrained(folder)
        self._extractor.save_pretrained(folder)

    def _spectrogram(self, part: MediaPart) -> torch.Tensor:
        rate = self._extractor.sampling_rate
        try:
            samples = read_sound(part, rate, self._window_s)
        except BadMedia as error:
            raise DataError(f"{part.path} cannot be read any more, {error}") from error
        # One at a time, so that what a clip sounds like does not depend on its neighbours.
        found: torch.Tensor = self._extractor(samples, sampling_rate=rate, return_tensors="pt").input_features[0]
        return found


def _prefix(tokenizer: Any, language: str | None) -> list[int]:
    """Tokens before a transcript."""
    names = [START, NO_TIMES] if language is None else [START, f"<|{language}|>", TRANSCRIBE, NO_TIMES]
    known = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    if missing := [name for name in names if name not in known]:
        raise ModelError(
            f"the tokenizer of '{tokenizer.name_or_path}' lacks {', '.join(missing)}: is this a Whisper model?"
        )
    return [known[name] for name in names]
