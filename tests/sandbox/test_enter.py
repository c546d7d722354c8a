"""The first step of a launcher, where root may not make namespaces, as in a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from halo_forge.sandbox import enter


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_a_closed_folder_that_cannot_be_shown_is_named_with_what_to_do(tmp_path: Path) -> None:
    words = [sys.executable, "-I", "-S", enter.__file__, "64899", str(tmp_path), "--", "/usr/bin/true"]
    done = subprocess.run(["setpriv", "--bounding-set", "-sys_admin", *words], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"cannot show {tmp_path}, which other users may not enter" in done.stderr
    assert "XDG_CACHE_HOME" in done.stderr and "Operation not permitted" in done.stderr
