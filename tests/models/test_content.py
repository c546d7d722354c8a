from __future__ import annotations

import os
from pathlib import Path

from halo_forge.models.content import hash_model
from halo_forge.models.resolve import ModelRef


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


def test_a_model_is_known_by_its_content_and_not_by_its_place(tmp_path: Path) -> None:
    one = write(tmp_path / "one", config_json=b"{}", model_safetensors=b"abc")
    two = write(tmp_path / "two", config_json=b"{}", model_safetensors=b"abc", README_md=b"notes")
    (two / "checkpoint.json").write_text("{}")
    assert hash_model(ModelRef(str(one)))["model"][1] == hash_model(ModelRef(str(two)))["model"][1]


def test_weights_written_again_in_the_same_size_and_time_are_found_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", config_json=b"{}", model_safetensors=b"abc")
    before, state = hash_model(ModelRef(str(folder))), (folder / "model.safetensors").stat()
    write(folder, model_safetensors=b"abd")
    os.utime(folder / "model.safetensors", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert hash_model(ModelRef(str(folder))) != before


def test_contents_that_swap_their_files_differ(tmp_path: Path) -> None:
    one = write(tmp_path / "one", a_json=b"1", b_json=b"2")
    two = write(tmp_path / "two", a_json=b"2", b_json=b"1")
    assert hash_model(ModelRef(str(one)))["model"][1] != hash_model(ModelRef(str(two)))["model"][1]


def test_an_adapter_and_its_base_have_a_hash_each(tmp_path: Path) -> None:
    base, adapter = write(tmp_path / "base", config_json=b"{}"), write(tmp_path / "adapter", adapter__json=b"{}")
    found = hash_model(ModelRef(str(base), str(adapter)))
    assert {name: path for name, (path, _) in found.items()} == {"model": str(base), "adapter": str(adapter)}
