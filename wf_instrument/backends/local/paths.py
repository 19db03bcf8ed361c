"""Where a local store lies, and that nobody else can read it."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from wf_instrument.errors import ConfigError, StoreError

__all__ = ["default_path", "prepare"]

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
#: A file name has at most 255 bytes, and SQLite appends `-wal` and `-shm` to it.
_MAX_NAME_BYTES: Final = 200
_ELSEWHERE: Final = "name another file in WF_REPORTER, as local:///path/file.db"


def default_path(service: str) -> Path:
    """Return the store of a service in the user's state directory.

    Raises:
        ConfigError: There is no such directory, since the user has no home.

    Source:
        XDG Base Directory Specification, `$XDG_STATE_HOME`.
    """
    safe = re.sub(r"[^\w.-]", "_", service).lstrip(".")
    safe = safe.encode("utf-8", "ignore")[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
    return _default_folder() / f"{safe or 'default'}.db"


def prepare(path: Path) -> None:
    """Make the folder (0700) and the empty file (0600) of a store, where they are missing.

    Raises:
        StoreError: That is not possible, or another user owns them.
    """
    try:
        _prepare_folder(path.parent)
        known = _existing_or_new(path)
        if not stat.S_ISREG(known.st_mode):
            kind = "a directory" if stat.S_ISDIR(known.st_mode) else "no regular file"
            raise StoreError(
                f"local store {path} cannot be opened for writing: it is {kind}; {_ELSEWHERE}"
            )
        _refuse_foreign(path, known)
        if stat.S_IMODE(known.st_mode) != _FILE_MODE:
            path.chmod(_FILE_MODE)
    except StoreError:
        raise
    except OSError as exc:
        raise StoreError(
            f"local store {path} cannot be opened for writing: {exc.strerror}; {_ELSEWHERE}"
        ) from exc


def _existing_or_new(path: Path) -> os.stat_result:
    # An existing file is never opened here: closing any descriptor of it would drop the locks
    # that SQLite holds on it in this process (SQLite, "How To Corrupt An SQLite Database File").
    try:
        return path.stat()
    except FileNotFoundError:
        pass
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(path, flags, _FILE_MODE))
    except FileExistsError:
        pass  # another process was quicker; or a dangling link, which stat refuses
    return path.stat()


def _prepare_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        # The mode of mkdir is cut by the umask, and may be widened by an inherited ACL.
        folder.chmod(_FOLDER_MODE)
    # Only our own folder is narrowed; others may have a reason to be as wide as they are.
    if not _is_default(folder):
        return
    known = folder.stat()
    if stat.S_ISDIR(known.st_mode):
        _refuse_foreign(folder, known)
        if stat.S_IMODE(known.st_mode) != _FOLDER_MODE:
            folder.chmod(_FOLDER_MODE)


def _is_default(folder: Path) -> bool:
    try:
        return folder.absolute() == _default_folder().absolute()
    except ConfigError:
        return False


def _default_folder() -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    # The specification wants relative paths ignored.
    if not state.is_absolute():
        try:
            state = Path("~/.local/state").expanduser()
        except RuntimeError as exc:
            raise ConfigError(
                "the local store has no place: this user has no home directory; "
                f"set XDG_STATE_HOME to an absolute path, or {_ELSEWHERE}"
            ) from exc
    return state / "wf-instrument"


def _refuse_foreign(path: Path, known: os.stat_result) -> None:
    if known.st_uid != os.geteuid():
        raise StoreError(
            f"local store {path} belongs to another user (uid {known.st_uid}); {_ELSEWHERE}"
        )
