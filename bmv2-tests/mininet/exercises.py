#!/usr/bin/python3
"""Other people's exercises on BMv2 and on `p4-switch`, with only the PATH changed: a table of what came of each.

    exercises.py --tutorials DIR --p4-utils DIR --p4-guide DIR --python VENV [--p4-switch FILE] [NAME...]

takes checkouts of p4lang/tutorials, nsg-ethz/p4-utils and jafingerhut/p4-guide, and a virtual environment with what they
import (`exercises.py --help` names it). Takes root, and Debian's `ethtool`: without it their hosts leave checksums of TCP to
cards that they have not, and BMv2 passes that on. For each exercise and each switch

1. a copy of the folder is made, with the `solution/` in place of the skeleton;
2. what its README says is done (`lessons` says what that is), in network, process and mount namespaces of its own: the
   scripts end processes by broad names, and write to fixed paths in /tmp, and none of that gets out;
3. what the README says to look at is compared: answers to pings, fields of received packets, counters.

On `p4-switch`, a folder with the links of `p4-switch install-as-bmv2` is first on the PATH. Both get a `sudo` and a `p4c`,
should the machine have none. The exit status is 1 if a result differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import lessons
from lessons import LESSONS, Lesson
from problem import Problem
from programs import find

_PACKAGES = (
    "p4runtime grpcio protobuf==3.20.3 googleapis-common-protos<1.60 scapy ptf psutil ipython thrift networkx nnpy ipaddr; "
    "pip install --no-deps p4runtime-shell; and p4/tmp/p4config.proto of p4lang/PI, compiled into it by protoc"
)
_MANY = 12
"""More facts than this are not printed where they are the same."""
_NO_RESULT = ("failed", "stuck")
"""The facts of an exercise that came to nothing."""

_SUDO = """#!/bin/sh
# We are root already.
exec env "$@"
"""
_P4C = """#!/usr/bin/python3
# The driver of p4c as these scripts use it: the compiler for BMv2, with the output's folder for its file.
import os, sys
words, folder, source, rest = iter(sys.argv[1:]), ".", "", []
for word in words:
    if word in ("--target", "--arch", "--std"):
        next(words)
    elif word == "-o":
        folder = next(words)
    else:
        source = word if word.endswith(".p4") else source
        rest.append(word)
output = os.path.join(folder, os.path.basename(source)[:-3] + ".json")
os.execvp("p4c-bm2-ss", ["p4c-bm2-ss", *rest, "-o", output])
"""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("tutorials", "p4-utils", "p4-guide"):
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=f"a checkout of {name}")
    parser.add_argument(
        "--python",
        type=Path,
        metavar="VENV",
        help=f"a virtual environment, made with --system-site-packages by the Python that has Mininet: pip install {_PACKAGES}",
    )
    parser.add_argument("--p4-switch", default="p4-switch", metavar="FILE", help="the switch, by name or path")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="leave what was printed, and the exercises' logs, there"
    )
    parser.add_argument("--only", choices=("BMv2", "p4-switch"), help="only on this switch")
    parser.add_argument("--inside", metavar="LESSON", help=argparse.SUPPRESS)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="exercises, or folders of exercises, as the table names them; default: all",
    )
    return parser.parse_args()


class Stage:
    """Where exercises are carried out: the PATHs of both switches, and copies of the exercises."""

    def __init__(self, known: argparse.Namespace, folder: Path) -> None:
        self._known = known
        self._folder = folder
        shims = folder / "shims"
        shims.mkdir()
        for name, text in (("sudo", _SUDO), ("p4c", _P4C)):
            if shutil.which(name) is None:
                (shims / name).write_text(text)
                (shims / name).chmod(0o755)
        links = folder / "links"
        if known.only != "BMv2":
            # A copy, since the exercises do not see what is in /tmp.
            switch = shutil.copy(find(known.p4_switch), folder / "switch")
            subprocess.run([switch, "install-as-bmv2", links], check=True, stdout=subprocess.DEVNULL)
        python = [str(known.python.resolve() / "bin")] if known.python else []
        common = os.pathsep.join([*python, os.environ["PATH"], str(shims)])
        self.paths = {"BMv2": common, "p4-switch": f"{links}{os.pathsep}{common}"}

    def checkout(self, lesson: Lesson) -> Path | None:
        """The folder that a lesson is of."""
        return getattr(self._known, lesson.source.replace("-", "_"))

    def play(self, lesson: Lesson, target: str) -> dict[str, str]:
        """What came of a lesson on a switch."""
        checkout = self.checkout(lesson)
        assert checkout is not None
        home = self._folder / target / lesson.name.replace("/", "-")
        shutil.copytree(checkout, home / lesson.source, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        result, log = home / "result.json", home / "printed.log"
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command += [sys.executable, __file__, "--inside", lesson.name]
        environment = {**os.environ, "PATH": self.paths[target], "PYTHONUNBUFFERED": "1", "HOME": str(home)}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        with log.open("w") as out:
            child = subprocess.Popen(
                command, cwd=home, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
            )
            try:
                child.wait(timeout=lesson.patience)
            except subprocess.TimeoutExpired:
                result.write_text(json.dumps({"stuck": f"after {lesson.patience} s"}))
            finally:
                child.kill()
                child.wait()
        if self._known.keep:
            kept = self._known.keep / target / lesson.name.replace("/", "-")
            shutil.copytree(home, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*lessons.NOT_KEPT))
        if not result.exists():
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            return {"failed": last[0] if last else "it said nothing"}
        facts: dict[str, str] = json.loads(result.read_text())
        shutil.rmtree(home)
        return facts


def inside(name: str) -> None:
    """Carry a lesson out: we are alone in our namespaces, in the folder of the copy."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/tmp"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    lesson = next(lesson for lesson in LESSONS if lesson.name == name)
    home = Path.cwd()
    try:
        facts = lesson.carry_out(home / lesson.source)
    except Problem as problem:
        facts = {"failed": str(problem)}
    (home / "result.json").write_text(json.dumps(facts))


def told(facts: dict[str, str]) -> str:
    """Facts in a line."""
    if len(facts) > _MANY:
        return f"{len(facts)} results"
    return "; ".join(f"{name}: {value}" for name, value in facts.items())


def main() -> int:
    """Play, and print the table."""
    known = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if known.inside:
        inside(known.inside)
        return 0
    if os.geteuid() != 0:
        print("exercises make network namespaces: run this as root", file=sys.stderr)
        return 1
    wanted = [f"{name}/" for name in known.names] or [""]
    chosen = [lesson for lesson in LESSONS if any(f"{lesson.name}/".startswith(name) for name in wanted)]
    if not chosen:
        print(f"no exercise is called {' or '.join(known.names)}", file=sys.stderr)
        return 1
    differing = []
    # Not in /tmp: each exercise gets one of its own.
    with tempfile.TemporaryDirectory(prefix="vouch-exercises-", dir="/var/tmp") as folder:
        stage = Stage(known, Path(folder))
        targets = [known.only] if known.only else list(stage.paths)
        for lesson in chosen:
            if lesson.impossible or stage.checkout(lesson) is None:
                why = lesson.impossible or f"--{lesson.source} was not given"
                print(f"{lesson.name:34} not run    {why}", flush=True)
                continue
            results = {target: stage.play(lesson, target) for target in targets}
            for target in targets:
                # Once more, as somebody would: these scripts wait for fixed times, and a machine can be slower than that.
                if not results[target].keys().isdisjoint(_NO_RESULT):
                    print(f"{lesson.name:34} again on {target}: {told(results[target])}", flush=True)
                    results[target] = stage.play(lesson, target)
            first = results[targets[0]]
            same = all(facts == first for facts in results.values())
            if same:
                word = "same      " if first.keys().isdisjoint(_NO_RESULT) else "failed    "
                print(f"{lesson.name:34} {word} {told(first)}", flush=True)
            else:
                differing.append(lesson.name)
                print(f"{lesson.name:34} DIFFERENT", flush=True)
                for target, facts in results.items():
                    apart = {name: fact for name, fact in facts.items() if fact != first.get(name)}
                    if target == targets[0]:
                        others = list(results.values())[1:]
                        apart = {
                            name: fact for name, fact in facts.items() if any(it.get(name) != fact for it in others)
                        }
                    print(f"{'':34} {target:10} {told(apart if len(facts) > _MANY else facts)}", flush=True)
    if differing:
        print(f"different: {', '.join(differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        print(f"exercises: {problem}", file=sys.stderr)
        sys.exit(1)
