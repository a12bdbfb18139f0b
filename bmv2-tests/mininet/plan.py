"""The fabric on paper: three leaves around a spine, who is behind which port, and every address.

Nothing here touches the machine. A host has a place, which is a leaf and one of its access ports; `migrate` gives it
another, and the ports that nobody is at are free for that.

            spine
          /   |   \\
     leaf1  leaf2  leaf3        port 1 of each leaf leads to the spine, the others to hosts
     h1 h2    h3   h4 mallory   (with --hosts 4)
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEAVES = ("leaf1", "leaf2", "leaf3")
SPINE = "spine"
NODES = (*LEAVES, SPINE)
ATTACKER = "mallory"

UPLINK = 1
"""A leaf's port to the spine."""
FIRST_ACCESS = 2
"""The lowest of a leaf's ports to hosts."""
FREE_PORTS = 3
"""So many access ports more than there are hosts at the fullest leaf, for those that come."""
CPU_PORT = 510
"""The port to the controller, as in the P4 program."""
VNI = 5001
MOST_HOSTS = 60
"""The addresses up to 10.0.0.60 are hosts'; the attacker and the agents' questions have some above."""
PROBES_FROM = "10.0.0.250"
"""Who hosts are asked by: an address that nobody has."""
UNDERLAY_MTU = 1600
"""Hosts' full-size frames and what a tunnel adds."""


@dataclass(frozen=True)
class Place:
    """An access port."""

    leaf: str
    port: int

    def __str__(self) -> str:
        return f"{self.leaf} port {self.port}"


@dataclass(frozen=True)
class Host:
    """Who a host is; not where."""

    name: str
    number: int

    @property
    def ip(self) -> str:
        return f"10.0.0.{self.number}"

    @property
    def mac(self) -> str:
        return f"00:00:00:00:00:{self.number:02x}"


@dataclass
class Plan:
    """Who there is, and where everybody is now."""

    hosts: dict[str, Host] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    access_ports: range = range(0)
    verify: bool = True
    """Whether hosts are asked before a move is believed."""

    @classmethod
    def of(cls, hosts: int, verify: bool = True) -> Plan:
        """A plan with so many hosts, spread evenly, and the attacker at the last leaf."""
        plan = cls(verify=verify)
        by_leaf: dict[str, list[Host]] = {leaf: [] for leaf in LEAVES}
        for index in range(hosts):
            leaf = LEAVES[index * len(LEAVES) // hosts]
            by_leaf[leaf].append(Host(f"h{index + 1}", index + 1))
        by_leaf[LEAVES[-1]].append(Host(ATTACKER, 0x66))
        for leaf, residents in by_leaf.items():
            for port, host in enumerate(residents, FIRST_ACCESS):
                plan.hosts[host.name] = host
                plan.places[host.name] = Place(leaf, port)
        fullest = max(len(residents) for residents in by_leaf.values())
        plan.access_ports = range(FIRST_ACCESS, FIRST_ACCESS + fullest + FREE_PORTS)
        return plan

    def free_place(self, leaf: str) -> Place | None:
        """The first access port of a leaf that nobody is at."""
        taken = set(self.places.values())
        places = (Place(leaf, port) for port in self.access_ports)
        return next((place for place in places if place not in taken), None)

    def by_mac(self, mac: str) -> Host | None:
        """The host with this MAC address."""
        return next((host for host in self.hosts.values() if host.mac == mac), None)


def number(node: str) -> int:
    """A switch's number: its device id, and the last part of its addresses."""
    return NODES.index(node) + 1


def tunnel_end(leaf: str) -> str:
    """Where a leaf's tunnels end."""
    return f"192.0.2.{number(leaf)}"


def leaf_of_tunnel(address: str) -> str | None:
    """The leaf whose tunnels end there."""
    return next((leaf for leaf in LEAVES if tunnel_end(leaf) == address), None)


def underlay_mac(node: str, port: int) -> str:
    """The address of a port between switches."""
    return f"02:fe:00:{number(node):02x}:00:{port:02x}"


def p4runtime_port(node: str) -> int:
    """Where a switch serves P4Runtime, on 127.0.0.1."""
    return 9560 + number(node)


def thrift_port(node: str) -> int:
    """Where a switch serves Thrift, on 127.0.0.1."""
    return 9090 + number(node)


def peering_port(leaf: str) -> int:
    """Where an agent listens to its peers, on 127.0.0.1."""
    return 7000 + number(leaf)
