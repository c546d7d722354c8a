"""A system-call filter that shuts the ways around the sandbox's limits.

Kept out are memory that no limit counts (memfd, System V shared memory), new namespaces (in which a program could mount
a file system without size limit), access to other processes' memory, limits and priority (the launcher is one of them),
sockets other than Unix ones (vsock reaches the virtual machine's host without a network namespace in between), and
kernel interfaces that programs under test have no use for. Numbers are the kernel's, from `asm/unistd_64.h` and
`asm-generic/unistd.h`.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import NamedTuple

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
OFFSET_NUMBER, OFFSET_ARCHITECTURE, OFFSET_ARGUMENT, OFFSET_SECOND = 0, 4, 16, 24
NAMESPACE_FLAGS = 0x7E020000
X32_CALLS_FROM = 0x40000000
AF_UNIX = 1
SET_PRIORITY = (141, 140)


class Calls(NamedTuple):
    """One architecture.

    Args:
        audit: its number in a filter's data.
        refused: calls refused outright.
        own_only: prlimit64, sched_setaffinity and setpriority: allowed on the caller itself, process 0.
    """

    audit: int
    refused: tuple[int, ...]
    clone: int
    clone3: int
    socket: int
    own_only: tuple[int, ...]


# memfd_create shmget msgget semget mq_open unshare setns mount umount2 pivot_root chroot ptrace process_vm_readv
# process_vm_writev bpf perf_event_open userfaultfd keyctl add_key request_key open_by_handle_at sched_setparam
# sched_setscheduler sched_setattr ioprio_set migrate_pages move_pages kcmp; then, with the same number everywhere:
# io_uring_setup io_uring_enter open_tree move_mount fsopen fsmount pidfd_getfd process_madvise mount_setattr
# memfd_secret process_mrelease
EVERYWHERE = (425, 426, 428, 429, 430, 432, 438, 440, 442, 447, 448)
X86_64 = (
    319, 29, 68, 64, 240, 272, 308, 165, 166, 155, 161, 101, 310, 311, 321, 298, 323, 250, 248, 249, 304, 142, 144,
    314, 251, 256, 279, 312,
)  # fmt: skip
AARCH64 = (
    279, 194, 186, 190, 180, 97, 268, 40, 39, 41, 51, 117, 270, 271, 280, 241, 282, 219, 217, 218, 265, 118, 119,
    274, 30, 238, 239, 272,
)  # fmt: skip
ARCHITECTURES = {
    "x86_64": Calls(0xC000003E, X86_64 + EVERYWHERE, clone=56, clone3=435, socket=41, own_only=(302, 203, 141)),
    "aarch64": Calls(0xC00000B7, AARCH64 + EVERYWHERE, clone=220, clone3=435, socket=198, own_only=(261, 122, 140)),
}


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(number: int, error: int) -> bytes:
    return _step(JUMP_EQUAL, number, 0, 1) + _step(RETURN, FAIL | error)


def _own_only(number: int) -> bytes:
    """Refuse a call unless its first argument is 0, and for setpriority (which, who) the second one too."""
    checks = (OFFSET_ARGUMENT, OFFSET_SECOND) if number in SET_PRIORITY else (OFFSET_ARGUMENT,)
    body = b"".join(
        _step(LOAD, offset) + _step(JUMP_EQUAL, 0, 1, 0) + _step(RETURN, FAIL | errno.EPERM) for offset in checks
    )
    return _step(JUMP_EQUAL, number, 0, len(body) // 8 + 1) + body + _step(RETURN, ALLOW)


def filter_program(machine: str | None = None) -> bytes | None:
    """Return the classic BPF program for this machine, or None where its call numbers are not known.

    `clone3` answers "not implemented", so that the C library falls back to `clone`, whose flags a filter can see.
    """
    calls = ARCHITECTURES.get(machine or platform.machine())
    if calls is None:
        return None
    program = _step(LOAD, OFFSET_ARCHITECTURE) + _step(JUMP_EQUAL, calls.audit, 1, 0) + _step(RETURN, KILL)
    program += _step(LOAD, OFFSET_NUMBER)
    program += _step(JUMP_AT_LEAST, X32_CALLS_FROM, 0, 1) + _step(RETURN, FAIL | errno.ENOSYS)
    program += _refuse(calls.clone3, errno.ENOSYS)
    for number in calls.refused:
        program += _refuse(number, errno.EPERM)
    for number in calls.own_only:
        program += _own_only(number)
    program += _step(JUMP_EQUAL, calls.clone, 0, 4) + _step(LOAD, OFFSET_ARGUMENT)
    program += _step(JUMP_ANY_BIT, NAMESPACE_FLAGS, 0, 1) + _step(RETURN, FAIL | errno.EPERM) + _step(RETURN, ALLOW)
    program += _step(JUMP_EQUAL, calls.socket, 0, 3) + _step(LOAD, OFFSET_ARGUMENT)
    program += _step(JUMP_EQUAL, AF_UNIX, 1, 0) + _step(RETURN, FAIL | errno.EACCES)
    return program + _step(RETURN, ALLOW)
