"""A completion that is a whole program, run in a fork of a warm Python as a new interpreter would run the file.

With the argument `compile` it is compiled and not run.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import types
from importlib import import_module

PAYLOAD = 5
NAME = "program.py"
FAILED, UNFLUSHED = 1, 120


def main() -> None:
    """Run the program on descriptor 5, with standard input, output and error of its own."""
    with open(PAYLOAD, "rb") as file:
        source = file.read()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    compile_only = sys.argv == ["compile"]
    sys.argv = [NAME]
    sys.stdin = stream(0, "r", "surrogateescape")
    sys.stdout = stream(1, "w", "surrogateescape")
    sys.stderr = stream(2, "w", "backslashreplace")
    os._exit(ended(run(source, compile_only=compile_only)))


def stream(number: int, mode: str, errors: str) -> io.TextIOWrapper:
    """Return a standard stream as a new interpreter in UTF-8 mode opens it."""
    binary = io.BufferedReader(io.FileIO(0)) if mode == "r" else io.BufferedWriter(io.FileIO(number, "w"))
    return io.TextIOWrapper(binary, encoding="utf-8", errors=errors, line_buffering=number == 2)


def run(source: bytes, *, compile_only: bool) -> int:
    """Run the program's module; return its exit status."""
    module = types.ModuleType("__main__")
    module.__file__ = NAME
    sys.modules["__main__"] = module
    try:
        code = compile(source, NAME, "exec", dont_inherit=True)
        if not compile_only:
            exec(code, vars(module))
    except SystemExit as request:
        return status_of(request.code)
    except BaseException:  # noqa: BLE001  (whatever a program raises ends it, as it ends a script)
        import_module("traceback").print_exc()
        return FAILED
    return 0


def status_of(code: object) -> int:
    """Return the exit status of a SystemExit."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return FAILED


def ended(status: int) -> int:
    """Do what an interpreter does at its end: wait for threads, run exit handlers, flush."""
    threading = sys.modules.get("threading")
    if threading is not None:
        vars(threading)["_shutdown"]()
    vars(import_module("atexit"))["_run_exitfuncs"]()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return status or UNFLUSHED
    return status
