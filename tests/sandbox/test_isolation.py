import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import pytest

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits, Outcome
from halo_forge.sandbox import bubblewrap, open_sandbox
from halo_forge.sandbox.isolation import IsolatedSandbox

NAP = f"61.{os.getpid()}"  # a command line of this test run alone
FORK_BOMB = """
import os, time
made = 0
try:
    while made < 500:
        if os.fork() == 0:
            time.sleep(60)
        made += 1
except OSError:
    pass
print(made, flush=True)
os._exit(0)
"""


def python(sandbox: IsolatedSandbox, source: str, **limits: float) -> Outcome:
    return sandbox.run(Job(("/usr/bin/python3", "-I", "-S", "-c", source), Limits(**limits)))  # type: ignore[arg-type]


def shell(sandbox: IsolatedSandbox, script: str, **limits: float) -> Outcome:
    return sandbox.run(Job(("/bin/sh", "-c", script), Limits(**limits), report=True))  # type: ignore[arg-type]


def test_a_program_reads_its_input_and_files_and_writes_three_streams(sandbox: IsolatedSandbox) -> None:
    job = Job(("/bin/sh", "-c", "cat; cat /job/a/b; echo no >&2; echo hi >&3; exit 3"), Limits(), b"in ", report=True)
    outcome = sandbox.run(job._replace(files={"a/b": b"file"}))
    assert (outcome.exit_status, outcome.stdout, outcome.stderr, outcome.report) == (3, b"in file", b"no\n", b"hi\n")
    assert 0 < outcome.cpu_s < 5
    assert 0 < outcome.peak_memory_mb < 100


def test_a_file_it_makes_comes_back(sandbox: IsolatedSandbox) -> None:
    script = "head -c 300000 /dev/zero | tr '\\0' x >/work/made; echo lie 2>/dev/null >&3; exit $0"
    job = Job(("/bin/sh", "-c", script, "0"), Limits(), returned="/work/made")
    assert sandbox.run(job).report == b"x" * 300_000
    failed = sandbox.run(job._replace(argv=(*job.argv[:-1], "3")))
    assert (failed.exit_status, failed.report) == (3, b"")
    cut = sandbox.run(job._replace(limits=Limits(report_bytes=1000)))
    assert cut.flooded
    assert cut.report == b"x" * 1000


@pytest.mark.parametrize("script", ["true", "ln -s /etc/hosts /work/made", "mkfifo /work/made", "mkdir /work/made"])
def test_what_is_no_file_does_not_come_back(sandbox: IsolatedSandbox, script: str) -> None:
    job = Job(("/bin/sh", "-c", script), Limits(), returned="/work/made")
    with pytest.raises(EnvironmentFault, match="/work/made does not come back"):
        sandbox.run(job)
    assert sandbox.run(job._replace(argv=("/bin/sh", "-c", "echo now >/work/made"))).report == b"now\n"


def test_it_sees_neither_host_files_nor_the_environment(sandbox: IsolatedSandbox) -> None:
    os.environ["HALO_SECRET"] = "s3cret"
    outcome = shell(sandbox, "ls -A / /etc /tmp /work; cat /etc/passwd /root/.profile; env; hostname")
    shown = outcome.stdout.decode()
    assert "passwd" not in shown
    assert "s3cret" not in shown
    assert not {"root", "home", "proc", "var"} & set(shown.split())


def test_it_writes_nowhere_but_in_its_own_folders(sandbox: IsolatedSandbox) -> None:
    script = "for f in / /usr /etc /dev /job; do touch $f/x && echo $f; done; touch /work/x /tmp/x && echo own"
    assert shell(sandbox, script).stdout == b"own\n"


def test_it_holds_no_descriptors_but_its_own(sandbox: IsolatedSandbox) -> None:
    source = "import os\nfor n in range(400):\n  try: os.fstat(n); print(n)\n  except OSError: pass"
    job = Job(("/usr/bin/python3", "-c", source), Limits(), files={"x": b"1"}, report=True)
    assert sandbox.run(job).stdout.split() == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize(
    "misdeed",
    [
        "import socket; socket.socket()",
        "import socket; socket.socket(40, 1)",
        "import os; os.memfd_create('x')",
        "import ctypes; exit(ctypes.CDLL(None).unshare(0x10000000))",
        "import ctypes; exit(ctypes.CDLL(None).shmget(0, 1 << 30, 0o1600))",
        "import os; os.kill(1, 9); os.kill(os.getppid(), 9); os.kill(4000, 0)",
        "import ctypes; exit(ctypes.CDLL(None).mount(b't', b'/tmp', b'tmpfs', 0, None))",
        "open('/work/x', 'wb').write(bytes(80 << 20))",
        "for n in range(99): open(f'/work/{n}', 'wb').write(bytes(1 << 20))",
        "bytes(2 << 30)",
    ],
)
def test_misdeeds_fail(sandbox: IsolatedSandbox, misdeed: str) -> None:
    assert python(sandbox, misdeed).exit_status != 0


def test_a_fork_bomb_meets_its_limit_and_leaves_nothing(sandbox: IsolatedSandbox) -> None:
    outcome = python(sandbox, FORK_BOMB, processes=20)
    assert 0 < int(outcome.stdout) < 20
    assert outcome.wall_s < 30


def test_an_ordinary_user_has_the_same_limits(tmp_path: Path) -> None:
    system = "/usr/bin/python3"
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    ask = [system, "-c", "import sys; print(sys.version_info[:2])"]
    if subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip() != str(sys.version_info[:2]):
        pytest.skip("the system's Python cannot load this environment's packages")
    script = f"""
from halo_forge.core.protocols import Job, Limits
from halo_forge.sandbox import open_sandbox
with open_sandbox() as sandbox:
    outcome = sandbox.run(Job(("/usr/bin/python3", "-c", {FORK_BOMB!r}), Limits(processes=20)))
    print(outcome.exit_status, int(outcome.stdout) < 20)
"""
    source = Path(__file__).parents[2] / "src"
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", system, "-c", script]
    path = f"{source}:{sysconfig.get_path('purelib')}"
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd="/", env={"PYTHONPATH": path, "PATH": "/usr/bin"}, check=False
    )
    if "PermissionError" in ran.stderr or "No module named" in ran.stderr:
        pytest.skip(f"another user cannot read this environment: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.stdout.split() == ["0", "True"], ran.stderr


def test_the_clock_ends_a_sleeper_with_its_children(sandbox: IsolatedSandbox) -> None:
    outcome = shell(sandbox, f"sleep {NAP} & setsid sleep {NAP} & sleep {NAP}", wall_s=0.5)
    assert outcome.timed_out
    assert outcome.exit_status == -signal.SIGKILL
    assert not running(f"sleep {NAP}")


def test_a_busy_loop_ends_at_its_processor_limit_and_is_accounted_for(sandbox: IsolatedSandbox) -> None:
    outcome = shell(sandbox, "while :; do :; done", cpu_s=1, wall_s=60)
    assert outcome.timed_out
    assert outcome.cpu_s >= 0.5


def test_a_daemon_does_not_outlive_its_program(sandbox: IsolatedSandbox) -> None:
    assert shell(sandbox, f"setsid sh -c 'exec >/dev/null 2>&1 3>&1; sleep {NAP}' & exit 0").exit_status == 0
    assert not running(f"sleep {NAP}")


def test_a_flood_is_cut(sandbox: IsolatedSandbox) -> None:
    outcome = shell(sandbox, "yes", wall_s=60, output_bytes=1000)
    assert outcome.flooded
    assert len(outcome.stdout) == 1000


def test_signals_are_told_from_exit_statuses(sandbox: IsolatedSandbox) -> None:
    assert shell(sandbox, "kill -SEGV $$").exit_status == -signal.SIGSEGV
    assert shell(sandbox, "exit 77").exit_status == 77


def test_a_program_cannot_pretend_that_the_sandbox_failed(sandbox: IsolatedSandbox) -> None:
    script = "echo 'bwrap: Creating new namespace failed' >&2; for n in 4 5 6 7 8; do echo '{' >&$n; done; kill -9 $$"
    outcome = shell(sandbox, script)
    assert outcome.exit_status == -signal.SIGKILL
    assert not outcome.host_out_of_memory


def test_a_kill_while_the_machine_lacks_memory_is_told_apart(
    sandbox: IsolatedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = sandbox._shortage._count
    monkeypatch.setattr("halo_forge.sandbox.supervision.oom_kills", lambda: kills)
    assert not shell(sandbox, "kill -9 $$").host_out_of_memory
    kills += 1
    assert not shell(sandbox, "exit 9").host_out_of_memory
    assert shell(sandbox, "kill -9 $$").host_out_of_memory
    assert not shell(sandbox, "kill -9 $$").host_out_of_memory


def test_what_cannot_be_set_up_is_a_fault(sandbox: IsolatedSandbox) -> None:
    with pytest.raises(EnvironmentFault, match=r"(cannot|could not) be set up"):
        sandbox.run(Job(("/bin/true",), Limits(), mounts={"/opt/x": Path("/nonexistent")}))


def test_two_programs_converse(sandbox: IsolatedSandbox) -> None:
    judge = Job(("/bin/sh", "-c", "echo question >&4; read answer <&4; echo heard $answer >&3"), Limits(), report=True)
    answer = "read question <&4; echo re $question >&4; ls -l /proc; echo x >&3; sleep 60"
    candidate = Job(("/bin/sh", "-c", answer), Limits())
    started = time.monotonic()
    exchange = sandbox.converse(judge, candidate)
    assert exchange.judge.report == b"heard re question\n"
    assert exchange.candidate.report == b""
    assert time.monotonic() - started < 20


def test_limits_alone_still_bound_a_program(tmp_path: Path) -> None:
    with open_sandbox("limits") as sandbox:
        assert sandbox.tier == "limits"
        job = Job(("/bin/sh", "-c", f"cat /job/x; pwd; setsid sleep {NAP} & exit 5"), Limits(), files={"x": b"file "})
        outcome = sandbox.run(job)
        assert outcome.exit_status == 5
        assert outcome.stdout.startswith(b"file ")
        assert not running(f"sleep {NAP}")
        assert int(python(sandbox, FORK_BOMB, processes=20).stdout) < 20
        assert shell(sandbox, "sleep 64", wall_s=0.3).timed_out


def test_a_missing_bubblewrap_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None if name == "bwrap" else f"/usr/bin/{name}")
    with pytest.raises(EnvironmentFault, match=r"apt-get install bubblewrap.*--sandbox limits"):
        open_sandbox("bubblewrap")


def test_a_bubblewrap_that_does_not_work_is_never_replaced_silently(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    tmp_path.chmod(0o755)
    for folder in takewhile(lambda folder: folder != Path(gettempdir()), tmp_path.parents):
        folder.chmod(0o755)
    options = "--as-pid-1 --cap-add --perms"
    broken.write_text(f'#!/bin/sh\n[ "$1" = --help ] && echo {options} && exit\necho "No permissions" >&2; exit 1\n')
    broken.chmod(0o755)
    real = bubblewrap.shutil.which
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: str(broken) if name == "bwrap" else real(name))
    with pytest.raises(EnvironmentFault, match=r"No permissions.*userns"):
        open_sandbox("bubblewrap")


def test_a_closed_sandbox_takes_no_jobs() -> None:
    sandbox = open_sandbox()
    sandbox.close()
    with pytest.raises(EnvironmentFault, match="closed"):
        sandbox.run(Job(("/bin/true",), Limits()))


def test_a_dead_launcher_is_replaced_and_its_job_a_fault() -> None:
    with open_sandbox() as sandbox:
        slot = sandbox._slots._idle[0]
        signal.pidfd_send_signal(slot._main, signal.SIGKILL)
        slot._process.wait()
        assert sandbox.run(Job(("/bin/true",), Limits())).exit_status == 0
        slot = sandbox._slots._idle[0]
        killer = threading.Timer(0.5, signal.pidfd_send_signal, (slot._main, signal.SIGKILL))
        killer.start()
        with pytest.raises(EnvironmentFault, match="launcher died"):
            sandbox.run(Job(("/bin/sleep", "9"), Limits()))
        assert sandbox.run(Job(("/bin/true",), Limits())).exit_status == 0


def running(command: str) -> bool:
    wanted = command.replace(" ", "\0").encode() + b"\0"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes() == wanted:
                    return True
            except OSError:
                continue
    return False
