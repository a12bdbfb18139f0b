"""What the agents read: a configuration for each, as an operator would write it, and certificates made for the occasion.

`configs/reference.yaml` explains every field, and `vouch check` every mistake.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import plan as paper
from plan import LEAVES, SPINE, UPLINK, Plan
from problem import Problem

_OPENSSL = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
"""


@dataclass(frozen=True)
class Identity:
    """The files that an agent shows to its peers, and knows them by."""

    ca: Path
    cert: Path
    key: Path


class Authority:
    """A certificate authority in a folder that is deleted with the fabric."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = folder / "openssl.cnf"
        agents = "".join(
            f"[{leaf}]\nsubjectAltName = DNS:{leaf}\nextendedKeyUsage = serverAuth, clientAuth\n" for leaf in LEAVES
        )
        self._config.write_text(_OPENSSL + agents)
        self._certificate("authority")

    def issue(self, leaf: str) -> Identity:
        """A certificate for the agent of a leaf, for both ends of a connection."""
        ca = self._folder / "authority"
        self._certificate(leaf, "-CA", str(ca.with_suffix(".pem")), "-CAkey", str(ca.with_suffix(".key")))
        own = self._folder / leaf
        return Identity(ca.with_suffix(".pem"), own.with_suffix(".pem"), own.with_suffix(".key"))

    def _certificate(self, name: str, *signed_by: str) -> None:
        path = self._folder / name
        command = ["openssl", "req", "-x509", "-config", str(self._config), "-extensions", name, *signed_by]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        command += ["-subj", f"/CN=vouch {name}", "-keyout", f"{path}.key", "-out", f"{path}.pem"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"openssl makes no certificate for {name}: {done.stderr.strip()}")


def write(plan: Plan, node: str, folder: Path, identity: Identity | None, link_status: str) -> Path:
    """The configuration of a node's agent, as a file; `link_status` is `gnmi` where the switch tells of its ports."""
    lines = [
        f"name: {node}",
        "switch:",
        f"  target: http://127.0.0.1:{paper.p4runtime_port(node)}",
        f"  device_id: {paper.number(node)}",
        f"  link_status: {link_status}",
        *_underlay(node),
    ]
    if identity is not None:
        lines += ["vtep:", f"  address: {paper.tunnel_end(node)}"]
        lines += [*_tenant(plan), *_peers(node, identity)]
        lines += ["management:", f"  socket: {folder / node}.sock"]
    path = folder / f"{node}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _underlay(node: str) -> list[str]:
    ports = [paper.number(leaf) for leaf in LEAVES] if node == SPINE else [UPLINK]
    lines = ["underlay:", f"  mtu: {paper.UNDERLAY_MTU}", "  ports:"]
    lines += [f'    - {{port: {port}, mac: "{paper.underlay_mac(node, port)}"}}' for port in ports]
    lines += ["  routes:"]
    for leaf in LEAVES:
        if leaf == node:
            continue
        if node == SPINE:
            port, via = paper.number(leaf), paper.underlay_mac(leaf, UPLINK)
        else:
            port, via = UPLINK, paper.underlay_mac(SPINE, paper.number(node))
        lines += [f"    - prefix: {paper.tunnel_end(leaf)}/32", f'      via: {{port: {port}, mac: "{via}"}}']
    return lines


def _tenant(plan: Plan) -> list[str]:
    lines = ["vnis:", f"  - vni: {paper.VNI}", f"    access: [{', '.join(map(str, plan.access_ports))}]"]
    lines += [f"    probe_as: {{address: {paper.PROBES_FROM}}}"]
    if not plan.verify:
        # All hosts' addresses begin like this: whoever announces one of them has it, as in fabrics that ask nobody.
        lines += ['    trusted_moves: ["00:00:00:00:00:00/24"]']
    return lines


def _peers(node: str, identity: Identity) -> list[str]:
    lines = ["peers:"]
    for leaf in LEAVES:
        if leaf != node:
            lines += [f"  - name: {leaf}", f"    address: {paper.tunnel_end(leaf)}"]
            lines += [f"    endpoint: https://127.0.0.1:{paper.peering_port(leaf)}"]
    lines += ["peering:", f'  listen: "127.0.0.1:{paper.peering_port(node)}"', "  tls:"]
    lines += [f"    {name}: {path}" for name, path in vars(identity).items()]
    return lines
