"""Mininet's classes for our nodes: switches with their agents, and the panel that hosts are plugged in at.

A switch's ports exist from its start, as BMv2 wants it. So the cable of a host does not end at a switch but at a patch
panel, where it is bridged to the cable of a port; `migrate` bridges it to another. A port keeps its link when a host
leaves it, as a server's does whose virtual machine migrates: what tells the fabric is the host's silence.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mininet.node import Node, Switch

import plan as paper
from plan import Place
from problem import Problem
from programs import Process, Programs


def ip(node: Node, command: str) -> None:
    """Have ip(8) do something where a node is."""
    out, err, status = node.pexec(f"ip {command}")
    if status != 0:
        raise Problem(f"ip {command} (at {node.name}): {(err or out).strip()}")


class P4Node(Switch):
    """A switch that runs the VTEP program, and the agent that controls it.

    The switch is BMv2's `simple_switch_grpc` or `p4-switch`, which take the same command line.
    """

    def __init__(self, name: str, programs: Programs, folder: Path, configuration: Path, **params: Any) -> None:
        super().__init__(name, dpid=f"{paper.number(name):x}", **params)
        self.programs = programs
        self.folder = folder
        self.configuration = configuration
        self.switch: Process | None = None
        self.agent: Process | None = None

    def start(self, _controllers: list[Node]) -> None:
        """Start both; the agent installs the program."""
        for interface in self.intfNames():
            if interface != "lo":
                _no_addresses(interface)
                ip(self, f"link set dev {interface} mtu {paper.UNDERLAY_MTU} up")
        self.start_switch()
        self.start_agent()

    def start_switch(self) -> None:
        """Start the switch; its log is continued."""
        command = [self.programs.switch, "--no-p4", "--device-id", str(paper.number(self.name))]
        for port, interface in sorted(self.intfs.items()):
            if interface.name != "lo":
                command += ["-i", f"{port}@{interface.name}"]
        if self.programs.takes_thrift_port:
            command += ["--thrift-port", str(paper.thrift_port(self.name))]
        address = f"127.0.0.1:{paper.p4runtime_port(self.name)}"
        command += ["--log-console", "-L", "warn", "--", "--grpc-server-addr", address]
        command += ["--cpu-port", str(paper.CPU_PORT)]
        self.switch = Process(f"the switch of {self.name}", command, self.folder / f"{self.name}-switch.log")
        self.switch.until_it_listens(paper.p4runtime_port(self.name))

    def start_agent(self) -> None:
        """Start the agent, which tells in its log what it decides."""
        environment = {
            **os.environ,
            "NO_COLOR": "1",
            "VOUCH_LOG": os.environ.get("VOUCH_LOG", "info,vouch_agent=debug"),
        }
        command = [self.programs.vouch, "run", str(self.configuration)]
        self.agent = Process(f"the agent of {self.name}", command, self.agent_log, environment)

    @property
    def agent_log(self) -> Path:
        """Where the agent tells what it decides."""
        return self.folder / f"{self.name}-agent.log"

    def must_run(self) -> None:
        """Complain if one of the two has ended by itself."""
        for process in (self.switch, self.agent):
            if process is not None:
                process.must_run()

    def stop_processes(self) -> None:
        """End both."""
        for process in (self.agent, self.switch):
            if process is not None:
                process.stop()
        self.agent = self.switch = None

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803 (Mininet's name)
        """End both, and take the interfaces away."""
        self.stop_processes()
        super().stop(deleteIntfs)


class Panel(Switch):
    """A patch panel: two-port bridges in a namespace of its own, where no filter of this machine reaches."""

    def __init__(self, name: str, **params: Any) -> None:
        super().__init__(name, **{**params, "dpid": "ff", "inNamespace": True})
        # Mininet asks for it, and gives it only to switches in the root namespace.
        self.controlIntf = None
        self.cmd("for what in all default; do echo 1 > /proc/sys/net/ipv6/conf/$what/disable_ipv6; done")

    def start(self, _controllers: list[Node]) -> None:
        """Plugs wait for `plug`."""

    def plug(self, host: str, place: Place, instead_of: Place | None = None) -> None:
        """Lead a host's cable to a port, and no longer to another."""
        bridge = f"of-{host}"
        if instead_of is None:
            # A bridge that forgets at once is a wire: what comes in at one end goes out at the other.
            ip(self, f"link add {bridge} type bridge stp_state 0 ageing_time 0 mcast_snooping 0")
            ip(self, f"link set dev {bridge} up")
            ip(self, f"link set dev {host_end(host)} master {bridge}")
        else:
            ip(self, f"link set dev {port_end(instead_of)} nomaster")
        ip(self, f"link set dev {port_end(place)} master {bridge}")


def host_end(host: str) -> str:
    """The panel's end of a host's cable."""
    return f"to-{host}"


def port_end(place: Place) -> str:
    """The panel's end of a port's cable."""
    return f"to-{place.leaf}-{place.port}"


def _no_addresses(interface: str) -> None:
    """A port is no host: its kernel is not to speak IPv6 there."""
    switch = Path("/proc/sys/net/ipv6/conf") / interface / "disable_ipv6"
    if switch.exists():
        switch.write_text("1")
