"""Every error a user can meet, and the exit code it ends the command with.

HaloError                          what happened, the value, what is allowed, what to do next: one line
├── ConfigError (ValueError)       2  a flag or YAML key is wrong
├── DataError (ValueError)         2  a file of rows cannot be used
├── ModelError (ValueError)        2  a model or checkpoint cannot be found or does not fit
├── RunConflictError (RuntimeError)  2  the output folder belongs to another run
├── EnvironmentFault (RuntimeError)  3  this machine lacks something: a compiler, a sandbox, disk space
├── TooManyFaults (RuntimeError)   4  too large a share of the rollouts could not be verified
├── RunLockedError (RuntimeError)  75  another process is writing this run
└── Interrupted (RuntimeError)     130  stopped at a safe point; the same command continues
"""

from __future__ import annotations

import errno

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class HaloError(Exception):
    """Root of the errors that are the user's to mend; its text is one complete line."""

    exit_code = 1


class ConfigError(HaloError, ValueError):
    """A setting is unknown, missing or out of range."""

    exit_code = 2


class DataError(HaloError, ValueError):
    """A data file is missing, empty, malformed or lacks what the command needs."""

    exit_code = 2


class ModelError(HaloError, ValueError):
    """A model, adapter or tokenizer cannot be found, or does not fit what was asked."""

    exit_code = 2


class RunConflictError(HaloError, RuntimeError):
    """The output folder holds a run that this command must not continue or overwrite."""

    exit_code = 2


class EnvironmentFault(HaloError, RuntimeError):
    """The machine lacks a tool, a sandbox, memory or disk."""

    exit_code = 3


class TooManyFaults(HaloError, RuntimeError):
    """More rollouts than allowed could not be verified for reasons that are not the model's."""

    exit_code = 4


class RunLockedError(HaloError, RuntimeError):
    """Another live process holds the run's lock."""

    exit_code = 75


class Interrupted(HaloError, RuntimeError):
    """The user asked to stop, and the run has stopped at a point from which it can continue."""

    exit_code = 130


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that a disk is full."""
    while error is not None:
        # Libraries that write from compiled code raise their own types and quote the system's words.
        if (isinstance(error, OSError) and error.errno in NO_SPACE) or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
