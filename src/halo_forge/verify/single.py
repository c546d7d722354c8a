"""Verifying one program."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import JsonValue

from halo_forge.config.verify import VerifyConfig
from halo_forge.core.errors import DataError
from halo_forge.core.types import Verdict
from halo_forge.data.jsonl import JsonObject
from halo_forge.rollout.checking import open_checker
from halo_forge.verify.rows import make_submission

STANDARD_INPUT = Path("-")


def verify_program(source: Path, config: VerifyConfig) -> Verdict:
    """Judge the program in a file, or on standard input where `source` is `-`.

    Raises:
        DataError: the program or its tests cannot be read.
        ConfigError, EnvironmentFault: the verifier cannot be built.
    """
    text, columns = _read_text(source), _columns(config)
    try:
        submission = make_submission(text, columns)
    except DataError as error:
        raise DataError(f"the tests of the program: {error}") from error
    with open_checker(config) as checker:
        return checker.verify([submission])[0]


def _columns(config: VerifyConfig) -> JsonObject:
    columns: JsonObject = {} if config.tests is None else _read_tests(config.tests)
    return columns if config.entry_point is None else {**columns, "entry_point": config.entry_point}


def _read_tests(path: Path) -> JsonObject:
    """Read the columns of a row from JSON, and anything else as the text of asserts."""
    import json

    text = _read_text(path)
    try:
        value: JsonValue = json.loads(text)
    except ValueError as error:
        if path.suffix == ".json":
            raise DataError(f"{path} is not JSON: {error}") from error
        return {"tests": text}
    return value if isinstance(value, dict) else {"tests": value}


def _read_text(path: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
        return content.decode()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start + 1})") from error
