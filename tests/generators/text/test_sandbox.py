"""The sandbox: programs that try to get out, or to eat the machine, fail; ordinary ones run.

Where it does no harm, the same program runs without the sandbox first, and must succeed there: so a
test here can fail.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.errors import SettingError
from geurim.generators.text.sandbox import Ran, Sandbox

UNSAFE = Sandbox.unsafe()
SOURCE = Path(__file__).parents[3] / "src"


def _kinds() -> list[str]:
    found = []
    for kind in ("namespaces", "podman", "docker"):
        try:
            if Sandbox(kind=kind).run_python("print(6 * 7)", seconds=20).stdout == "42\n":  # type: ignore[arg-type]
                found.append(kind)
        except (SettingError, OSError):
            continue
    return found


KINDS = _kinds()
if not KINDS:
    pytest.skip(
        "no sandbox here: allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0) or install podman and pull "
        "docker.io/library/python:3.12-slim",
        allow_module_level=True,
    )


@pytest.fixture(params=KINDS)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return Sandbox(kind=request.param)


# What must work


def test_a_program_reads_its_input_and_its_files_and_says_how_it_ended(sandbox: Sandbox) -> None:
    ran = sandbox.run_python(
        "import sys, helper\n"
        "print(helper.double(int(input())), open('data/한글.txt', encoding='utf-8').read())\n"
        "print('oops', file=sys.stderr)\n"
        "sys.exit(3)\n",
        stdin="21\n",
        files={"helper.py": "def double(x): return 2 * x\n", "data/한글.txt": "안녕".encode()},
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "42 안녕\n", "oops\n")
    assert not ran.ok and ran.killed_by is None and not ran.timed_out
    assert ran.why() == "exit code 3: oops"


def test_the_standard_library_works(sandbox: Sandbox) -> None:
    ran = sandbox.run_python(
        "import json, re, math, random, sqlite3, decimal, ssl, ctypes, subprocess, sys, threading\n"
        "import multiprocessing\n"
        "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
        "print(subprocess.run([sys.executable, '-c', 'print(5)'], capture_output=True).stdout)\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, 2]))\n"
    )
    assert ran.ok, ran.stderr
    assert ran.stdout.split("\n")[:3] == ["thread", "b'5\\n'", "[1, 2]"]


def test_two_runs_of_one_program_print_the_same(sandbox: Sandbox) -> None:
    code = "print(list({'a', 'b', 'c', 'd', 'e', 'f', 'g'}), hash('x'))"
    assert sandbox.run_python(code).stdout == sandbox.run_python(code).stdout


def test_nothing_is_left_from_one_run_to_the_next(sandbox: Sandbox) -> None:
    sandbox.run_python("open('left', 'w').write('x'); open('/dev/shm/left', 'w').write('x')")
    ran = sandbox.run_python("import os; print(os.listdir('.'), os.path.exists('/dev/shm/left'))")
    assert ran.stdout == "['program.py'] False\n"


def test_many_threads_run_programs_at_once(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda i: sandbox.run_python(f"print({i} ** 2)").stdout, range(24))
        assert list(answers) == [f"{i**2}\n" for i in range(24)]


def test_what_is_written_last_is_read_however_busy_the_machine(sandbox: Sandbox) -> None:
    """A run may end between a look for output and the look whether it still runs."""
    from geurim.generators.text import sandbox as module

    class Late(module._Process):
        def read(self, seconds: float) -> str | None:
            look = self._selector.select

            def slowly(wait: float) -> list[object]:
                found = look(0) if wait else look(wait)
                time.sleep(0.3 * (not found))  # the program ends meanwhile
                return found

            self._selector.select = slowly  # type: ignore[method-assign,assignment]
            return super().read(seconds)

    kept, module._Process = module._Process, Late  # type: ignore[misc]
    try:
        ran = sandbox.run_python("print('last')", seconds=10)
    finally:
        module._Process = kept  # type: ignore[misc]
    assert (ran.returncode, ran.stdout) == (0, "last\n")


def test_nothing_of_a_run_stays_open_in_the_caller(sandbox: Sandbox) -> None:
    opened = Path("/proc/self/fd")
    before = len(list(opened.glob("*")))
    for code in ("pass", "while 1: print('x' * 1000)", "import time; time.sleep(60)", "1/0"):
        sandbox.run_python(code, seconds=0.3)
    assert len(list(opened.glob("*"))) == before


# What must not: time, memory, output, processes, files


def test_an_endless_loop_is_stopped_in_time(sandbox: Sandbox) -> None:
    for code in ("while True: pass", "import time; time.sleep(60)", "input(); input()\nwhile 1: 1"):
        start = time.monotonic()
        ran = sandbox.run_python(code, stdin="a\nb\n", seconds=0.5)
        assert ran.timed_out and ran.killed_by == "time" and ran.returncode == -9
        assert ran.why() == "stopped by its limit on time"
        assert time.monotonic() - start < 10


def test_a_program_that_ignores_signals_is_stopped_too(sandbox: Sandbox) -> None:
    code = (
        "import signal\n"
        "for s in range(1, 65):\n"
        "    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "while True: pass\n"
    )
    assert sandbox.run_python(code, seconds=0.5).timed_out


def test_endless_output_is_cut_and_stopped(sandbox: Sandbox) -> None:
    for stream in ("stdout", "stderr"):
        ran = sandbox.run_python(f"import sys\nwhile True: sys.{stream}.write('x' * 9999)")
        assert ran.killed_by == "output" and not ran.timed_out
        assert len(getattr(ran, stream)) == 64 * 1024
    ran = sandbox.run_python("print('y' * 100_000)")
    assert ran.ok and ran.stdout == "y" * 64 * 1024  # more than is kept, but no flood


@pytest.mark.parametrize(
    "code",
    ["x = bytearray(4 * 2**30)", "x = []\nwhile True: x.append(bytearray(2**24))"],
)
def test_a_memory_bomb_fails(sandbox: Sandbox, code: str) -> None:
    ran = sandbox.run_python(code, seconds=10, memory_mb=128)
    assert not ran.ok and not ran.timed_out
    assert "MemoryError" in ran.stderr or ran.killed_by in ("memory", "SIGKILL")


def test_processes_together_may_hold_no_more_memory_than_one(sandbox: Sandbox) -> None:
    code = (
        "import os, time\n"
        "for i in range(6):\n"
        "    if os.fork() == 0:\n"
        "        x = bytearray(60 * 2**20)\n"
        "        for i in range(0, len(x), 4096): x[i] = 1\n"
        "        time.sleep(2)\n"
        "        os._exit(0)\n"
        "print(sum(os.wait()[1] != 0 for i in range(6)))\n"
    )
    ran = sandbox.run_python(code, seconds=10, memory_mb=128)
    # All are ended, or (in a container) so many of them that the rest keeps within the limit.
    assert ran.killed_by in ("memory", "SIGKILL") or int(ran.stdout) >= 4
    assert not ran.timed_out


def test_a_fork_bomb_stays_small_and_dies(sandbox: Sandbox) -> None:
    code = (
        "import os, sys\n"
        "made = 0\n"
        "while made < 200:\n"
        "    try: child = os.fork()\n"
        "    except OSError: break\n"
        "    made += 1\n"
        "    if child == 0:\n"
        "        import time; time.sleep(600)\n"
        "print(made)\n"
    )
    assert int(UNSAFE.run_python(code.replace("600", "1"), seconds=60).stdout) == 200
    assert int(sandbox.run_python(code, seconds=60).stdout) <= sandbox.processes
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n"
    assert sandbox.run_python(bomb, seconds=1).timed_out
    assert sandbox.run_python("print('still here')").stdout == "still here\n"


def test_children_do_not_outlive_the_program(sandbox: Sandbox) -> None:
    marker = f"geurim-child-{os.getpid()}"
    code = (
        "import os, subprocess, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    sleep = ['-c', 'import time; time.sleep(60)', '{marker}']\n"
        "    os.execv(sys.executable, [sys.executable, *sleep])\n"
        "import time; time.sleep(0.3)\n"
        "print('parent done')\n"
    )
    start = time.monotonic()
    ran = UNSAFE.run_python(code)
    assert ran.stdout == "parent done\n" and time.monotonic() - start < 10
    outlived = list(_processes_called(marker))
    assert outlived  # without a sandbox it lives on
    for process in outlived:
        os.kill(process, 9)
    ran = sandbox.run_python(code)
    assert ran.stdout == "parent done\n" and ran.returncode == 0
    assert _within(5, lambda: not set(_processes_called(marker)) - set(outlived))


def test_nothing_runs_on_when_its_caller_is_killed() -> None:
    if "namespaces" not in KINDS:
        pytest.skip("a container is ended by its own --rm and time limit")
    marker = f"geurim-orphan-{os.getpid()}"
    inner = f"import os, sys; p = sys.executable; os.execv(p, [p, '-c', {_SLEEP!r}, '{marker}'])"
    code = (
        "from geurim.generators.text.sandbox import Sandbox\n"
        f"Sandbox(kind='namespaces').run_python({inner!r}, seconds=60)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SOURCE)}
    )
    assert _within(20, lambda: any(_processes_called(marker)))
    caller.kill()
    caller.wait()
    assert _within(5, lambda: not any(_processes_called(marker)))


def test_an_interrupted_run_leaves_nothing_behind() -> None:
    if "namespaces" not in KINDS:
        pytest.skip("seen in the process table under namespaces only")
    marker = f"geurim-interrupted-{os.getpid()}"
    inner = f"import os, sys; p = sys.executable; os.execv(p, [p, '-c', {_SLEEP!r}, '{marker}'])"
    opened = Path("/proc/self/fd")
    before = len(list(opened.glob("*")))

    def interrupt() -> None:
        _within(20, lambda: any(_processes_called(marker)))
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    # Processes started in the background inherit that the signal is ignored.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            Sandbox(kind="namespaces").run_python(inner, seconds=30)
        thread.join()
    finally:
        signal.signal(signal.SIGINT, former)
    assert _within(5, lambda: not any(_processes_called(marker)))
    assert len(list(opened.glob("*"))) == before


_SLEEP = "import time; time.sleep(60)"


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _processes_called(marker: str) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            zombie = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            continue
        if marker.encode() in words and not zombie:
            yield int(folder.name)


@pytest.mark.parametrize(
    "code",
    [
        "with open('big', 'wb') as f:\n    for _ in range(64): f.write(bytes(2**20))",
        "for i in range(64): open(f'f{i}', 'wb').write(bytes(2**20))",
    ],
)
def test_disk_space_is_limited_in_sum(sandbox: Sandbox, code: str) -> None:
    assert UNSAFE.run_python(code.replace("64", "8"), seconds=60).ok
    ran = sandbox.run_python(code, seconds=60)
    assert not ran.ok, "64 MB fitted into 32"


def test_the_number_of_files_is_limited() -> None:
    if "namespaces" not in KINDS:
        pytest.skip("containers limit the space, not the number")
    code = "for i in range(1500): open(f'f{i}', 'w').close()"
    assert UNSAFE.run_python(code, seconds=60).ok
    assert "No space left" in Sandbox(kind="namespaces").run_python(code).stderr


# What must not: files, network, rights


def test_files_of_the_host_cannot_be_read(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    tmp_path.chmod(0o755)
    for path in (str(secret), __file__, str(Path.home() / ".profile"), "/etc/hostname"):
        own = path == "/etc/hostname" and sandbox.kind == "podman"  # a container has one of its own
        if own or not Path(path).exists():
            continue
        for code in (
            f"print('read', open({path!r}).read(1))",
            f"import os\nos.symlink({path!r}, 'x')\nprint('read', open('x').read(1))",
            f"import os\nos.chdir('..')\nprint('read', open('..' * 3 + {path!r}).read(1))",
        ):
            if ".." not in code:
                assert UNSAFE.run_python(code).stdout.startswith("read"), code
            assert "read" not in sandbox.run_python(code).stdout, code


def test_host_users_are_not_seen(sandbox: Sandbox) -> None:
    code = "print(sum(1 for line in open('/etc/passwd')))"
    if sandbox.kind == "namespaces":  # an image has users of its own
        assert int(UNSAFE.run_python(code).stdout) > 0
        assert "FileNotFoundError" in sandbox.run_python(code).stderr


def test_nothing_outside_its_folder_can_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    out = tmp_path / "out"
    code = f"open({str(out)!r}, 'w').write('x')"
    assert UNSAFE.run_python(code).ok and out.exists()
    out.unlink()
    assert not sandbox.run_python(code).ok and not out.exists()
    code = (
        "import os, sys\n"
        "for folder in ('/', '/usr', '/dev', os.path.dirname(os.__file__), sys.prefix, '/tmp'):\n"
        "    try: open(os.path.join(folder, 'x'), 'w'); print(folder)\n"
        "    except OSError: pass\n"
    )
    assert sandbox.run_python(code).stdout in ("/tmp\n", "/dev\n/tmp\n")  # a container's own /dev


def test_the_site_packages_of_the_host_are_not_seen(sandbox: Sandbox) -> None:
    code = (
        "import os, sys, glob\n"
        "print([f for p in {sys.prefix, '/usr', '/usr/local'} for kind in ('site', 'dist')\n"
        "       for f in glob.glob(f'{p}/lib/python3*/{kind}-packages/*')])\n"
    )
    if sandbox.kind == "namespaces":
        assert sandbox.run_python(code).stdout == "[]\n"
    assert not sandbox.run_python("import pyarrow").ok


def test_the_network_cannot_be_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        heard: list[bytes] = []

        def listen() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                heard.append(caller.recv(10))
                caller.close()

        threading.Thread(target=listen, daemon=True).start()
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2).send(b'hello')"
        assert UNSAFE.run_python(code).ok
        ran = sandbox.run_python(code)
        time.sleep(0.1)
        assert heard == [b"hello"], "heard from inside"
        assert "OSError" in ran.stderr or "Error" in ran.stderr


def test_abstract_sockets_of_the_host_cannot_be_reached(sandbox: Sandbox) -> None:
    if sys.platform != "linux":
        pytest.skip("abstract sockets are of Linux")
    name = f"\0geurim-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        code = f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        assert UNSAFE.run_python(code).ok
        assert not sandbox.run_python(code).ok


def test_a_socket_to_the_host_of_a_virtual_machine_is_refused() -> None:
    if "namespaces" not in KINDS or os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("the filter of system calls knows x86_64 and aarch64")
    ran = Sandbox(kind="namespaces").run_python("import socket; socket.socket(40, 1)")
    assert "PermissionError" in ran.stderr


def test_the_program_is_nobody_and_cannot_become_anyone(sandbox: Sandbox) -> None:
    code = (
        "import os, ctypes\n"
        "print(os.getuid(), os.getgid(), os.getgroups() in ([], [65534]))\n"
        "for call in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.chroot('/tmp')):\n"
        "    try: call(); print('done')\n"
        "    except OSError: pass\n"
        "libc = ctypes.CDLL(None)\n"
        "print(libc.unshare(0x10000000), libc.mount(b'x', b'/tmp', b'tmpfs', 0, None))\n"
        "print(libc.ptrace(16, 1, 0, 0), libc.prctl(39, 0, 0, 0, 0))\n"
    )
    assert sandbox.run_python(code).stdout == "65534 65534 True\n-1 -1\n-1 1\n"


def test_the_environment_and_the_open_files_of_the_caller_are_not_passed_on(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    (tmp_path / "held").write_text("held")
    with (tmp_path / "held").open() as file:
        os.set_inheritable(file.fileno(), True)
        ran = sandbox.run_python(
            "import os\n"
            "print('SECRET_KEY' in os.environ, sorted(os.environ))\n"
            "for i in range(3, 100):\n"
            "    try: os.fstat(i); print('open', i)\n"
            "    except OSError: pass\n"
        )
    assert ran.stdout.startswith("False") and "open" not in ran.stdout


def test_the_keeper_cannot_be_stopped_from_inside() -> None:
    if "namespaces" not in KINDS:
        pytest.skip("containers have an init of their own")
    code = (
        "import os, signal, time\n"
        "for s in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGCHLD):\n"
        "    for p in (1, os.getppid()):\n"
        "        try: os.kill(p, s)\n"
        "        except OSError: pass\n"
        "time.sleep(60)\n"
    )
    assert Sandbox(kind="namespaces").run_python(code, seconds=0.5).killed_by == "time"


def test_a_program_cannot_write_its_own_verdict() -> None:
    """The keeper's channel is closed before the program starts."""
    if "namespaces" not in KINDS:
        pytest.skip("only namespaces have one")
    code = (
        "import os\n"
        "for i in range(3, 100):\n"
        "    try: os.write(i, b'exit 0')\n"
        "    except OSError: pass\n"
        "os._exit(9)\n"
    )
    assert Sandbox(kind="namespaces").run_python(code).returncode == 9


def test_a_crash_is_told_by_its_signal(sandbox: Sandbox) -> None:
    ran = sandbox.run_python("import os; os.abort()")
    assert ran.returncode == -6 and ran.killed_by == "SIGABRT" and "SIGABRT" in ran.why()


# Settings, and no sandbox


def test_files_may_not_leave_the_folder(sandbox: Sandbox) -> None:
    for name in ("/etc/x", "../x", "a/../../x", "", "a\0b"):
        with pytest.raises(SettingError, match="relative path"):
            sandbox.run_python("pass", files={name: "x"})


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_goes_in_and_comes_out(text: str, stdin: str) -> None:
    sandbox = Sandbox(kind=KINDS[0])  # type: ignore[arg-type]
    code = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read() + open('f', 'rb').read())"
    ran = sandbox.run_python(code, stdin=stdin, files={"f": text})
    assert ran.stdout == stdin + text


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"kind": "jail"}, {"kind": "docker", "processes": 0}):
        with pytest.raises(SettingError):
            Sandbox(**wrong)  # type: ignore[arg-type]
    for wrong in ({"seconds": 0}, {"seconds": 1e9}, {"memory_mb": 1}):
        with pytest.raises(SettingError, match="out of range"):
            UNSAFE.run_python("pass", **wrong)  # type: ignore[arg-type]


def test_find_gives_a_sandbox_that_says_its_name() -> None:
    sandbox = Sandbox.find()
    assert sandbox.kind in KINDS
    assert sandbox.name.split(":")[0] == sandbox.kind
    assert sandbox.run_python("print(1)").stdout == "1\n"


def test_unsafe_says_so_and_still_has_limits() -> None:
    assert "unsafe" in UNSAFE.name
    assert UNSAFE.run_python("while True: pass", seconds=0.5).timed_out
    assert UNSAFE.run_python("x = bytearray(4 * 2**30)", memory_mb=128).returncode == 1
    assert UNSAFE.run_python("print('a' * 10**7)").killed_by == "output"
    assert UNSAFE.run_python("import os; print(os.listdir('.'))").stdout == "['program.py']\n"


def test_where_there_is_no_sandbox_the_error_names_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that may make no namespaces, with no engine on its path: as in a locked box."""
    if not Path("/proc/sys/user/max_user_namespaces").exists() or "namespaces" not in KINDS:
        pytest.skip("needs Linux namespaces")
    code = (
        "import ctypes, os, sys\n"
        f"sys.path.insert(0, {str(SOURCE)!r})\n"
        "import geurim.generators.text.sandbox as sandbox\n"
        "from geurim.generators.text import _jail\n"
        "_jail._drop_rights(ctypes.CDLL(None, use_errno=True))\n"
        "_jail._forbid(ctypes.CDLL(None, use_errno=True))\n"
        "os.environ['PATH'] = ''\n"
        "try: sandbox.Sandbox.find()\n"
        "except sandbox.SettingError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "--unsafe" in done.stdout and "podman: not installed" in done.stdout, done
    assert "namespaces: The sandbox could not be started: unshare" in done.stdout, done


def test_an_engine_is_called_with_every_wall_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A stand-in for podman that notes how it is called, and runs the job as a plain process."""
    engine = tmp_path / "podman"
    engine.write_text(
        f"#!{sys.executable}\n"
        "import os, subprocess, sys\n"
        f"open({str(tmp_path / 'calls')!r}, 'a').write(repr(sys.argv[1:]) + '\\n')\n"
        "if sys.argv[1] == 'run':\n"
        "    at = sys.argv.index('docker.io/library/python:3.12-slim')\n"
        "    sys.exit(subprocess.run([sys.executable, *sys.argv[at + 1:]]).returncode)\n"
    )
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = Sandbox(kind="podman")
    ran = sandbox.run_python("print(input())", stdin="over\n", memory_mb=512)
    assert ran.stdout == "over\n" and ran.ok
    calls = (tmp_path / "calls").read_text().splitlines()
    for wall in (
        *("'--network', 'none'", "'--read-only'", "'--cap-drop', 'ALL'", "'--pids-limit', '18'"),
        *("'--memory', '512m'", "'no-new-privileges'", "'--user', '65534:65534'", "'--rm'"),
        "'--pull', 'never'",
    ):
        assert wall in calls[0], wall
    assert "'rm', '--force'" in calls[-1]
    assert sandbox.name == "podman: docker.io/library/python:3.12-slim"


def test_a_run_starts_fast() -> None:
    """60 ms on a machine at rest, most of it two starts of Python; here CPU time is compared."""
    if "namespaces" not in KINDS:
        pytest.skip("containers take longer")
    sandbox, python = Sandbox(kind="namespaces"), [sys.executable, "-I", "-S", "-c", "pass"]
    sandbox.run_python("pass")
    bare = min(_cpu_s(lambda: subprocess.run(python, check=True)) for _ in range(15))
    ours = min(_cpu_s(lambda: sandbox.run_python("pass")) for _ in range(15))
    assert ours < 8 * max(bare, 0.01), (ours, bare)


def _cpu_s(run: Callable[[], object]) -> float:
    before = os.times()
    run()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])


def test_equal_results_are_equal() -> None:
    ran = Ran(returncode=0, stdout="", stderr="", timed_out=False, killed_by=None, seconds=1.0)
    assert ran == Ran(
        returncode=0, stdout="", stderr="", timed_out=False, killed_by=None, seconds=2.0
    )
