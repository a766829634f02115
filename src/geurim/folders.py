"""Folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_folder(to: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """A new folder that takes the name `to` when all went well, and is gone when not.

    `check` raises where `to` may not be taken; it is asked before and again at the end, for someone
    may have made the folder meanwhile. What was there is put back if the last step fails.
    """
    check(to)
    to.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{to.name[:80]}.", dir=to.parent))
    old = new.with_name(f"{new.name}.old")
    try:
        yield new
        umask = os.umask(0)
        os.umask(umask)
        new.chmod(0o777 & ~umask)  # mkdtemp lets nobody else in
        check(to)
        if to.exists():
            to.rename(old)
        new.rename(to)
    finally:
        if old.exists() and not to.exists():
            old.rename(to)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
