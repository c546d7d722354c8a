"""Launchers at hand: a job takes one that fits and gives it back."""

from __future__ import annotations

import threading

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Image, Job, Python
from halo_forge.sandbox.limits import lasting_limits, passing_limits
from halo_forge.sandbox.slots import Isolation, Slot, Spec

IDLE_LAUNCHERS = 64
NO_IMAGE = Image("")


class SlotPool:
    """Idle launchers; a job takes one that fits and gives it back.

    As root every launcher becomes a spare user of its own, so that jobs side by side share neither files nor signals.
    """

    def __init__(self, isolation: Isolation, python: Python) -> None:
        self._isolation = isolation
        self._python = python
        self._lock = threading.Lock()
        self._idle: list[Slot] = []
        self.renewals = 0
        self._closed = False

    def take(self, job: Job) -> Slot:
        """Return an idle launcher that fits a job, starting one if there is none.

        Raises:
            EnvironmentFault: it cannot be started.
        """
        spec = self._spec(job)
        while (slot := self._fitting(spec)) is not None:
            if slot.is_ready():
                return slot
            slot.close()
        renewals = self.renewals  # counted before it begins, so that one begun meanwhile is out of date
        try:
            return Slot(spec, self._isolation, self._python, renewals)
        except OSError as error:
            raise EnvironmentFault(f"the sandbox cannot be set up: its launcher cannot be started: {error}") from error

    def _fitting(self, spec: Spec) -> Slot | None:
        with self._lock:
            if self._closed:
                raise EnvironmentFault("the sandbox is closed")
            for slot in reversed(self._idle):
                if slot.spec == spec:
                    self._idle.remove(slot)
                    return slot
        return None

    def _spec(self, job: Job) -> Spec:
        mounts = {**self._python.mounts, **job.mounts}
        hidden = tuple(dict.fromkeys((*self._python.hidden, *job.hidden)))
        limits = (*lasting_limits(job.limits), *passing_limits(job.limits)) if job.image else ()
        disk_mb = job.limits.disk_mb if job.image else 0
        return Spec(tuple(sorted(mounts.items())), hidden, job.image or NO_IMAGE, limits, disk_mb)

    def give_back(self, slot: Slot, *, sound: bool) -> None:
        """Return a launcher; one that is not sound is ended, and so is the one longest idle when there are many."""
        surplus = [slot]
        with self._lock:
            if sound and not slot.spent and slot.renewals == self.renewals and not self._closed:
                self._idle.append(slot)
                surplus = [self._idle.pop(0)] if len(self._idle) > IDLE_LAUNCHERS else []
        for one in surplus:
            one.close()

    def renew(self) -> None:
        """End all idle launchers; those at work, or about to be, end when they are given back."""
        with self._lock:
            self.renewals += 1
            idle, self._idle = self._idle, []
        for slot in idle:
            slot.close()

    def close(self) -> None:
        """End all idle launchers for good."""
        with self._lock:
            self._closed = True
        self.renew()
