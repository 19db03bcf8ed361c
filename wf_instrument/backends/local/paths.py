"""Where a local store lies, and that nobody else can read it."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from wf_instrument.errors import StoreError

__all__ = ["default_path", "prepare"]

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def default_path(service: str) -> Path:
    """Return the store of a service in the user's state directory.

    Source:
        XDG Base Directory Specification, `$XDG_STATE_HOME`.
    """
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", service).lstrip(".")[:100] or "default"
    return Path(state).expanduser() / "wf-instrument" / f"{safe}.db"


def prepare(path: Path) -> None:
    """Make the folder (0700) and the empty file (0600) of a store, where they are missing.

    Raises:
        StoreError: That is not possible, or another user owns them.
    """
    try:
        _prepare_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            known = os.fstat(descriptor)
            if not stat.S_ISREG(known.st_mode):
                raise StoreError(f"local store {path} is no file; name a file in WF_REPORTER")
            _refuse_foreign(path, known)
            os.fchmod(descriptor, _FILE_MODE)
        finally:
            os.close(descriptor)
    except StoreError:
        raise
    except OSError as exc:
        raise StoreError(
            f"local store {path} cannot be opened for writing: {exc.strerror}; "
            "name another file in WF_REPORTER, as local:///path/file.db"
        ) from exc


def _prepare_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        # The mode of mkdir is cut by the umask, and may be widened by an inherited ACL.
        folder.chmod(_FOLDER_MODE)
    known = folder.stat()
    if stat.S_ISDIR(known.st_mode) and folder.name == "wf-instrument":
        _refuse_foreign(folder, known)
        if stat.S_IMODE(known.st_mode) != _FOLDER_MODE:
            folder.chmod(_FOLDER_MODE)


def _refuse_foreign(path: Path, known: os.stat_result) -> None:
    if known.st_uid != os.geteuid():
        raise StoreError(
            f"local store {path} belongs to another user (uid {known.st_uid}); "
            "name another file in WF_REPORTER, as local:///path/file.db"
        )
