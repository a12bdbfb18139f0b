"""Where the switches believe the hosts to be, read from the switches themselves.

An agent could be asked, but then it would vouch for itself. `p4-switch-cli` reads any P4Runtime server; its dumps say
everything by number, which the switch's own tables explain: `ingress_interface` says which port a location is, and
`encapsulate` which tunnel.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from functools import cache

import plan as paper
from problem import Problem
from programs import REPOSITORY

_TABLES = ("ingress_interface", "encapsulate", "recorded_location", "destination", "source")
_PROGRAM = REPOSITORY / "p4src" / "build" / "vtep.json"
_KEY = re.compile(r"^\* .*: EXACT\s+(\S+)$", re.MULTILINE)
_ACTION = re.compile(r"Action entry: (\S+) - ?(.*)")


@dataclass
class Entry:
    """A table entry, with names for numbers."""

    key: dict[str, int] = field(default_factory=dict)
    action: str = ""
    parameters: dict[str, int] = field(default_factory=dict)


@dataclass
class Belief:
    """What one switch has about one host."""

    recorded: str | None = None
    """The leaf where the host's frames are expected from; its own name if that is a port of its own."""
    port: int | None = None
    """The port, if it is one of its own."""
    action: str = "nothing"
    """What is done with frames to the host: `unicast`, or what holds until a verdict."""
    toward: list[str] = field(default_factory=list)
    """The leaves that frames to the host go to."""
    claims: int = 0
    """At how many other places of this switch the host was said to be."""

    def is_only_at(self, place: paper.Place, leaf: str) -> bool:
        """Whether frames from and to the host go by this place, and nowhere else."""
        forwards = self.action in ("unicast", "unicast_hairpin") and self.toward == [place.leaf]
        port_is_right = leaf != place.leaf or self.port == place.port
        return self.recorded == place.leaf and port_is_right and forwards and self.claims == 0

    def __str__(self) -> str:
        where = self.recorded or "nowhere"
        if self.port is not None:
            where += f" port {self.port}"
        if self.action not in ("unicast", "unicast_hairpin") or self.toward != [self.recorded]:
            where += f", {self.action} {'+'.join(self.toward)}".rstrip()
        return where + (f", {self.claims} claim(s) here" if self.claims else "")


def read(cli: str, leaf: str) -> dict[str, Belief]:
    """What a leaf has about each host, by MAC address."""
    address = f"127.0.0.1:{paper.p4runtime_port(leaf)}"
    command = [cli, "--grpc-addr", address, "--device-id", str(paper.number(leaf))]
    wanted = "".join(f"table_dump {table}\n" for table in _TABLES)
    done = subprocess.run(command, input=wanted, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise Problem(f"the switch of {leaf} cannot be read: {(done.stderr or done.stdout).strip()}")
    try:
        return beliefs(leaf, parse(done.stdout))
    except (KeyError, ValueError) as odd:
        raise Problem(f"what {cli} says of {leaf} is not what the VTEP program's tables have: {odd!r}") from odd


def parse(dump: str) -> dict[str, list[Entry]]:
    """The entries of the dumped tables, in the order in which they were asked for."""
    sections = dump.split("TABLE ENTRIES\n")[1:]
    return {table: _entries(table, section) for table, section in zip(_TABLES, sections, strict=True)}


def _entries(table: str, section: str) -> list[Entry]:
    keys, parameters = _names()
    entries = []
    for block in section.split("Dumping default entry")[0].split("Dumping entry ")[1:]:
        action = _ACTION.search(block)
        if action is None:
            continue
        key = [int(value, 16) for value in _KEY.findall(block)]
        values = [int(value, 16) for value in action[2].split(", ") if value]
        named = dict(zip(parameters[action[1]], values, strict=True))
        entries.append(Entry(dict(zip(keys[table], key, strict=True)), action[1].rpartition(".")[2], named))
    return entries


@cache
def _names() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The names of each table's key, and of each action's parameters."""
    program = json.loads(_PROGRAM.read_text())
    tables = [table for pipeline in program["pipelines"] for table in pipeline["tables"]]
    keys = {table["name"]: [part["name"] for part in table["key"]] for table in tables}
    return keys, {action["name"]: [it["name"] for it in action["runtime_data"]] for action in program["actions"]}


def beliefs(leaf: str, tables: dict[str, list[Entry]]) -> dict[str, Belief]:
    """What the entries say about each host."""
    ports = {
        entry.parameters["location"]: entry.key["ingress_port"]
        for entry in tables.get("ingress_interface", [])
        if entry.action == "access"
    }
    leaves = dict.fromkeys(ports, leaf)
    for entry in tables.get("encapsulate", []):
        end = ".".join(str(byte) for byte in entry.parameters.get("dst_ip", 0).to_bytes(4, "big"))
        leaves[entry.key["location"]] = paper.leaf_of_tunnel(end) or f"a tunnel to {end}"

    def name(location: int) -> str:
        return leaves.get(location, f"location {location}")

    hosts: dict[str, Belief] = {}

    def host(entry: Entry) -> Belief:
        mac = ":".join(f"{byte:02x}" for byte in entry.key["mac"].to_bytes(6, "big"))
        return hosts.setdefault(mac, Belief())

    for entry in tables.get("recorded_location", []):
        location = entry.parameters["location"]
        host(entry).recorded, host(entry).port = name(location), ports.get(location)
    for entry in tables.get("destination", []):
        # The address that questions come from has a destination, but it is no host.
        if entry.action != "probe_reply":
            wanted = ("location", "claim_location", "owner_location")
            host(entry).action = entry.action
            host(entry).toward = [name(entry.parameters[it]) for it in wanted if it in entry.parameters]
    for entry in tables.get("source", []):
        host(entry).claims += entry.action != "here"
    return hosts
