"""Running an outside program on one clip: no shell, a folder of its own, a limit in time."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from snacbench.codecs._command_file import Number, Value, fill
from snacbench.errors import CodecError, MissingPackage, UserError

_PREFIX = "snacbench-command-"


@contextmanager
def work_folder() -> Iterator[Path]:
    """A temporary folder for one call, gone afterwards; parallel workers never share one."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")
    except OSError as error:
        raise cannot_write(Path(tempfile.gettempdir()), error) from error
    with folder as name:
        yield Path(name)


def cannot_write(folder: Path, error: OSError) -> UserError:
    """What to say when temporary files cannot be written."""
    return UserError(
        f"cannot write temporary files in {folder} ({error.strerror or error}); free some space "
        "or set TMPDIR to another folder"
    )


def remove_left_over_folders() -> None:
    """Remove the folders of workers that were killed in the middle of a call."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = re.match(rf"{_PREFIX}(\d+)-", folder.name)
        if owner and not _runs(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # someone else's
    return True


def program_path(program: str, *, codec: str, install: str) -> Path:
    """Where a program is.

    Raises
    ------
    MissingPackage
        If it is not installed, or may not be run.
    UserError
        If it is named by a relative path, which would depend on where snacbench was started.
    """
    if "/" in program and not Path(program).is_absolute():
        raise UserError(
            f"{codec}: {program} is a relative path; write {{here}}/{program} for a program beside "
            "the codec's file"
        )
    found = shutil.which(program)
    if found is None:
        advice = f"; install it: {install}" if install else ""
        raise MissingPackage(f"{codec} needs the program {program}, which is not installed{advice}")
    return Path(found)


@dataclass(frozen=True)
class Call:
    """All that the command lines for one clip need: where, with which values, for how long."""

    codec: str
    folder: Path
    values: Mapping[str, Value]
    timeout_s: float
    install: str = ""

    def whole(self, number: Number) -> int:
        """A number of the codec's file, looked up if it is the name of a setting.

        Raises
        ------
        UserError
            If it is no whole number.
        """
        if isinstance(number, int):
            return number
        text = fill(number, self.values)
        if not text.isdecimal():
            raise UserError(f"{self.codec}: {number} is {text!r}, expected a whole number")
        return int(text)

    def run(self, command: Sequence[str]) -> str:
        """Run a command line and return what it printed.

        Raises
        ------
        MissingPackage
            If the program is not installed.
        CodecError
            If it cannot be run, fails or takes too long.
        """
        words = [fill(word, self.values) for word in command]
        program = program_path(words[0], codec=self.codec, install=self.install)
        return _run([str(program), *words[1:]], self)

    def written(self, placeholder: str, command: Sequence[str]) -> Path:
        """The file that a command should have written.

        Raises
        ------
        CodecError
            If there is none, or it is empty.
        """
        path = Path(str(self.values[placeholder]))
        if not path.is_file() or path.stat().st_size == 0:
            raise CodecError(
                f"{self.codec}: {command[0]} reported success and wrote nothing to "
                f"{{{placeholder}}}{_command_line(fill(w, self.values) for w in command)}"
            )
        return path


def _run(words: Sequence[str], call: Call) -> str:
    name = f"{call.codec}: {Path(words[0]).name}"
    try:
        process = subprocess.Popen(
            words,
            cwd=call.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,  # so that a script's own programs end with it
        )
    except OSError as error:
        raise CodecError(
            f"{name} cannot be run ({error.strerror}){_command_line(words)}"
        ) from error
    try:
        out, err = process.communicate(timeout=call.timeout_s)
    except subprocess.TimeoutExpired as error:
        raise CodecError(
            f"{name} did not end within {call.timeout_s:g} s (timeout_s){_command_line(words)}"
        ) from error
    finally:
        _end(process)
    if process.returncode:
        raise CodecError(f"{name} {_how_it_failed(process.returncode, err)}{_command_line(words)}")
    return out.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and whatever it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _how_it_failed(status: int, err: bytes) -> str:
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    said = lines[-1].strip() if lines else "no message"
    if status < 0:
        return f"was ended by signal {-status} ({signal.Signals(-status).name}): {said}"
    return f"ended with exit status {status}: {said}"


def _command_line(words: Iterator[str] | Sequence[str]) -> str:
    return f" (command: {shlex.join(words)})"
