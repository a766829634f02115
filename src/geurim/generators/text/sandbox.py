"""Code that a model wrote runs here and nowhere else: no network, no files of yours, firm limits.

`Sandbox.find()` gives the best there is on this machine: a container engine (podman or docker) that
has the image already, otherwise Linux namespaces made by `_jail.py`, for a plain user or for root.
docs/sandbox.md says what each keeps out and what it does not.
"""

from __future__ import annotations

import contextlib
import functools
import marshal
import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

from geurim.errors import SettingError

Kind = Literal["podman", "docker", "namespaces", "unsafe"]

_JAIL = Path(__file__).with_name("_jail.py")
_NO_FILES: Mapping[str, str | bytes] = MappingProxyType({})
_STARTING_S = {"podman": 5.0, "docker": 5.0, "namespaces": 10.0, "unsafe": 0.0}
_MOST_OUTPUT = 1 << 20  # bytes written to one stream before the program is stopped for it
_PIECE = 1 << 16
_LIMITS = ("time", "cpu time", "memory", "output")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a program ended."""

    returncode: int  # as Python's subprocess gives it: negative for a signal
    stdout: str  # the first `Sandbox.output_kb` of it; bytes that are not UTF-8 are replaced
    stderr: str
    timed_out: bool
    killed_by: str | None  # "time", "cpu time", "memory", "output" or a signal's name
    seconds: float = field(compare=False)  # wall time, with the start of the sandbox

    @property
    def ok(self) -> bool:
        return self.returncode == 0 and self.killed_by is None

    def why(self) -> str:
        """What went wrong in one line: the limit it broke, or its last complaint."""
        if self.killed_by is not None:
            limit = self.killed_by in _LIMITS
            return f"{'stopped by its limit on' if limit else 'killed by'} {self.killed_by}"
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        last = lines[-1] if lines else "nothing on standard error"
        return f"exit code {self.returncode}: {last[:300]}"


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A way to run a program that nobody has read. Use `Sandbox.find()`, not the class."""

    kind: Kind
    image: str = "docker.io/library/python:3.12-slim"  # of a container; it is never pulled
    processes: int = 16  # of one run, threads among them
    disk_mb: int = 32  # all files of one run together
    output_kb: int = 64  # kept of each of standard output and standard error

    def __post_init__(self) -> None:
        if self.kind not in _STARTING_S:
            raise SettingError(
                f"Unknown kind of sandbox: {self.kind!r}. Choose one of: {', '.join(_STARTING_S)}."
            )
        for name, low, high in (
            ("processes", 1, 1024),
            ("disk_mb", 1, 65_536),
            ("output_kb", 1, 1024),
        ):
            if not low <= getattr(self, name) <= high:
                raise SettingError(
                    f"{name} of a sandbox is out of range: {getattr(self, name)}. "
                    f"Give {low} to {high}."
                )

    @classmethod
    def find(cls, **settings: Any) -> Sandbox:
        """The best sandbox this machine has, tried once. SettingError where it has none."""
        reasons = []
        for kind in ("podman", "docker", "namespaces"):
            sandbox = cls(kind=kind, **settings)
            reason = _unusable(sandbox)
            if reason is None:
                return sandbox
            reasons.append(f"{kind}: {reason}")
        raise SettingError(
            "Code from a model needs a sandbox, and this machine offers none "
            f"({'; '.join(reasons)}). Install podman and pull {cls.image}, or let users make "
            "namespaces (sysctl kernel.unprivileged_userns_clone=1 and "
            "kernel.apparmor_restrict_unprivileged_userns=0), or say --unsafe to run it with your "
            "own rights."
        )

    @classmethod
    def unsafe(cls, **settings: Any) -> Sandbox:
        """No sandbox: limits on time, memory and files, but your rights, files and network."""
        return cls(kind="unsafe", **settings)

    @property
    def name(self) -> str:
        """For the lineage: how the code was held."""
        if self.kind == "unsafe":
            return "unsafe: limits only, with the user's own rights"
        return f"{self.kind}: {self.image}" if self._contained else "namespaces"

    @property
    def _contained(self) -> bool:
        return self.kind in ("podman", "docker")

    def run_python(
        self,
        code: str,
        *,
        stdin: str = "",
        files: Mapping[str, str | bytes] = _NO_FILES,
        seconds: float = 5.0,
        memory_mb: int = 512,
    ) -> Ran:
        """Run `code` as a program, in an empty folder with `files` (relative paths) in it.

        It has the standard library and nothing else, no environment, and `stdin` to read.
        `seconds` is its wall time; `memory_mb` holds for each process and, under namespaces and in
        containers, for all of them together. A program that fails is a result, not an error;
        SettingError where the sandbox itself cannot be started. May be called from threads.
        """
        if not 0 < seconds <= 3600:
            raise SettingError(f"seconds out of range: {seconds}. Give more than 0, at most 3600.")
        if not 64 <= memory_mb <= 1 << 20:
            raise SettingError(f"memory_mb out of range: {memory_mb}. Give at least 64.")
        job: dict[str, Any] = {
            "code": _bytes(code),
            "stdin": _bytes(stdin),
            "files": [(_inside(name), _bytes(content)) for name, content in files.items()],
            "seconds": float(seconds),
            "memory_mb": int(memory_mb),
            "disk_mb": self.disk_mb,
            "inodes": 1000 + len(files),
            "processes": self.processes,
            "python": None,
        }
        if self.kind == "namespaces":
            return self._in_namespaces(job)
        if self._contained:
            return self._in_container(job)
        with tempfile.TemporaryDirectory(prefix="geurim-", ignore_cleanup_errors=True) as folder:
            job["folder"] = folder
            return self._finish(_Process([*_python(), str(_JAIL), "bare"], job), job)

    def _in_namespaces(self, job: dict[str, Any]) -> Ran:
        told, status = os.pipe()
        try:
            job |= {"status": status, "parent": os.getpid(), **_runtime()}
            process = _Process([*_python(), "-c", _bootstrap()], job, status)
        except BaseException:
            os.close(told)
            raise
        finally:
            os.close(status)
        process.watch(told, "status")
        return self._finish(process, job)

    def _in_container(self, job: dict[str, Any]) -> Ran:
        name = f"geurim-{uuid.uuid4().hex}"
        job["folder"] = "/tmp"
        command = [
            *(self.kind, "run", "--interactive", "--rm", "--init", "--pull", "never"),
            *("--name", name, "--network", "none", "--read-only", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--user", "65534:65534"),
            # Memory of their own to share, without which there is no lock between processes.
            *("--ipc", "private", "--shm-size", "16m"),
            *("--memory", f"{job['memory_mb']}m", "--memory-swap", f"{job['memory_mb']}m"),
            *("--pids-limit", str(self.processes + 2), "--cpus", "1", "--log-driver", "none"),
            *("--tmpfs", f"/tmp:rw,nosuid,nodev,size={self.disk_mb}m,mode=1777"),
            *("--workdir", "/tmp", "--entrypoint", "python3", self.image),
            *("-s", "-S", "-c", _JAIL.read_text("utf-8"), "container"),
        ]
        try:
            ran = self._finish(_Process(command, job, environment=dict(os.environ)), job)
        finally:  # ending the client does not end the container
            subprocess.run([self.kind, "rm", "--force", name], capture_output=True, check=False)
        if ran.returncode in (125, 126, 127) and not ran.stdout:
            raise SettingError(f"{self.kind} could not start the sandbox: {ran.stderr.strip()}")
        return ran

    def _finish(self, process: _Process, job: dict[str, Any]) -> Ran:
        """Read what it writes until it ends or may go on no longer."""
        try:
            reason = process.read(job["seconds"] + _STARTING_S[self.kind])
        except BaseException:  # interrupted: nothing of the run stays
            process.end(True)
            raise
        code = process.end(reason is not None)
        said = process.text("status", 1 << 12)
        if self.kind == "namespaces" and reason is None:
            kind, _, rest = said.partition(" ")
            if kind not in ("exit", "signal", "killed"):
                raise SettingError(
                    f"The sandbox could not be started: {rest or said or 'no word'}."
                )
            code = {"exit": 1, "signal": -1}.get(kind, 0) * int(rest) if kind != "killed" else -9
            reason = rest if kind == "killed" else None
        if self._contained and code > 128:
            code = 128 - code
            # There only the limit on CPU time, which is a little longer, ends an endless loop.
            late = time.monotonic() - process.started > job["seconds"] + 1
            if reason is None and late and -code in (signal.SIGXCPU, signal.SIGKILL):
                reason, code = "time", -signal.SIGKILL
        if reason is None and code < 0:
            reason = "cpu time" if -code == signal.SIGXCPU else _signal_name(-code)
        return Ran(
            returncode=code if reason is None or code < 0 else -9,
            stdout=process.text("stdout", self.output_kb << 10),
            stderr=process.text("stderr", self.output_kb << 10),
            timed_out=reason == "time",
            killed_by=reason,
            seconds=time.monotonic() - process.started,
        )


class _Process:
    """A process with its output, read from any thread without threads of its own."""

    def __init__(
        self,
        command: list[str],
        job: dict[str, Any],
        status: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.started = time.monotonic()
        self._kept: dict[str, bytearray] = {}
        self._counts: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        with tempfile.TemporaryFile() as file:
            marshal.dump(job, file)
            file.seek(0)
            self._process = subprocess.Popen(
                command,
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=() if status is None else (status,),
                env=environment or {"PYTHONHASHSEED": "0"},
                cwd="/",
                start_new_session=True,
            )
        assert self._process.stdout is not None and self._process.stderr is not None
        self.watch(os.dup(self._process.stdout.fileno()), "stdout")
        self.watch(os.dup(self._process.stderr.fileno()), "stderr")
        self._process.stdout.close()
        self._process.stderr.close()

    def watch(self, place: int, name: str) -> None:
        os.set_blocking(place, False)
        self._selector.register(place, selectors.EVENT_READ, name)
        self._kept[name] = bytearray()
        self._counts[name] = 0

    def read(self, seconds: float) -> str | None:
        """Read until all ends are closed, or the process is gone, or it must be stopped: why."""
        end = self.started + seconds
        while self._selector.get_map():
            left = end - time.monotonic()
            if left <= 0:
                return "time"
            # Asked first: what it wrote before it went is then there to be read.
            gone = self._process.poll() is not None
            events = self._selector.select(0.0 if gone else min(left, 0.1))
            for key, _ in events:
                if self._take(key.fd, key.data) > _MOST_OUTPUT:
                    return "output"
            # Without namespaces a child may outlive the program and hold its output open.
            if gone and not events:
                return None
        return None

    def _take(self, place: int, name: str) -> int:
        piece = os.read(place, _PIECE)
        if not piece:
            self._selector.unregister(place)
            os.close(place)
        kept = self._kept[name]
        kept += piece[: max(0, _MOST_OUTPUT - len(kept))]
        self._counts[name] += len(piece)
        return self._counts[name]

    def end(self, now: bool) -> int:
        """Wait for the process, or stop it `now`; nothing of its group stays."""
        if not now:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                now = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fd)
            os.close(key.fd)
        self._selector.close()
        return self._process.wait()

    def text(self, name: str, most: int) -> str:
        return self._kept.get(name, bytearray())[:most].decode("utf-8", "replace")


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
        raise SettingError(f"Not a file inside the sandbox: {name!r}. Give a relative path.")
    return str(path)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _python() -> list[str]:
    """The interpreter without any virtual environment, user site or site packages."""
    return [_executable(), "-s", "-S", "-P", "-B"]


@functools.cache
def _executable() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


@functools.cache
def _bootstrap() -> str:
    """A short program that runs `_jail.py` without compiling it again: 3 ms of each run."""
    compiled = compile(_JAIL.read_bytes(), "_jail.py", "exec")
    return (
        "import marshal,sys;sys.argv=['_jail.py','namespaces'];"
        f"exec(marshal.loads({marshal.dumps(compiled)!r}))"
    )


@functools.cache
def _runtime() -> dict[str, Any]:
    """What the sandbox shows: the interpreter, its library, and the system's shared libraries."""
    base = os.path.realpath(sys.base_prefix)
    show, links = {_executable(): None}, {}
    shared = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store", "/gnu/store")
    for path in (*shared, "/etc/ld.so.cache"):
        if Path(path).is_symlink():
            links[path] = str(Path(path).readlink())
        elif Path(path).exists():
            show[path] = None
    library = os.path.realpath(sysconfig.get_paths(vars=_BASE)["stdlib"])
    for path in (f"{base}/lib", library):
        if not any(path == known or path.startswith(f"{known}/") for known in show):
            show[path] = None
    hide = [f"{library}/site-packages", f"{library}/dist-packages", "/usr/lib/python3"]
    return {
        "python": _executable(),
        "show": list(show),
        "links": links,
        "hide": [path for path in hide if Path(path).is_dir() and not Path(path).is_symlink()],
    }


_BASE = {"base": sys.base_prefix, "installed_base": sys.base_prefix}


@functools.cache
def _unusable(sandbox: Sandbox) -> str | None:
    """None if a program runs in it, else why not."""
    if sandbox.kind == "namespaces":
        if sys.platform != "linux":
            return f"only Linux has them, this is {sys.platform}"
    else:
        reason = _no_engine(sandbox)
        if reason is not None:
            return reason
    try:
        ran = sandbox.run_python("print(6 * 7)", seconds=10, memory_mb=128)
    except (SettingError, OSError) as error:
        return str(error)
    return None if ran.stdout.strip() == "42" else ran.why()


def _no_engine(sandbox: Sandbox) -> str | None:
    if shutil.which(sandbox.kind) is None:
        return "not installed"
    for arguments, reason in (
        (["info"], "the engine does not answer"),
        (["image", "inspect", sandbox.image], f"the image {sandbox.image} is not there"),
    ):
        try:
            done = subprocess.run(
                [sandbox.kind, *arguments], capture_output=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return reason
        if done.returncode != 0:
            return reason
    return None
