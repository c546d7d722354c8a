"""The Qwen2-VL family (Wang et al. 2024, arXiv 2409.12191; Bai et al. 2025, arXiv 2502.13923): images and text in.

A chat template writes a mark where an image stands. The mark's token is repeated as often as the image has places after
the vision tower, which follows from the image's size alone: it is scaled so that both sides are whole numbers of merged
patches and the number of pixels is within the model's limits. So ids are made from headers, and pictures are decoded
when a batch is. Any model whose image processor says `get_number_of_image_patches` and gives `pixel_values` and
`image_grid_thw` is rendered so.

Images are prepared with Pillow and numpy, whether or not torchvision is there: the two differ in the last digits, and a
model should see one and the same picture on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import MediaPart, Message, TextPart, media_of
from halo_forge.models.chat import ChatFormat, write_turns
from halo_forge.models.images import image_size, read_image
from halo_forge.models.media import BadMedia, inspect_media, read_media
from halo_forge.models.renderers.base import Fit, MediaFormat, Misfit
from halo_forge.models.renderers.kept import KeptTensors
from halo_forge.models.tool_format import Tools


class VisionFormat(MediaFormat):
    """See `MediaFormat`.

    Args:
        tokenizer: with a chat template that takes image parts.
        images: the image processor.
        mark_id: the token of an image's places.
        template: see `ChatFormat`.
        extra_stop_ids: further tokens that end an answer.
        max_pixels: of an image as the model sees it, where it is to be less than the processor's own limit.

    Raises:
        ModelError: the processor has not this form, or the template leaves images out.
    """

    def __init__(
        self,
        tokenizer: Any,
        images: Any,
        mark_id: int,
        template: str | None = None,
        extra_stop_ids: Sequence[int] = (),
        max_pixels: int | None = None,
    ) -> None:
        self._chat = PartsFormat(tokenizer, template, extra_stop_ids)
        super().__init__(self._chat.stop_ids, self._chat.pad_id)
        if not callable(getattr(images, "get_number_of_image_patches", None)):
            raise ModelError(
                f"the image processor of '{tokenizer.name_or_path}' is a {type(images).__name__}, which does not say "
                "how many places an image takes: models of the Qwen2-VL family can be used"
            )
        self.tokenizer = tokenizer
        self._images = images
        self._mark = mark_id
        self._merged: int = images.merge_size**2
        most = images.size["longest_edge"]
        self._size = {
            "shortest_edge": images.size["shortest_edge"],
            "longest_edge": most if max_pixels is None else min(most, max_pixels),
        }
        self._kept = KeptTensors()
        self._grids: dict[str, torch.Tensor] = {}
        self._check_template()

    def fit(self, media: Sequence[MediaPart]) -> Fit:
        """See `MediaFormat`: a file whose hash was recorded has been decoded as a whole before, others are now."""
        try:
            for part in media:
                if part.kind != "image":
                    return Fit(f"with {part.kind}, which this model does not take", usable=False)
                if not part.sha256:
                    inspect_media("image", read_media(part))
                image_size(Path(part.path))
        except BadMedia as error:
            return Fit(str(error), usable=False)
        return Fit()

    def prompt_ids(self, messages: Sequence[Message], tools: Tools = ()) -> list[int]:
        """See `MediaFormat`."""
        ids = self._chat.prompt_ids(messages, tools)
        return self._widened(TrainingRow(tuple(ids), (False,) * len(ids), media=media_of(messages)))[0]

    def conversation_row(self, messages: Sequence[Message], tools: Tools = ()) -> TrainingRow:
        """See `MediaFormat`."""
        media = media_of(messages)
        if reason := self.fit(media).reason:
            raise Misfit(reason)
        row = self._chat.conversation_row(messages, tools)._replace(media=media)
        ids, learn = self._widened(row)
        return row._replace(ids=tuple(ids), learn=tuple(learn))

    def completion_row(self, messages: Sequence[Message], token_ids: Sequence[int], tools: Tools = ()) -> TrainingRow:
        """See `MediaFormat`.

        Raises:
            Misfit: the model drew the mark of an image, for which there is none.
        """
        if self._mark in token_ids:
            raise Misfit("with the mark of an image that is not there")
        return super().completion_row(messages, token_ids, tools)

    def decode(self, token_ids: Sequence[int]) -> str:
        """See `MediaFormat`."""
        return self._chat.decode(token_ids)

    def tensors(self, media: Sequence[Sequence[MediaPart]], ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """See `MediaFormat`: for rows with images `pixel_values` (patches, numbers of a patch) float32, the images of
        all rows end to end; `image_grid_thw` (images, 3) int64, frames, rows and columns of patches;
        `mm_token_type_ids` (R, T) int64, 1 at the places of images.
        """
        shown = [part for row in media for part in row]
        if not shown:
            return {}
        pixels = [self._kept.get(part, self._pixels) for part in shown]
        grids = torch.stack([self._grids[part.sha256 or part.path] for part in shown])
        places = ids == self._mark
        if int(places.sum()) != int(grids.prod(dim=1).sum()) // self._merged:
            raise DataError(f"an image has changed its size since its row was made: see {shown[0].path} and others")
        return {"pixel_values": torch.cat(pixels), "image_grid_thw": grids, "mm_token_type_ids": places.long()}

    def save(self, folder: Path) -> None:
        """See `MediaFormat`; the processor keeps its own limit of pixels."""
        self._chat.save(folder)
        self._images.save_pretrained(folder)

    def _widened(self, row: TrainingRow) -> tuple[list[int], list[bool]]:
        """Repeat the mark of each image as often as it has places, none of which is learnt."""
        marks = sum(token == self._mark for token in row.ids)
        if marks != len(row.media):
            raise DataError(
                f"the chat template writes {marks} images where the messages have {len(row.media)}: "
                "it is not one for this model; leave --chat-template out"
            )
        counts = iter([self._places(part) for part in row.media])
        ids: list[int] = []
        learn: list[bool] = []
        for token, learnt in zip(row.ids, row.learn, strict=True):
            count = next(counts) if token == self._mark else 1
            ids += [token] * count
            learn += [learnt and token != self._mark] * count
        return ids, learn

    def _places(self, part: MediaPart) -> int:
        """How many tokens an image takes."""
        try:
            width, height = image_size(Path(part.path))
        except BadMedia as error:
            raise DataError(f"{part.path} cannot be used, {error}") from error
        limits = {"min_pixels": self._size["shortest_edge"], "max_pixels": self._size["longest_edge"]}
        patches: int = self._images.get_number_of_image_patches(height, width, limits)
        return patches // self._merged

    def _pixels(self, part: MediaPart) -> torch.Tensor:
        try:
            image = read_image(part)
        except BadMedia as error:
            raise DataError(f"{part.path} cannot be read any more, {error}") from error
        made = self._images(images=[image], size=self._size, return_tensors="pt")
        self._grids[part.sha256 or part.path] = made["image_grid_thw"][0]
        pixels: torch.Tensor = made["pixel_values"]
        return pixels

    def _check_template(self) -> None:
        probe = Message(role="user", content=(MediaPart(kind="image", path="probe"), TextPart(text="a")))
        if self._chat.prompt_ids([probe]).count(self._mark) != 1:
            raise ModelError(
                f"the chat template of '{self.tokenizer.name_or_path}' does not show images: give the model's own"
            )


class PartsFormat(ChatFormat):
    """A chat template that takes contents of several parts."""

    def turns(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """See `ChatFormat`: images become parts without a file, of which templates write the mark alone."""
        bare = [message.model_copy(update={"content": message.text}) for message in messages]
        turns = write_turns(bare)
        for turn, message in zip(turns, messages, strict=True):
            if message.media:
                turn["content"] = [
                    {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": part.kind}
                    for part in message.content
                    if not isinstance(part, str)
                ]
        return turns
