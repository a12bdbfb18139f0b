"""The prompt: Mininet's, with words for attacks and moves, and expectations for scripts."""

from __future__ import annotations

import os
import time

from mininet.cli import CLI
from mininet.log import error, output

from fabric import Fabric, Passage
from plan import ATTACKER, LEAVES
from problem import Problem
from verdicts import DECISIONS

_PATIENCE = 10.0
"""How long an expectation may take to come true."""


class Prompt(CLI):
    """Mininet's commands, and ours. In a script, the first command that fails ends it."""

    prompt = "vouch> "
    intro = "Try: h1 ping -c 3 h4 | attack mallory h1 | hosts | migrate h1 leaf2 | moves | help"

    def __init__(self, fabric: Fabric, script: str | None = None) -> None:
        self.fabric = fabric
        self.failed: str | None = None
        self._passage: Passage | None = None
        if script is None:
            super().__init__(fabric.net)
            return
        # Mininet passes what is typed on to the program that runs. In a script, nobody types.
        silent, typing = os.pipe()
        try:
            with os.fdopen(silent) as nobody:
                super().__init__(fabric.net, stdin=nobody, script=script)
        finally:
            os.close(typing)

    # Words of ours.

    def do_attack(self, line: str) -> None:
        """attack ATTACKER VICTIM: ATTACKER announces once, by a forged gratuitous ARP, that it has VICTIM's addresses"""
        attacker, victim = self._words("attack", line, 2)
        self.fabric.host(attacker)
        host = self.fabric.host(victim)
        if attacker == victim:
            raise Problem("a host that announces itself forges nothing")
        before = len(self.fabric.verdicts.decisions(victim))
        self.fabric.announce(attacker, victim)
        output(f'{attacker}, at {self.fabric.plan.places[attacker]}: "{host.ip} is at {host.mac}"\n')
        self._tell_decision(victim, before)

    def do_migrate(self, line: str) -> None:
        """migrate HOST LEAF: plug HOST in at a free port of LEAF, where it announces itself"""
        name, leaf = self._words("migrate", line, 2)
        before = len(self.fabric.verdicts.decisions(name))
        old = self.fabric.plan.places.get(name)
        new = self.fabric.migrate(name, leaf)
        output(f"{name}: from {old} to {new}\n")
        self._tell_decision(name, before)

    def do_hosts(self, line: str) -> None:
        """hosts: where each host is, and where each switch believes that it is"""
        self._words("hosts", line, 0)
        beliefs = self.fabric.beliefs()
        rows = [["host", "is at", *(f"{leaf} has it at" for leaf in LEAVES)]]
        for name, place in self.fabric.plan.places.items():
            mac = self.fabric.host(name).mac
            rows.append([name, str(place), *(str(beliefs[leaf].get(mac, "-")) for leaf in LEAVES)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            output("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")

    def do_moves(self, line: str) -> None:
        """moves [HOST]: what the agents heard and decided about hosts, with times (UTC)"""
        host = self._words("moves", line, 0, 1)
        if host:
            self.fabric.host(host[0])
        reports = [report for report in self.fabric.verdicts.all() if not host or report.host == host[0]]
        output("".join(f"{report}\n" for report in reports) or "nobody was claimed to have moved\n")

    def do_during(self, line: str) -> None:
        """during FROM TO COMMAND...: COMMAND, while FROM pings TO a hundred times a second; says what became of the packets"""
        source, target, command = self._words("during", line, 3, rest=True)

        def happen() -> None:
            self.onecmd(command)

        passage = self.fabric.during(source, target, happen)
        self._passage = passage
        output(
            f"{source} to {target}: {passage.sent} sent, {passage.lost} not answered, "
            f"{passage.seen_by_attacker} seen by {ATTACKER}\n"
        )
        if not passage.in_time:
            raise Problem(f"`{command}` took longer than the ping")

    def do_expect(self, line: str) -> None:
        """expect reach HOST HOST | at HOST LEAF | decided HOST stayed|moved|unproven|contested | lost N | seen N

        reach: the first gets answers from the second. at: HOST is at LEAF, and every switch has it there and only there,
        within 10 s. decided: the latest decision about HOST. lost, seen: of the last `during`, at most so many pings were
        not answered, or were seen by the attacker."""
        match line.split():
            case ["reach", source, target]:
                if not self.fabric.reaches(source, target):
                    raise Problem(f"{source} does not reach {target}")
            case ["at", name, leaf]:
                self._expect_at(name, leaf)
            case ["decided", name, word] if word in DECISIONS.values():
                self.fabric.host(name)
                decided = self.fabric.verdicts.decisions(name)
                if not decided or decided[-1].decision != word:
                    raise Problem(f"nothing was decided about {name}" if not decided else f"not {word}: {decided[-1]}")
            case [("lost" | "seen") as what, number] if number.isdigit():
                if self._passage is None:
                    raise Problem("nothing was counted yet: `during FROM TO COMMAND...` does")
                count = self._passage.lost if what == "lost" else self._passage.seen_by_attacker
                if count > int(number):
                    raise Problem(f"{what}: {count}, and not at most {number}")
            case _:
                raise Problem(self._usage("expect"))

    def _expect_at(self, name: str, leaf: str) -> None:
        place = self.fabric.plan.places.get(self.fabric.host(name).name)
        if place is None or place.leaf != leaf:
            raise Problem(f"{name} is at {place}, so nobody may have it at {leaf}")
        deadline = time.monotonic() + _PATIENCE
        while wrong := self.fabric.wrong([name]):
            if time.monotonic() > deadline:
                raise Problem("; ".join(wrong))

    def _tell_decision(self, host: str, before: int) -> None:
        decided = self.fabric.decision(host, before)
        output(f"{decided}\n" if decided else "nothing was decided yet; `moves` tells when it is\n")

    def _words(self, command: str, line: str, *counts: int, rest: bool = False) -> list[str]:
        words = line.split(maxsplit=counts[0] - 1) if rest else line.split()
        if len(words) not in counts:
            raise Problem(self._usage(command))
        return words

    def _usage(self, command: str) -> str:
        return (getattr(self, f"do_{command}").__doc__ or "").splitlines()[0]

    # How commands are carried out.

    def onecmd(self, line: str) -> bool | str | None:
        """Carry out a line; what is wrong with it is told, and the prompt goes on."""
        try:
            return super().onecmd(line)
        except Problem as problem:
            self._fail(str(problem))
            return None

    def default(self, line: str) -> None:
        """A command of a host's; one that fails fails a script."""
        name = line.split()[0]
        if name == "EOF":
            return
        if name not in self.mn:
            self._fail(f"there is no command {name!r}; `help` lists them")
            return
        if not line.split()[1:]:
            self._fail(f"and what is {name} to do? {name} COMMAND...")
            return
        super().default(line)
        status = self.mn[name].cmd("echo $?").strip()
        if self.inputFile and status != "0":
            self._fail(f"it ended with {status}")

    def do_pingall(self, line: str) -> None:
        """pingall: everybody pings everybody"""
        if self.mn.pingAll(line) > 0:
            self._fail("not everybody reaches everybody")

    def do_source(self, line: str) -> None:
        """source FILE: carry out the commands of a file, up to the first that fails"""
        (path,) = self._words("source", line, 1)
        try:
            with open(path, encoding="utf-8") as script:
                self.inputFile = script
                for number, text in enumerate(script, 1):
                    command = self.precmd(text).strip()
                    if not command:
                        continue
                    output(f"{self.prompt}{command}\n")
                    self.failed = None
                    if self.onecmd(command):
                        break
                    if self.failed is not None:
                        self.failed = f"line {number}: {command}: {self.failed}"
                        break
        except OSError as failure:
            self._fail(f"{path}: {failure.strerror}")
        finally:
            self.inputFile = None

    def _fail(self, why: str) -> None:
        self.failed = why
        error(f"*** {why}\n")
