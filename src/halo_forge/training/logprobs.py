"""Log-probabilities of learnt tokens without ever holding the logits of a whole batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from halo_forge.models.load import Policy
from halo_forge.training.layout import Layout

LOGITS_AT_ONCE = 1 << 25  # elements; 128 MiB in float32


class TokenScorer:
    """Gives learnt tokens their log-probability under a model.

    The vocabulary is reached from the places of learnt tokens alone, in pieces that are made again for the backward
    pass. That takes a model whose logits are its output layer on its last hidden states and nothing more, which is
    tried out on a few tokens; of any other (soft-capped or scaled logits) the whole model is asked.
    An adapter's layers sit in the model itself, so its wrapper is passed by.

    Args:
        whole: what gives the model's output where no part of it may be called by itself.
    """

    def __init__(self, policy: Policy, whole: Callable[..., Any] | None = None) -> None:
        self._model: Any = policy.inner
        self._whole = whole or self._model
        self._ids = "decoder_input_ids" if self._model.config.is_encoder_decoder else "input_ids"
        self._body: Any = getattr(self._model, self._model.base_model_prefix, None)
        self._head: Any = self._model.get_output_embeddings()
        self._slices = "logits_to_keep" in inspect.signature(self._model.forward).parameters
        decodes = not self._model.config.is_encoder_decoder
        self._plain = (
            whole is None and decodes and self._body is not None and self._head is not None and self._is_plain()
        )

    def __call__(self, layout: Layout, temperatures: torch.Tensor | None = None) -> torch.Tensor:
        """Score the learnt tokens of a layout.

        Args:
            temperatures: (N,) float32 by which logits are divided, None for 1.

        Returns:
            (N,) float32.
        """
        if not self._plain:
            return _score(self._all_logits(layout), layout.targets, temperatures)
        hidden = self._body(
            input_ids=layout.ids, position_ids=layout.positions, **layout.tensors, use_cache=False
        ).last_hidden_state
        hidden = hidden.flatten(0, 1).index_select(0, layout.places)
        size = max(1, LOGITS_AT_ONCE // self._model.config.get_text_config().vocab_size)
        if len(hidden) <= size:
            return _score(self._head(hidden), layout.targets, temperatures)
        pieces = [
            checkpoint(
                self._piece,
                hidden[start : start + size],
                layout.targets[start : start + size],
                None if temperatures is None else temperatures[start : start + size],
                use_reentrant=False,
            )
            for start in range(0, len(hidden), size)
        ]
        return torch.cat(pieces)

    def _piece(self, hidden: torch.Tensor, targets: torch.Tensor, temperatures: torch.Tensor | None) -> torch.Tensor:
        return _score(self._head(hidden), targets, temperatures)

    def _all_logits(self, layout: Layout) -> torch.Tensor:
        """Logits (N, V) at the places of learnt tokens, of a model whose output layer is not all there is."""
        inputs = {self._ids: layout.ids, **layout.tensors, "use_cache": False}
        if layout.positions is not None:
            inputs["position_ids"] = layout.positions
        width = layout.ids.shape[1]
        if not self._slices:
            logits: torch.Tensor = self._whole(**inputs).logits
            return logits.flatten(0, 1).index_select(0, layout.places)
        columns, column_of = torch.unique(layout.places % width, return_inverse=True)
        logits = self._whole(**inputs, logits_to_keep=columns).logits
        return logits[layout.places // width, column_of]

    @torch.no_grad()
    def _is_plain(self) -> bool:
        vocabulary = self._model.config.get_text_config().vocab_size
        ids = torch.arange(8, device=next(self._model.parameters()).device)[None] % vocabulary
        training = self._model.training
        self._model.eval()
        whole = self._model(input_ids=ids, use_cache=False).logits
        ours = self._head(self._body(input_ids=ids, use_cache=False).last_hidden_state)
        self._model.train(training)
        return whole.shape == ours.shape and torch.equal(whole, ours)


def _score(logits: torch.Tensor, targets: torch.Tensor, temperatures: torch.Tensor | None) -> torch.Tensor:
    logits = logits.float()
    if temperatures is not None:
        logits = logits / temperatures[:, None]
    return -cross_entropy(logits, targets, reduction="none")


@torch.no_grad()
def keeps_rows_apart(model: Any) -> bool:
    """Whether a packed row is blind to the one before it, in this model with this attention: tried out on tokens."""
    vocabulary = model.config.get_text_config().vocab_size
    device = next(model.parameters()).device
    places = torch.arange(8, device=device)[None]
    training = model.training
    model.eval()
    seen = [
        model(
            input_ids=torch.cat([(places + shift) % vocabulary, places % vocabulary], dim=1),
            position_ids=torch.cat([places, places], dim=1),
            use_cache=False,
        ).logits[:, places.shape[1] :]
        for shift in (0, 3)
    ]
    model.train(training)
    return torch.equal(*seen)
