"""A verifier from somebody else's package, which does to its process what the completion says."""

from __future__ import annotations

from pathlib import Path

MODULE = '''
import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.types import Stage, Verdict


class ScriptedConfig(VerifierConfig):
    """Does what the completion says."""

    mood: str = ""
    pause_s: float = 0.0
    log: str = ""

    def build(self, sandbox, workers):
        if self.mood == "refuse":
            raise EnvironmentFault("no toolchain: install one")
        if self.mood == "break":
            raise KeyError("odd")
        if self.mood == "die":
            os._exit(3)
        if self.mood == "sleep":
            time.sleep(60)
        return Scripted(self)


class Scripted:
    name = "scripted"

    def __init__(self, config):
        self.config = config
        self.version = "changed" if config.mood == "change" and Path(config.log).exists() else "1"
        if config.mood == "native":
            self.version = os.environ.get("SCRIPTED_TOOLCHAIN", "1")

    def close(self):
        pass

    def prepare(self, submissions):
        if self.config.mood == "foresee":
            with open(self.config.log, "a") as log:
                log.write(f"prepare {len(submissions)}\\n")
        if self.config.mood == "stumble":
            raise OSError("no disk")

    def verify(self, submissions):
        return [self.judge(s) for s in submissions]

    def judge(self, submission):
        word, _, rest = submission.text.partition(" ")
        if self.config.log and self.config.mood != "foresee":
            with open(self.config.log, "a") as log:
                log.write(submission.text + "\\n")
        if self.config.pause_s:
            time.sleep(self.config.pause_s)
        if word == "crash":
            ctypes.string_at(0)
        if word == "exit":
            print("the plugin gives up", flush=True)
            os._exit(7)
        if word == "hang":
            time.sleep(3600)
        if word == "grip":
            ctypes.PyDLL(None).sleep(3600)  # keeps the interpreter's lock
        if word == "raise":
            raise OSError("no more processes")
        if word == "leave":
            sys.exit(0)
        if word == "nonsense":
            return 1.0
        if word == "stray":
            process = subprocess.Popen(["sleep", rest], start_new_session=True)
            return Verdict(reward=1.0, passed=True, stage=Stage.RUN, detail=str(process.pid))
        if word == "mutter":
            print("x" * int(rest), flush=True)
        if word == "clock":
            return Verdict(reward=0.0, passed=False, stage=Stage.RUN, repeatable=False)
        if word == "half":
            return Verdict(reward=0.0, passed=False, stage=Stage.RUN, detail="\\ud800")
        return Verdict(reward=float(word == "right"), passed=word == "right", stage=Stage.TESTS, detail=rest)
'''


def install_scripted(folder: Path) -> Path:
    """Lay the package out as an installed one; with the folder on the path its verifier is found as `scripted`."""
    metadata = folder / "scripted_verifier-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "scripted_verifier.py").write_text(MODULE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted-verifier\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[halo_forge.verifiers]\nscripted = scripted_verifier:ScriptedConfig\n")
    return folder
