"""Keeps the refresh token over restarts, in a file that only the plugin's own user
can read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class State:
    """Without a directory it keeps nothing."""

    def __init__(self, directory: str, plugin: str) -> None:
        self._file = Path(directory) / f"{plugin}.refresh" if directory else None

    def load(self) -> str:
        """Return the kept token, or "" when there is none."""
        if self._file is None:
            return ""
        try:
            return self._file.read_text("ascii").strip()
        except FileNotFoundError:
            return ""

    def save(self, token: str) -> None:
        """Replace the kept token in one step, so that a crash leaves the old one or
        the new one and never half of either."""
        if self._file is None:
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file with mode 0600.
        handle, name = tempfile.mkstemp(prefix=self._file.name, dir=self._file.parent)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write(token + "\n")
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, self._file)
        except BaseException:
            os.unlink(name)
            raise
