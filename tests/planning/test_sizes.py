"""Parameters of a model that is said, and of one that is counted."""

from pathlib import Path

import pytest
from safetensors import safe_open
from transformers import AutoConfig

from halo_forge.core.errors import ModelError
from halo_forge.models.resolve import ModelRef
from halo_forge.planning.sizes import count_parameters, read_size


def test_a_size_is_said() -> None:
    assert [read_size(text) for text in ("7B", "350m", "1.5 b", "12")] == [7e9, 350e6, 1.5e9, 12]


def test_a_model_is_counted_by_its_weights_or_its_config(nano_model: Path, tmp_path: Path) -> None:
    with safe_open(nano_model / "model.safetensors", "pt") as weights:
        own = sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118  it is no mapping
    assert read_size(str(nano_model)) == own
    AutoConfig.from_pretrained(nano_model).save_pretrained(tmp_path)
    assert count_parameters(ModelRef(str(tmp_path))) == own


@pytest.mark.parametrize("text", ["big/ger/model", "0B", "./nowhere"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"--model takes a size such as 7B or 350M, a model's folder or its Hub id"):
        read_size(text)
