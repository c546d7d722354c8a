"""Launchers serve one job after the other: nothing of one may reach, harm or inform the next."""

import json
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from halo_forge.core.protocols import Image, Job, Limits, Outcome
from halo_forge.sandbox import open_sandbox
from halo_forge.sandbox.isolation import IsolatedSandbox

MARK = "left-by-an-earlier-job"
PLAY = """
import os, sys
def main():
    exec(os.read(5, 1 << 20).decode(), {"__name__": "job"})
    sys.stdout.flush()
"""
IMAGE = Image("reuse", ("json",), (("play", PLAY),))

LEAVES = {
    "a hundred files": "for n in range(100): open(f'/work/{n}', 'w').write('x')",
    "a deep folder": "import os\nfor n in range(300): os.mkdir('d'); os.chdir('d')",
    "a folder nobody may enter": "import os; os.mkdir('/work/d'); open('/work/d/f', 'w'); os.chmod('/work/d', 0)",
    "times": "import os; os.utime('/work', ns=(4711, 815))",
    "a file": f"open('/work/{MARK}', 'w').write('x')",
    "a file in /tmp": f"open('/tmp/{MARK}', 'w').write('x')",
    "an attribute of the work folder": f"import os; os.setxattr('/work', 'user.{MARK}', b'x')",
    "the work folder's mode": "import os; os.chmod('/work', 0o777)",
    "a file in /job": f"open('/job/{MARK}', 'w').write('x')",
    "a process": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)",
    "a server on an abstract socket": (
        "import os, socket, time\n"
        "if os.fork() == 0:\n"
        "    s = socket.socket(socket.AF_UNIX); s.bind(b'\\0left'); s.listen(); time.sleep(60)\n"
        "time.sleep(0.2)"
    ),
    "a lower priority": "import os; os.nice(5); os.setpriority(os.PRIO_PROCESS, 1, 9)",
    "the priority of all of the user's processes": "import os; os.setpriority(os.PRIO_USER, 0, 9)",
    "a smaller set of processors": "import os; os.sched_setaffinity(1, {0}); os.sched_setaffinity(os.getppid(), {0})",
    "limits on the launcher": "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3))",
    "signals to the launcher": (
        "import os\n"
        "for number in range(1, 65):\n"
        "    for target in (1, os.getppid(), 0, -1):\n"
        "        try:\n"
        "            if number not in (9, 19) or target != 0: os.kill(target, number)\n"
        "        except OSError: pass\n"
    ),
    "a changed module": "import json, sys; json.loads = None; sys.modules['left'] = json",
    "a changed builtin": "import builtins; builtins.left = 1",
    "an environment variable": "import os; os.environ['LEFT'] = '1'; os.putenv('LEFT', '1')",
    "a timer": "import signal; signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pthread_sigmask(0, {2})",
    "memory that was never freed": f"keep = ['{MARK}' * 100] * 100",
}
TOO_MUCH_TO_CLEAR = {"a hundred files", "a deep folder", "a folder nobody may enter"}
LOOKS = """
import builtins, gc, json, os, resource, signal, socket, sys
found = {}
found["work"] = os.listdir("/work") + os.listdir("/tmp") + os.listdir("/job")
found["attributes"] = os.listxattr("/work")
found["mode"] = os.stat("/work").st_mode
found["times"] = [time != 815 and time != 4711 for time in (os.stat("/work").st_atime_ns, os.stat("/work").st_mtime_ns)]
try:
    os.kill(-1, 0)
    found["processes"] = "some"
except OSError as error:
    found["processes"] = type(error).__name__
try:
    socket.socket(socket.AF_UNIX).connect(b"\\0left")
    found["server"] = "answers"
except OSError:
    found["server"] = "gone"
found["nice"] = os.nice(0)
found["processors"] = sorted(os.sched_getaffinity(0))
found["limits"] = [resource.getrlimit(kind) for kind in range(16)]
found["timer"] = signal.getitimer(signal.ITIMER_REAL)
found["mask"] = [int(number) for number in signal.pthread_sigmask(0, set())]
found["environment"] = dict(os.environ)
found["modules"] = [str(json.loads), "left" in sys.modules, hasattr(builtins, "left")]
found["descriptors"] = []
for number in range(300):
    try:
        os.fstat(number)
        found["descriptors"].append(number)
    except OSError:
        pass
found["memory"] = any("%s" in text for text in gc.get_objects() if type(text) is str)
print(json.dumps(found))
""" % ("left-by-" + "an-earlier-job")


@pytest.fixture(scope="module")
def sandbox():  # type: ignore[no-untyped-def]
    with open_sandbox("bubblewrap") as opened:
        yield opened


def play(sandbox: IsolatedSandbox, source: str) -> Outcome:
    return sandbox.run(Job(("play",), Limits(processes=20), image=IMAGE, payload=source.encode()))


def looked(sandbox: IsolatedSandbox) -> dict[str, object]:
    outcome = play(sandbox, LOOKS)
    assert outcome.exit_status == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert isinstance(found, dict)
    found["modules"][0] = found["modules"][0].partition(" at ")[0]
    return found


@pytest.mark.parametrize("leftover", LEAVES)
def test_nothing_is_left_for_the_next_job(sandbox: IsolatedSandbox, leftover: str) -> None:
    before = looked(sandbox)
    slot = sandbox._slots._idle[-1]
    play(sandbox, LEAVES[leftover])
    assert looked(sandbox) == before
    assert (sandbox._slots._idle[-1] is slot) == (leftover not in TOO_MUCH_TO_CLEAR)


def found_in_memory(sandbox: IsolatedSandbox, text: str, also: str = "") -> int:
    """Return on how many pages near the heap a text is found, by a job that holds the text itself only once."""
    search = f"""
import ctypes, os
{also}
needle = bytes(c - 1 for c in {[ord(c) + 1 for c in text]})
libc = ctypes.CDLL(None)
reader, writer = os.pipe()
hits = 0
middle = id(needle) >> 12 << 12
for page in range(middle - (24 << 20), middle + (24 << 20), 4096):
    if libc.write(writer, ctypes.c_void_p(page), 4096) == 4096:
        hits += needle in os.read(reader, 4096)
print(hits)
"""
    return int(play(sandbox, search).stdout)


def test_a_copy_does_not_find_what_an_earlier_copy_was_given(sandbox: IsolatedSandbox) -> None:
    secret, never_given = "expected-value-4711", "another-value-0815x"
    play(sandbox, f"x = '{secret}'")
    assert found_in_memory(sandbox, secret) == found_in_memory(sandbox, never_given)
    assert found_in_memory(sandbox, secret, f"keep = '{secret}' * 2") > found_in_memory(sandbox, never_given)


def test_a_fork_bomb_does_not_starve_the_next_job(sandbox: IsolatedSandbox) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    outcome = sandbox.run(Job(("play",), Limits(processes=20, wall_s=1, cpu_s=1), image=IMAGE, payload=bomb.encode()))
    assert outcome.timed_out
    assert play(sandbox, "import os; print(sum(os.fork() > 0 for _ in range(2)))").exit_status == 0


def test_images_of_different_names_never_share_a_process(sandbox: IsolatedSandbox) -> None:
    play(sandbox, "1")
    first = sandbox._slots._idle[-1]
    other = Job(("play",), Limits(), image=IMAGE._replace(name="another"), payload=b"1")
    sandbox.run(other)
    assert sandbox._slots._idle[-1] is not first


def launchers() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


def test_launchers_of_before_a_renewal_serve_no_more(sandbox: IsolatedSandbox) -> None:
    others = launchers()
    with open_sandbox() as fresh, ThreadPoolExecutor(1) as pool:
        nothing = Job(("/usr/bin/true",), Limits())
        assert fresh.run(nothing).exit_status == 0
        idle = launchers() - others
        long = pool.submit(fresh.run, nothing._replace(argv=("/usr/bin/sleep", "0.5")))
        while not psutil.Process(*idle).children(recursive=True)[1:]:
            assert not long.done()
        assert fresh.run(nothing).exit_status == 0
        assert len(launchers() - others) == 2  # one at work, one idle
        fresh.renew()
        assert launchers() - others == idle
        assert long.result().exit_status == 0  # what runs is not disturbed
        assert launchers() == others
        assert fresh.run(nothing).exit_status == 0
        assert len(launchers() - others) == 1 and not launchers() & idle
