"""What the agents decided, and when: read from their logs, with names for addresses.

An agent logs each step of a claim as one line, `... agent="leaf1" report=Stayed { host: ..., kept: ..., took: 3.1ms }`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import plan as paper
from plan import Plan

_LINE = re.compile(r'^\S+T(\S+)Z +\w+ \S+ agent="([^"]+)" report=(\w+) \{ (.*) \}')
_TUNNEL = re.compile(r"(?:tunnel to|vtep) (\d+\.\d+\.\d+\.\d+)")
_MAC = re.compile(r"((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?: in VNI \d+)?")
_ACCESS = re.compile(r"access \d+")
_SOME = re.compile(r"Some\(([^()]*)\)")
_SKIPPED = ("Learned",)

DECISIONS = {
    "Stayed": "stayed",
    "Moved": "moved",
    "Unproven": "unproven",
    "Contested": "contested",
}
"""What ends the first round of a claim, by the word that scripts know it by."""


@dataclass(frozen=True)
class Report:
    """One line of an agent."""

    time: str
    agent: str
    kind: str
    host: str
    fields: str

    def __str__(self) -> str:
        return f"{self.time[:12]}  {self.agent}  {self.kind:<20} {self.fields}"

    @property
    def decision(self) -> str | None:
        """`stayed`, `moved`, ..., if it is one."""
        return DECISIONS.get(self.kind)


class Verdicts:
    """All reports so far, in the order of their times."""

    def __init__(self, plan: Plan, logs: dict[str, Path]) -> None:
        self._plan = plan
        self._logs = logs

    def all(self) -> list[Report]:
        """Everything but who was learned where."""
        reports = []
        for log in self._logs.values():
            if log.exists():
                lines = log.read_text(errors="replace").splitlines()
                reports += [report for report in map(self._parse, lines) if report and report.kind not in _SKIPPED]
        return sorted(reports, key=lambda report: report.time)

    def decisions(self, host: str) -> list[Report]:
        """What was decided about one host."""
        return [report for report in self.all() if report.host == host and report.decision]

    def _parse(self, line: str) -> Report | None:
        found = _LINE.match(line)
        if found is None:
            return None
        time, agent, kind, fields = found.groups()
        fields = _TUNNEL.sub(lambda it: paper.leaf_of_tunnel(it[1]) or it[0], fields)
        # Access interfaces have numbers of the agent's own; whose they are is what matters.
        fields = _ACCESS.sub(f"a port of {agent}", fields)
        fields = _SOME.sub(r"\1", fields)
        macs = _MAC.findall(fields)
        fields = _MAC.sub(lambda it: self._name(it[1]), fields)
        return Report(time, agent, kind, self._name(macs[0]) if macs else "", fields)

    def _name(self, mac: str) -> str:
        host = self._plan.by_mac(mac)
        return host.name if host else mac
