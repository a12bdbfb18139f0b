"""A running fabric: it is brought up, asked and changed here; the prompt only puts words to it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mininet.log import info
from mininet.net import Mininet
from mininet.node import Node
from mininet.topo import Topo

import configuration
import plan as paper
import tables
from nodes import P4Node, Panel, host_end, port_end
from plan import LEAVES, NODES, SPINE, UPLINK, Place, Plan
from problem import Problem
from programs import Programs, listens
from verdicts import Report, Verdicts

_PATIENCE = 60.0
"""How long a fabric may take until every switch knows every host."""
_DECISION = 5.0
"""How long a claim may take until something is decided."""
_LOOK = 0.05
_WIRE = str(Path(__file__).with_name("wire.py"))
_PANEL = "panel"
_PINGS = 300
_INTERVAL = 0.01
_SUMMARY = re.compile(r"(\d+) packets transmitted, (\d+) received")


class VouchTopo(Topo):
    """Leaves around a spine, and hosts at a panel between them and their leaves."""

    def build(self, plan: Plan, programs: Programs, folder: Path, configurations: dict[str, Path]) -> None:  # noqa: D102
        for node in NODES:
            self.addSwitch(node, cls=P4Node, programs=programs, folder=folder, configuration=configurations[node])
        self.addSwitch(_PANEL, cls=Panel)
        for leaf in LEAVES:
            self.addLink(leaf, SPINE, port1=UPLINK, port2=paper.number(leaf))
            for port in plan.access_ports:
                self.addLink(leaf, _PANEL, port1=port, intfName2=port_end(Place(leaf, port)))
        for host in plan.hosts.values():
            self.addHost(host.name, ip=f"{host.ip}/24", mac=host.mac)
            self.addLink(host.name, _PANEL, intfName2=host_end(host.name))


@dataclass(frozen=True)
class Passage:
    """What became of a ping while something happened."""

    sent: int
    answered: int
    seen_by_attacker: int
    in_time: bool
    """Whether it went on until what happened was over."""

    @property
    def lost(self) -> int:
        return self.sent - self.answered


class Fabric:
    """Switches, agents and hosts; to be used in a `with`, which leaves nothing behind."""

    def __init__(self, plan: Plan, programs: Programs) -> None:
        self.plan = plan
        self.programs = programs
        self._folder = tempfile.TemporaryDirectory(prefix="vouch-mininet-")
        self.folder = Path(self._folder.name)
        self.net: Mininet | None = None
        self.verdicts = Verdicts(plan, {node: self.folder / f"{node}-agent.log" for node in NODES})

    def __enter__(self) -> Fabric:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        _nothing_is_in_the_way(self.plan)
        authority = configuration.Authority(self.folder)
        link_status = "none" if self.programs.is_bmv2 else "gnmi"
        files = {}
        for node in NODES:
            identity = authority.issue(node) if node in LEAVES else None
            files[node] = configuration.write(self.plan, node, self.folder, identity, link_status)
        check = subprocess.run(
            [self.programs.vouch, "check", *map(str, files.values())], capture_output=True, text=True, check=False
        )
        if check.returncode != 0:
            raise Problem(f"vouch refuses the configuration that was made for it:\n{check.stdout}{check.stderr}")
        # Built in two steps, so that what stands can be taken away if the rest fails.
        self.net = Mininet(controller=None, build=False)
        self.net.topo = VouchTopo(self.plan, self.programs, self.folder, files)
        self.net.start()
        for name, place in self.plan.places.items():
            self._wire(name, "plain", self.interface(name)).check()
            self.panel.plug(name, place)
        self._settle()

    def stop(self) -> None:
        """End every process, and take away what they stood on. May be called twice."""
        net, self.net = self.net, None
        if net is not None:
            # Processes before interfaces, or agents would report all the links that go.
            for switch in net.switches:
                if isinstance(switch, P4Node):
                    switch.stop_processes()
            net.stop()
        self._folder.cleanup()

    def _settle(self) -> None:
        """Have everybody announce themselves until every leaf knows where everybody is."""
        info("*** Waiting until every switch knows every host\n")
        deadline, again = time.monotonic() + _PATIENCE, 0.0
        while wrong := self._wrong_quietly():
            for node in NODES:
                self.node(node).must_run()
            if time.monotonic() > deadline:
                raise Problem(f"the fabric is not ready after {_PATIENCE:.0f} s: {'; '.join(wrong)}")
            if time.monotonic() > again:
                again = time.monotonic() + 1
                for name in self.plan.hosts:
                    self.announce(name, name)
            time.sleep(_LOOK)

    def _wrong_quietly(self) -> list[str]:
        try:
            return self.wrong(list(self.plan.hosts))
        except Problem as problem:
            return [str(problem)]

    # Who there is.

    def node(self, name: str) -> P4Node:
        """A switch and its agent."""
        return self._net[name]

    @property
    def panel(self) -> Panel:
        return self._net[_PANEL]

    @property
    def _net(self) -> Mininet:
        assert self.net is not None, "the fabric runs"
        return self.net

    def host(self, name: str) -> paper.Host:
        """A host by its name."""
        try:
            return self.plan.hosts[name]
        except KeyError:
            raise Problem(f"there is no host {name!r}; there are {', '.join(self.plan.hosts)}") from None

    def interface(self, name: str) -> str:
        """The name of a host's interface."""
        return str(self._net[name].defaultIntf())

    # What is believed.

    def beliefs(self) -> dict[str, dict[str, tables.Belief]]:
        """What each leaf has about each host, by leaf and MAC address."""
        return {leaf: tables.read(self.programs.cli, leaf) for leaf in LEAVES}

    def wrong(self, names: list[str]) -> list[str]:
        """Each belief that does not have one of these hosts where it is, and only there."""
        wrong = []
        for leaf, known in self.beliefs().items():
            for name in names:
                belief = known.get(self.host(name).mac)
                if belief is None or not belief.is_only_at(self.plan.places[name], leaf):
                    wrong.append(f"{leaf} has {name} at {belief}" if belief else f"{leaf} does not know {name}")
        return wrong

    # What can be done.

    def announce(self, name: str, claimed: str) -> None:
        """Have one host send a gratuitous ARP for another, or for itself."""
        other = self.host(claimed)
        self._wire(name, "announce", self.interface(name), other.mac, other.ip).check()

    def migrate(self, name: str, leaf: str) -> Place:
        """Plug a host in at another leaf, and have it announce itself, as hypervisors do for their guests."""
        self.host(name)
        if leaf not in LEAVES:
            raise Problem(f"there is no leaf {leaf!r}; there are {', '.join(LEAVES)}")
        old = self.plan.places[name]
        if old.leaf == leaf:
            raise Problem(f"{name} is at {old} already")
        new = self.plan.free_place(leaf)
        if new is None:
            raise Problem(f"no port of {leaf} is free; each has {len(self.plan.access_ports)} for hosts")
        self.panel.plug(name, new, instead_of=old)
        self.plan.places[name] = new
        self.announce(name, name)
        return new

    def decision(self, host: str, after: int) -> Report | None:
        """What is decided about a host after so many decisions, or `None` if nothing is in time."""
        deadline = time.monotonic() + _DECISION
        while time.monotonic() < deadline:
            decided = self.verdicts.decisions(host)[after:]
            if decided:
                return decided[0]
            time.sleep(_LOOK)
        return None

    def during(self, source: str, target: str, happen: Callable[[], None]) -> Passage:
        """Ping from one host to another, a hundred times a second, while something happens."""
        self.host(source)
        mac, ip = self.host(target).mac, self.host(target).ip
        watch = self._wire(paper.ATTACKER, "watch", self.interface(paper.ATTACKER), mac)
        watch.until_says("watching")
        command = ["ping", "-q", "-n", "-c", str(_PINGS), "-i", str(_INTERVAL), "-W", "1", ip]
        ping = HostProcess(self._net[source], command)
        try:
            happen()
            in_time = ping.is_running()
            out = ping.end()
        finally:
            ping.kill()
            seen = watch.end()
        summary = _SUMMARY.search(out)
        if summary is None:
            raise Problem(f"{source} cannot ping: {out.strip()}")
        sent, answered = map(int, summary.groups())
        return Passage(sent, answered, int(seen.split()[-1]), in_time)

    def reaches(self, source: str, target: str) -> bool:
        """Whether one host gets an answer from another."""
        self.host(source)
        _, _, status = self._net[source].pexec(f"ping -n -c 3 -i 0.2 -w 5 {self.host(target).ip}")
        return status == 0

    def _wire(self, name: str, *words: str) -> HostProcess:
        return HostProcess(self._net[name], [sys.executable, _WIRE, *words])


class HostProcess:
    """A program where a host is."""

    def __init__(self, host: Node, command: list[str]) -> None:
        self._what = f"{Path(command[0]).name} at {host.name}"
        bound = ["setpriv", "--pdeathsig", "KILL", "mnexec", "-da", str(host.pid), *command]
        self._child = subprocess.Popen(
            bound, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def until_says(self, line: str) -> None:
        """Wait for its first line."""
        assert self._child.stdout is not None
        said = self._child.stdout.readline()
        if said.strip() != line:
            raise Problem(f"{self._what}: {said}{self.end()}")

    def is_running(self) -> bool:
        return self._child.poll() is None

    def end(self) -> str:
        """Close its standard input, and have what it says until its end."""
        out, _ = self._child.communicate()
        return out

    def check(self) -> None:
        """Wait for it, and complain if it failed."""
        out = self.end()
        if self._child.returncode != 0:
            raise Problem(f"{self._what}: {out.strip()}")

    def kill(self) -> None:
        """End it if it runs."""
        if self.is_running():
            self._child.kill()
            self._child.communicate()


def _nothing_is_in_the_way(plan: Plan) -> None:
    # What /sys shows may be another namespace's.
    there = {name for _, name in socket.if_nameindex()}
    taken = [f"{leaf}-eth{port}" for leaf in LEAVES for port in (UPLINK, *plan.access_ports)]
    taken = [name for name in taken if name in there]
    if taken:
        remedy = "".join(f"\n    ip link delete {name}" for name in taken)
        raise Problem(
            f"{', '.join(taken)} exist already: another fabric runs, or one was killed, which left them:{remedy}"
        )
    for node in NODES:
        ports = [paper.p4runtime_port(node), paper.thrift_port(node)]
        ports += [paper.peering_port(node)] if node != SPINE else []
        for port in ports:
            if listens(port):
                raise Problem(f"port {port} of 127.0.0.1, which {node} needs, is taken")
