"""Tests of LiveCodeBench: public ones as JSON, private ones packed, in the authors' own way."""

from __future__ import annotations

import io
import pickle
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.core.errors import DataError
from halo_forge.core.types import IoCase
from halo_forge.data.fields import text_field
from halo_forge.data.jsonl import JsonObject
from halo_forge.data.parts import parse_json

# A packed text must not unpack to more, whatever it claims.
MOST_BYTES = 512 << 20


class _OnlyText(pickle.Unpickler):
    """Unpickles texts: whatever asks for a class or a function is refused, so that no code of the file runs."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"asks for {module}.{name}")


class LiveTests(NamedTuple):
    """Tests of a problem: of a whole program, or asserts on a method of its `Solution`."""

    cases: tuple[IoCase, ...]
    asserts: tuple[str, ...]


def livecodebench_tests(values: JsonObject) -> LiveTests:
    """Return the public and then the private tests of a problem, which are all of one kind.

    Raises:
        DataError: a column does not hold what it should.
    """
    cases: list[IoCase] = []
    asserts: list[str] = []
    for item in _listed(values, "public_test_cases") + _listed(values, "private_test_cases"):
        given, expected = (item.get("input"), item.get("output")) if isinstance(item, dict) else (None, None)
        if not isinstance(item, dict) or not isinstance(given, str) or not isinstance(expected, str):
            raise DataError("a test case must have the texts 'input' and 'output'")
        if item.get("testtype", "stdin") == "stdin":
            cases.append(IoCase(input=given, output=expected))
        else:
            asserts.append(_call(_method(values), given, expected))
    if cases and asserts:
        raise DataError("the test cases of a problem must be all of one 'testtype'")
    return LiveTests(tuple(cases), tuple(asserts))


def _call(method: str, given: str, expected: str) -> str:
    """Write a test as an assert: an argument a line, as JSON, and what must come back, a tuple as good as a list."""
    arguments = ", ".join(repr(parse_json(line, "input")) for line in given.strip().split("\n") if line)
    wanted = parse_json(expected, "output")
    either = f"in ({wanted!r}, {tuple(wanted)!r})" if isinstance(wanted, list) else f"== {wanted!r}"
    return f"assert Solution().{method}({arguments}) {either}"


def _method(values: JsonObject) -> str:
    metadata = parse_json(text_field(values, "metadata") or "{}", "metadata")
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name.isidentifier():
        raise DataError("'metadata' must name the method to call as 'func_name'")
    return name


def _listed(values: JsonObject, key: str) -> list[JsonValue]:
    text = text_field(values, key)
    if not text:
        return []
    found = parse_json(text if text.lstrip().startswith("[") else _unpacked(text, key), key)
    if not isinstance(found, list):
        raise DataError(f"{key!r} must list test cases")
    return found


def _unpacked(text: str, key: str) -> str:
    """Undo base64(zlib(pickle(JSON text)))."""
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(b64decode(text, validate=True), MOST_BYTES)
        if unpacking.unconsumed_tail:
            raise DataError(f"{key!r} unpacks to more than {MOST_BYTES >> 20} MiB")
        found = _OnlyText(io.BytesIO(content)).load()
    except (Base64Error, zlib.error, pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
        raise DataError(
            f"{key!r} is neither a list of tests nor one that is packed as its authors do: {error}"
        ) from error
    if not isinstance(found, str):
        raise DataError(f"{key!r} must hold a packed text")
    return found
