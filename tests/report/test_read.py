from pathlib import Path

from halo_forge.report.read import read_run, read_settings


def test_settings_have_section_value_and_origin(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "# Model\nmodel: a # b  # flag\n\n"
        "# Sampling\nsystem_prompt: 'Be\n\n  # brief'  # file x.yaml\ntop_k: null  # default\n"
    )
    found = [(s.section, s.name, s.value, s.origin) for s in read_settings(path)]
    assert found == [
        ("Model", "model", "a # b", "flag"),
        ("Sampling", "system_prompt", "'Be\n\n  # brief'", "file x.yaml"),
        ("Sampling", "top_k", "none", "default"),
    ]


def test_settings_of_a_real_run(raft_run: Path) -> None:
    settings = {s.name: s for s in read_run(raft_run).settings}
    assert settings["cycles"].value == "4" and settings["cycles"].origin == "flag"
    assert settings["keep_fraction"].section == "Selection"


def test_ending_of_each_run(raft_run: Path, interrupted_run: Path) -> None:
    assert read_run(raft_run).ending == "finished"
    assert read_run(interrupted_run).ending.startswith("stopped at a safe point")
    (raft_run / "exit.json").unlink()
    assert read_run(raft_run).ending == "finished"
