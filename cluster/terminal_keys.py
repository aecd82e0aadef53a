"""Single keys of a terminal, and a person's editor. Where there is no terminal, keys are the characters that come in.

Ctrl-C stays Ctrl-C. The terminal is as it was before an editor starts, and at the end whatever happens.
"""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ESCAPE = "\x1b"
END = ""
"""No more keys come."""
_SEQUENCE_S = 0.02
"""What belongs to one key (an arrow, say) comes within so many seconds."""


class EditorError(Exception):
    """The editor could not be used. The message says what to change."""


class TerminalKeys:
    """Reads keys; a context manager, since it changes how the terminal hands them over."""

    def __init__(self, fd: int | None = None) -> None:
        """Read from a file descriptor, by default standard input."""
        self._fd = sys.stdin.fileno() if fd is None else fd
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        self._single()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def __call__(self) -> str:
        """Wait for a key and return it; `ESCAPE` for it and for keys that send several characters, `END` at the end."""
        read = os.read(self._fd, 1)
        if read == ESCAPE.encode():
            while os.isatty(self._fd) and select.select([self._fd], [], [], _SEQUENCE_S)[0]:
                os.read(self._fd, 32)
            return ESCAPE
        while read and (read[0] & 0xC0) == 0xC0 and len(read) < _length(read[0]):
            read += os.read(self._fd, 1)
        return read.decode("utf-8", "replace")

    @contextmanager
    def plain(self) -> Iterator[None]:
        """Give the terminal back for as long as another program uses it."""
        self._restore()
        try:
            yield
        finally:
            self._single()

    def _single(self) -> None:
        if not os.isatty(self._fd):
            return
        import termios
        import tty

        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd, termios.TCSADRAIN)

    def _restore(self) -> None:
        if self._before is None:
            return
        import termios

        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        self._before = None


def edited(text: str, suffix: str = ".txt", env: Mapping[str, str] | None = None) -> str:
    """Return the text as a person leaves it in $VISUAL, $EDITOR, or vi. Raises `EditorError`."""
    env = os.environ if env is None else env
    command = env.get("VISUAL") or env.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="ratchet-") as folder:
        file = Path(folder, f"edit{suffix}")
        file.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run([*shlex.split(command), str(file)], check=False)
        except (OSError, ValueError) as error:
            raise EditorError(f"expected an editor at {command!r}, found none ({error}); set EDITOR") from None
        if ended.returncode:
            raise EditorError(f"the editor {command!r} ended with {ended.returncode}: nothing was taken over")
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EditorError(f"expected UTF-8 text from the editor, found none ({error})") from None


def _length(first: int) -> int:
    """Return how many bytes a character in UTF-8 has that begins so."""
    return 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2
