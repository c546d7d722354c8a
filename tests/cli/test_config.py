from pathlib import Path

import pytest

from halo_forge.cli.app import run
from halo_forge.config.schemas import SCHEMAS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def validate(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def check(content: str) -> tuple[int, str, str]:
        Path("file.yaml").write_text(content)
        code = run(["config", "validate", "file.yaml"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return check


def test_what_is_left_to_the_flags_is_listed(validate) -> None:
    assert validate("cycles: 3\nmodel: m\nverifier: gcc\n") == (
        0,
        "file.yaml fits halo-forge raft train; still to be given: --output, --prompts or --dataset\n",
        "",
    )


def test_one_of_two_is_left_to_the_flags(validate) -> None:
    _, out, _ = validate("keep_percent: 0.4\n")
    assert out.endswith("still to be given: --output, --prompts or --dataset, --checkpoint or --model\n")


def test_a_complete_file(validate) -> None:
    code, out, _ = validate("model: m\noutput: o\nprompts: p\ncycles: 3\n")
    assert (code, out) == (0, "file.yaml fits halo-forge raft train\n")


def test_a_file_that_fits_several_commands(validate) -> None:
    code, out, _ = validate("seed: 3\n")
    assert code == 0
    fitting = [line.split(";")[0].removeprefix("file.yaml fits halo-forge ") for line in out.splitlines()]
    assert {"sft train", "raft train", "benchmark run"} < set(fitting)
    assert set(fitting) <= {name for name, schema in SCHEMAS.items() if "seed" in schema.model_fields}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cyles: 3\n", "unknown setting 'cyles'; did you mean 'cycles'?"),
        ("model: m\nkeep_fracton: 0.1\n", "did you mean 'keep_fraction'?"),
        ("cycles: 0\n", "file.yaml: cycles: Input should be greater than or equal to 1, but it is 0"),
        ("samples: 5\nk: [1, 10]\n", "--k 10 needs at least that many --samples"),
        ("dataset: a\ndata: b\nepochs: 1\n", "give either --dataset NAME or --data FILE.jsonl"),
        ("learning_rate: 1e-4\nlr: 1e-4\n", "sets learning_rate a second time"),
        ("cycles: [\n", "is not valid YAML"),
        ("- 1\n", "must be a mapping"),
    ],
)
def test_what_is_refused(validate, content: str, message: str) -> None:
    code, out, err = validate(content)
    assert (code, out) == (2, "")
    assert message in err


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "validate", "absent.yaml"]) == 2
    assert "cannot read absent.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("preset", [path.name for path in sorted((ROOT / "configs").glob("*.yaml"))])
def test_every_preset_is_valid(capsys: pytest.CaptureFixture[str], preset: str) -> None:
    assert run(["config", "validate", str(ROOT / "configs" / preset)]) == 0
    assert preset in capsys.readouterr().out


def test_a_list_of_cycles_is_checked_entry_by_entry(validate) -> None:
    code, _, err = validate("cycles:\n-\n- top_p: 3\n")
    assert code == 2
    assert "cycles, entry 2: top_p: Input should be less than or equal to 1, but it is 3" in err
