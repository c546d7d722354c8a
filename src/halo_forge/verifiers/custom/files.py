"""What a user's command needs around it: its program, its own files, and a hash that changes when they do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits, Sandbox

FOLDER = "/checker"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
READ_BYTES = 1 << 20


def resolved(words: tuple[str, ...], file: str) -> tuple[str, ...]:
    """Put paths in the place of their names, and find the program.

    Args:
        words: program and arguments; none stay none.
        file: name of the file with the code.

    Raises:
        EnvironmentFault: the program is not where the sandbox could show it.
    """
    if not words:
        return ()
    places = {
        "{code}": f"/job/{file}",
        "{completion}": "/job/completion.txt",
        "{reference}": "/job/reference.json",
        "{folder}": FOLDER,
        "{runs}": "/job/runs.json",
        "{stdout}": "/job/stdout.txt",
    }
    for name, path in places.items():
        words = tuple(word.replace(name, path) for word in words)
    program = words[0]
    if program.startswith("/"):
        return words
    if "/" in program:
        raise EnvironmentFault(f"the program '{program}' has no fixed place: write {{folder}}/… or an absolute path")
    found = shutil.which(program, path=SYSTEM_PATH)
    if found is not None:
        return (found, *words[1:])
    elsewhere = shutil.which(program)
    if elsewhere is None:
        raise EnvironmentFault(f"the program '{program}' is not installed: install it, or mend the command")
    raise EnvironmentFault(
        f"the program '{program}' is {elsewhere}, which the sandbox does not show: show its folder with the option "
        f"mounts, such as mounts={{/opt/tool: {Path(elsewhere).parent}}}, and name it as /opt/tool/{program}"
    )


def require_files(words: tuple[str, ...], folder: Path | None) -> None:
    """Find the user's own files that a command names.

    Raises:
        EnvironmentFault: one is not in the folder, or is not shown to the sandbox.
    """
    for word in words:
        inside = word.removeprefix("{folder}/")
        if folder is not None and inside != word and not (folder / inside).exists():
            raise EnvironmentFault(f"there is no {inside} in the folder {folder}")
        here = Path(word)
        if "{" not in word and "/" not in word.removeprefix("./") and here.suffix and here.is_file():
            raise EnvironmentFault(
                f"the sandbox does not show the file {word}: name its folder with the option "
                f"folder={here.parent.resolve()} and write {{folder}}/{here.name}"
            )


def require_program(sandbox: Sandbox, program: str, mounts: Mapping[str, Path]) -> None:
    """Look for the program from inside.

    Raises:
        EnvironmentFault: it is not there, or cannot be executed.
    """
    argv = ("/bin/sh", "-c", 'test -f "$1" && test -x "$1"', "sh", program)
    if sandbox.run(Job(argv, Limits(), mounts=mounts)).exit_status != 0:
        raise EnvironmentFault(
            f"the program {program} cannot be executed in the sandbox: make it executable for everybody, or begin the "
            "command with its interpreter; folders outside /usr are shown by the options folder and mounts"
        )


def existing_folder(path: Path) -> Path:
    """Return a host folder's full path.

    Raises:
        EnvironmentFault: there is no such folder.
    """
    if not path.expanduser().is_dir():
        raise EnvironmentFault(f"there is no folder {path} to show to the checker")
    return path.expanduser().resolve()


def fingerprint(mounts: Mapping[str, Path]) -> str:
    """Return a hash of what the sandbox is shown: the content of the checker's folder, sizes and times elsewhere.

    Raises:
        EnvironmentFault: a file of the checker's cannot be read.
    """
    digest = sha256()
    for inside, host in sorted(mounts.items()):
        for file in sorted(host.rglob("*")):
            digest.update(f"\0{inside}\0{file.relative_to(host)}\0".encode(errors="surrogateescape"))
            if not file.is_file():
                continue
            status = file.stat()
            if inside != FOLDER:
                digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
                continue
            digest.update(f"{status.st_mode} {status.st_size}\0".encode())
            for part in _content(file):
                digest.update(part)
    return digest.hexdigest()


def _content(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as stream:
            while part := stream.read(READ_BYTES):
                yield part
    except OSError as error:
        raise EnvironmentFault(f"the checker's file {file} cannot be read: {error.strerror}") from error
