"""The part of the sandbox that runs outside Geurim: `python -s -S -P _jail.py MODE`.

It imports nothing of Geurim, so that it can run under any Python, inside a container too. The job
comes on standard input, as `marshal` writes it; file descriptor `status` is told how it ended.

    namespaces   new user, mount, process, network, IPC and host-name namespaces, then as below
    container    limits, drop of rights, then the program takes this process's place
    bare         limits only

Under namespaces there are three processes. The launcher makes the namespaces and waits. The keeper
is process 1 inside: when it ends, the kernel kills all that is left there; it watches the clock and
the memory. The program is its child, without rights, under a filter of system calls.
"""

from __future__ import annotations

import marshal
import os
import resource
import signal
import sys
import time
from typing import Any, NoReturn

NOBODY = 65534
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND = 1, 2, 4, 32, 4096
MS_REC, MS_PRIVATE, MNT_DETACH = 16384, 1 << 18, 2
KEEP = MS_NOSUID | MS_NODEV | 8 | 1024 | 2048  # flags of a mount that a user may not take away
NEW_USER = 0x10000000
NEW_REST = 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # NS PID NET IPC UTS
PR_PDEATHSIG, PR_DUMPABLE, PR_SECCOMP, PR_CAPBSET_DROP, PR_NO_NEW_PRIVS = 1, 4, 22, 24, 38

# System calls that a program has no use for and that have let programs out of their box before:
# namespaces and mounts, tracing, keys, kernel modules, BPF, io_uring.
DENIED = {
    "x86_64": (
        *(101, 103, 155, 161, 165, 166, 167, 168, 169, 175, 176, 246, 248, 249, 250, 272, 298),
        *(304, 308, 310, 311, 313, 320, 321, 323, 425, 426, 427, 428, 429, 430, 431, 432, 433),
        *(438, 442),
    ),
    "aarch64": (
        *(39, 40, 41, 51, 97, 104, 105, 106, 116, 117, 142, 217, 218, 219, 224, 225, 241, 265),
        *(268, 270, 271, 273, 280, 282, 294, 425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442),
    ),
}
ARCHITECTURES = {"x86_64": (0xC000003E, 56, 41), "aarch64": (0xC00000B7, 220, 198)}
CLONE3 = 435


def main(mode: str) -> None:
    job: dict[str, Any] = marshal.load(sys.stdin.buffer)
    if mode == "namespaces":
        _launch(job)
    os.chdir(job["folder"])
    _write(job)
    _limit(job, processes=False)
    if mode == "container":
        import ctypes

        _forbid(ctypes.CDLL(None, use_errno=True))
    _become(job)


def _launch(job: dict[str, Any]) -> NoReturn:
    """The launcher: make the namespaces, start the keeper, wait for it."""
    status = int(job["status"])
    os.set_inheritable(status, False)
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != job["parent"]:  # it ended before it could be watched
            os._exit(1)
        as_root = _separate(libc)
        _build_root(libc, job)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        keeper = os.fork()
        if keeper == 0:
            _keep(libc, job, as_root)
        os.close(status)
        os.waitpid(keeper, 0)
        os._exit(0)
    except BaseException as error:
        _tell(status, f"error {error}")
        os._exit(1)


def _separate(libc: Any) -> bool:
    """Leave the host's namespaces. True: as root, without a user namespace."""
    if os.geteuid() == 0 and libc.unshare(NEW_REST) == 0:
        return True
    user, group = os.geteuid(), os.getegid()
    _do(libc, libc.unshare(NEW_USER | NEW_REST), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {user} 1"),
        ("gid_map", f"{NOBODY} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib takes 5 ms to load
            file.write(text)
    return False


def _build_root(libc: Any, job: dict[str, Any]) -> None:
    """A new root in memory that shows the Python runtime, read-only, and one folder to write in."""
    _mount(libc, None, "/", None, MS_REC | MS_PRIVATE)
    _mount(libc, "tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    os.mkdir("/tmp/old")  # noqa: PTH102
    _do(libc, libc.pivot_root(b"/tmp", b"/tmp/old"), "pivot_root")
    os.chdir("/")
    for path, target in job["links"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        os.symlink(target, path)  # noqa: PTH211
    for path in job["show"]:
        _bind(libc, path)
    for path in job["hide"]:
        _mount(libc, "tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k,mode=755")
    for path in ("/dev/null", "/dev/zero", "/dev/urandom"):
        _bind(libc, path)
    os.mkdir("/tmp")  # noqa: PTH102
    os.mkdir("/proc")  # noqa: PTH102
    os.symlink("/tmp", "/dev/shm")  # noqa: PTH211
    room = f"size={job['disk_mb']}m,nr_inodes={job['inodes']},mode=1777"
    _mount(libc, "tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, room)


def _bind(libc: Any, path: str) -> None:
    source = f"/old{path}"
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))
    _mount(libc, source, path, None, MS_BIND | MS_REC)
    if path.startswith("/dev/"):
        return
    kept = os.statvfs(source).f_flag & KEEP
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | kept
    _mount(libc, None, path, None, flags)


def _keep(libc: Any, job: dict[str, Any], as_root: bool) -> NoReturn:
    """The keeper, process 1 of the sandbox: start the program, watch it, say how it ended."""
    status = int(job["status"])
    try:
        libc.prctl(PR_PDEATHSIG, signal.SIGKILL)
        libc.sethostname(b"sandbox", 7)
        table = _processes(libc)  # before the old root goes: a user may only mount what is in sight
        _do(libc, libc.umount2(b"/old", MNT_DETACH), "umount2")
        os.rmdir("/old")  # noqa: PTH106
        _mount(libc, None, "/", None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, "mode=755")
        if as_root:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            # Of its own, so that limits on processes are counted for this run alone.
            libc.unshare(NEW_USER)
        libc.prctl(PR_PDEATHSIG, signal.SIGKILL)  # a change of user takes it away
        _drop_rights(libc)
        libc.prctl(PR_DUMPABLE, 0)
        os.chdir("/tmp")
        _write(job)
        program = os.fork()
        if program == 0:
            _run(libc, job, status)
        _tell(status, _watch(program, table, job))
    except BaseException as error:
        _tell(status, f"error {error}")
    os._exit(0)


def _processes(libc: Any) -> int:
    """A descriptor of this namespace's /proc, which no path leads to; -1 where it cannot be had."""
    if libc.mount(b"proc", b"/proc", b"proc", 15, None):
        return -1
    try:
        return os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    finally:
        libc.umount2(b"/proc", MNT_DETACH)


def _run(libc: Any, job: dict[str, Any], status: int) -> NoReturn:
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.setsid()
        _limit(job, processes=True)
        _forbid(libc)
        _become(job)
    except BaseException as error:
        _tell(status, f"error {error}")
    os._exit(127)


def _watch(program: int, table: int, job: dict[str, Any]) -> str:
    """Wait for the program, no longer than it may take, and watch what all of it holds."""
    end = time.monotonic() + job["seconds"]
    pages = job["memory_mb"] * 2**20 // os.sysconf("SC_PAGE_SIZE")
    pause = 0.002
    while True:
        done, how = os.waitpid(-1, os.WNOHANG)
        if done == program:
            code = os.waitstatus_to_exitcode(how)
            return f"exit {code}" if code >= 0 else f"signal {-code}"
        if done:
            continue  # an orphan of the program, which ends here
        left = end - time.monotonic()
        if left <= 0:
            return "killed time"
        if table >= 0 and _held(table) > pages:
            return "killed memory"
        signal.sigtimedwait({signal.SIGCHLD}, min(left, pause))
        pause = min(2 * pause, 0.03)


def _held(table: int) -> int:
    """Pages in memory of all processes of the sandbox but this one."""
    pages = 0
    for name in os.listdir(table):
        if name.isdigit() and name != "1":
            try:
                file = os.open(f"{name}/statm", os.O_RDONLY, dir_fd=table)
                pages += int(os.read(file, 200).split()[1])
                os.close(file)
            except OSError:  # it ended in between
                continue
    return pages


def _write(job: dict[str, Any]) -> None:
    """The program, its files and its standard input."""
    for name, content in (("program.py", job["code"]), *job["files"]):
        if os.path.dirname(name):  # noqa: PTH120
            os.makedirs(os.path.dirname(name), exist_ok=True)  # noqa: PTH103, PTH120
        with open(name, "wb") as file:  # noqa: PTH123
            file.write(content)
    # Standard input is a file without a name, so that nobody has to feed it.
    place = os.open(".stdin", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o400)
    with open(place, "wb") as file:  # noqa: PTH123
        file.write(job["stdin"])
    reading = os.open(".stdin", os.O_RDONLY)
    os.unlink(".stdin")  # noqa: PTH108
    os.dup2(reading, 0)
    os.close(reading)


def _limit(job: dict[str, Any], *, processes: bool) -> None:
    cpu = int(job["seconds"]) + 1
    memory = job["memory_mb"] * 2**20
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, job["disk_mb"] * 2**20),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CPU, cpu),
    ]
    if hasattr(resource, "RLIMIT_AS") and sys.platform != "darwin":
        limits.append((resource.RLIMIT_AS, memory))
    if processes:
        limits.append((resource.RLIMIT_NPROC, job["processes"] + 1))
    for kind, most in limits:
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            most = min(most, ceiling)
        # SIGXCPU first, and SIGKILL a second later for who catches it.
        resource.setrlimit(kind, (most, most + 1 if kind == resource.RLIMIT_CPU else most))


def _become(job: dict[str, Any]) -> NoReturn:
    """Give this process to the program. Strings hash alike in every run: sets keep their order."""
    environment = {"PYTHONHASHSEED": "0", "PATH": ""}
    python = job["python"] or sys.executable
    os.execve(python, [python, "-s", "-S", "-B", "-X", "utf8", "program.py"], environment)


def _drop_rights(libc: Any) -> None:
    import ctypes

    for right in range(64):
        if libc.prctl(PR_CAPBSET_DROP, right, 0, 0, 0):
            break
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    _do(libc, libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    _do(libc, libc.prctl(PR_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def _forbid(libc: Any) -> None:
    """A seccomp filter: a second wall behind the namespaces, where the architecture is known."""
    import ctypes

    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        return
    libc.prctl(PR_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = b"".join(_filter(machine))
    held = ctypes.create_string_buffer(program)

    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))

    given = Filter(len(program) // 8, ctypes.cast(held, ctypes.c_void_p))
    libc.prctl(PR_SECCOMP, 2, ctypes.byref(given), 0, 0)  # a kernel without it: the first wall


def _filter(machine: str) -> list[bytes]:
    """The filter's instructions; each is (code, jump if true, jump if false, constant)."""
    architecture, clone, socket = ARCHITECTURES[machine]
    load, equal, above, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    refuse, unknown = 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return code.to_bytes(2, sys.byteorder) + bytes((yes, no)) + value.to_bytes(4, sys.byteorder)

    steps = [
        step(load, 4),
        *(step(equal, architecture, yes=1), step(give, kill)),
        step(load, 0),
        *(step(above, 0x40000000, no=1), step(give, kill)),  # the x32 way round the numbers
        # glibc falls back to clone, whose flags a filter can read.
        *(step(equal, CLONE3, no=1), step(give, unknown)),
        # New namespaces.
        *(step(equal, clone, no=4), step(load, 16), step(any_bit, 0x7E020000, no=1)),
        *(step(give, refuse), step(give, allow)),
        # Sockets of the kinds that a network namespace holds: not AF_VSOCK, which leads to the host
        # of a virtual machine.
        *(step(equal, socket, no=6), step(load, 16), step(equal, 1, yes=3)),
        *(step(equal, 2, yes=2), step(equal, 10, yes=1), step(give, refuse), step(give, allow)),
    ]
    for number in DENIED[machine]:
        steps += [step(equal, number, no=1), step(give, refuse)]
    return [*steps, step(give, allow)]


def _mount(
    libc: Any, source: str | None, target: str, kind: str | None, flags: int, data: str = ""
) -> None:
    arguments = [None if text is None else text.encode() for text in (source, target, kind)]
    done = libc.mount(*arguments, flags, data.encode() if data else None)
    _do(libc, done, f"mount {target}")


def _do(libc: Any, result: int, what: str) -> None:
    if result != 0:
        import ctypes

        raise OSError(f"{what}: {os.strerror(ctypes.get_errno())}")


def _tell(status: int, message: str) -> None:
    os.write(status, message.encode()[:500])


if __name__ == "__main__":
    main(sys.argv[1])
