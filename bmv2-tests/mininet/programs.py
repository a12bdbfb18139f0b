"""The programs that a fabric consists of: finding them, and running them so that none outlives us.

A process is ended by its own id when its owner stops it, and by the kernel when this one dies without stopping anything.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from problem import Problem

REPOSITORY = Path(__file__).resolve().parents[2]
_TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
_BUILT = [_TARGET / profile for profile in ("release", "debug")]
_PATIENCE = 10.0


def find(name: str) -> str:
    """A program by its path, on the PATH, or as cargo has built it here."""
    if "/" in name:
        if not Path(name).is_file():
            raise Problem(f"there is no program {name}")
        return str(Path(name).resolve())
    places = [shutil.which(name), *(shutil.which(name, path=str(folder)) for folder in _BUILT)]
    found = next((place for place in places if place), None)
    if found is None:
        package = {"vouch": "vouch", "p4-switch": "p4-switch", "p4-switch-cli": "p4-switch"}.get(name)
        remedy = f": cargo build --release -p {package}" if package else ""
        raise Problem(f"{name} is neither on the PATH nor built here{remedy}")
    return found


@dataclass(frozen=True)
class Programs:
    """Which programs are used."""

    switch: str
    vouch: str
    cli: str
    is_bmv2: bool
    takes_thrift_port: bool

    @classmethod
    def find(cls, switch: str, vouch: str, cli: str) -> Programs:
        """The same, by names or paths."""
        path = find(switch)
        is_bmv2 = Path(switch).name.startswith("simple_switch")
        usage = subprocess.run([path, "--help"], capture_output=True, text=True, check=False)
        takes_thrift_port = "--thrift-port" in usage.stdout + usage.stderr
        return cls(path, find(vouch), find(cli), is_bmv2, takes_thrift_port)


class Process:
    """A running program with a log."""

    def __init__(self, what: str, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.what = what
        self.log = log
        with log.open("ab") as out:
            # A session of its own: Ctrl-C at the prompt is for the prompt.
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                start_new_session=True,
            )

    @property
    def id(self) -> int:
        """The process's own."""
        return self._child.pid

    def must_run(self) -> None:
        """Complain if it has ended by itself."""
        status = self._child.poll()
        if status is not None:
            said = self.log.read_text(errors="replace").splitlines()[-8:]
            raise Problem("\n    ".join([f"{self.what} has ended with {status}; it said:", *said]))

    def until_it_listens(self, port: int) -> None:
        """Wait until it takes connections."""
        deadline = time.monotonic() + _PATIENCE
        while not listens(port):
            self.must_run()
            if time.monotonic() > deadline:
                raise Problem(f"{self.what} does not listen on port {port} after {_PATIENCE:.0f} s; see {self.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it: asked first, made to if it does not."""
        self._child.terminate()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def listens(port: int) -> bool:
    """Whether somebody takes connections on this port of 127.0.0.1."""
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
