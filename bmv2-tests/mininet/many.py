#!/usr/bin/python3
"""Many switches in one Mininet: what they take, on each switch program that is here.

    sudo bmv2-tests/mininet/many.py --switches 50

Routers in a line, each a process with the router program of the switch's own tests and with one host; the hosts at the ends
are as many hops apart as there are routers. For each program one line: how long the routers took to listen and to get
their entries, their memory (PSS, so that what they share is counted once), the processor time that all of them use in a
second when nothing happens, and what every host pinging every other takes.

Mininet names its interfaces for everybody to see: run it in a network namespace of its own (`unshare --net`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left behind, not even that

from problem import Problem, why_no_mininet
from programs import REPOSITORY, Process, find

_ROUTER = REPOSITORY / "runtime/switch/tests/programs/router.json"
_MOST = 60  # a packet's time to live has to last for all of them
_HOST_PORT, _LEFT, _RIGHT = 1, 2, 3  # at a router
_P4RUNTIME, _THRIFT = 51000, 52000
_IDLE = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Figures:
    """What was measured of one program."""

    program: str
    listening: float
    entered: float
    memory: float
    idle: float
    pinging: float
    processor: float
    lost: float

    HEADER = "switch                listening  with entries  memory each  idle, all  pingall    of processor time  lost"

    def __str__(self) -> str:
        return (
            f"{self.program:<20} {self.listening:8.1f} s  {self.entered:10.1f} s  {self.memory:8.1f} MB"
            f"  {self.idle:6.1f} %  {self.pinging:6.1f} s  {self.processor:16.1f} s  {self.lost:.1f} %"
        )


class Line:
    """Routers in a line, and their hosts."""

    def __init__(self, count: int, program: str, cli: str, folder: Path) -> None:
        from mininet.net import Mininet
        from mininet.node import Node, Switch

        class Router(Switch):
            """Mininet's name for where ports are; the process is ours to start."""

            def start(self, _controllers: list[Node]) -> None:
                """`Line` does it."""

            def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803 (Mininet's name)
                """`Line` ends the process."""
                super().stop(deleteIntfs)

        self._program, self._cli, self._folder = program, cli, folder
        self._net = Mininet(controller=None)
        self._processes: list[Process] = []
        self._routers = [self._net.addSwitch(f"r{at}", cls=Router, dpid=f"{at:x}") for at in range(1, count + 1)]
        for at, router in enumerate(self._routers, 1):
            host = self._net.addHost(f"h{at}", ip=f"10.0.{at}.2/24", mac=_mac(at, 0))
            self._net.addLink(host, router, port2=_HOST_PORT)
        for left, right in zip(self._routers, self._routers[1:]):
            self._net.addLink(left, right, port1=_RIGHT, port2=_LEFT)

    def __enter__(self) -> Line:
        self._net.start()
        for at, host in enumerate(self._net.hosts, 1):
            router, interface = f"10.0.{at}.1", host.defaultIntf().name
            host.cmd("sysctl -w net.ipv6.conf.all.disable_ipv6=1")
            host.cmd(f"ip neigh add {router} lladdr {_mac(at, 1)} dev {interface} && ip route add default via {router}")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.stop()
        self._net.stop()

    def listen(self) -> None:
        """Start all, and wait until each takes connections."""
        for at, router in enumerate(self._routers, 1):
            command = [self._program, "--device-id", str(at)]
            for port, interface in sorted(router.intfs.items()):
                if interface.name != "lo":
                    command += ["-i", f"{port}@{interface.name}"]
            command += ["--thrift-port", str(_THRIFT + at), str(_ROUTER), "--"]
            command += ["--grpc-server-addr", f"127.0.0.1:{_P4RUNTIME + at}"]
            self._processes.append(Process(router.name, command, self._folder / f"{router.name}.log"))
        for at, process in enumerate(self._processes, 1):
            process.until_it_listens(_THRIFT + at)

    def enter(self) -> None:
        """Tell each where the networks are."""
        count = len(self._routers)

        def one(at: int) -> None:
            there = {_HOST_PORT: _mac(at, 0), _LEFT: _mac(at - 1, _RIGHT), _RIGHT: _mac(at + 1, _LEFT)}
            lines = [f"table_add next_hops forward {to} => {to} {_mac(at, to)} {mac}" for to, mac in there.items()]
            for to in range(1, count + 1):
                port = _HOST_PORT if to == at else _LEFT if to < at else _RIGHT
                lines.append(f"table_add routes route 10.0.{to}.0/24 => {port}")
            done = subprocess.run(
                [self._cli, "--thrift-port", str(_THRIFT + at)],
                input="\n".join(lines) + "\n",
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0 or "Error" in done.stdout:
                raise Problem(f"r{at} does not take its entries: {(done.stderr or done.stdout).strip()[-300:]}")

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(one, range(1, count + 1)))

    def memory(self) -> float:
        """Megabytes of each, on the average."""
        texts = (Path(f"/proc/{it.id}/smaps_rollup").read_text(encoding="ascii") for it in self._processes)
        shares = (int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:"))
        return sum(shares) / len(self._processes) / 1000

    def processor(self) -> float:
        """Seconds that all have used."""
        texts = (Path(f"/proc/{it.id}/stat").read_text(encoding="ascii") for it in self._processes)
        stats = (text.rpartition(")")[2].split() for text in texts)
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / _TICKS

    def ping_all(self) -> float:
        """Percent that were lost."""
        return float(self._net.pingAll(timeout=2))


def measure(count: int, program: str, cli: str) -> Figures:
    """One program's line of the table."""
    with tempfile.TemporaryDirectory(prefix="vouch-many-") as folder, Line(count, program, cli, Path(folder)) as line:
        start = time.monotonic()
        line.listen()
        listening = time.monotonic() - start
        line.enter()
        entered = time.monotonic() - start
        memory = line.memory()
        before = line.processor()
        time.sleep(_IDLE)
        idle = (line.processor() - before) / _IDLE * 100
        start, before = time.monotonic(), line.processor()
        lost = line.ping_all()
        pinging = time.monotonic() - start
        return Figures(
            Path(program).name, listening, entered, memory, idle, pinging, line.processor() - before, lost
        )


def _mac(router: int, port: int) -> str:
    return f"02:00:00:00:{router:02x}:{port:02x}"


def main() -> int:
    """0; 1 if something was lost or could not be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--switches", type=int, default=50, metavar="N", help=f"2 to {_MOST}; default: 50")
    parser.add_argument(
        "--switch",
        action="append",
        metavar="PROGRAM",
        help="by name or path; may be repeated. Default: p4-switch, simple_switch_grpc",
    )
    parser.add_argument("--cli", default="p4-switch-cli", help="what enters the routes, by name or path")
    known = parser.parse_args()
    if not 2 <= known.switches <= _MOST:
        parser.error(f"--switches is from 2 to {_MOST}")
    if (why := why_no_mininet()) is not None:
        print(why, file=sys.stderr)
        return 1
    from mininet.log import setLogLevel

    setLogLevel("error")
    lost = 0.0
    try:
        for number, name in enumerate(known.switch or ["p4-switch", "simple_switch_grpc"]):
            figures = measure(known.switches, find(name), find(known.cli))
            lost += figures.lost
            print(figures if number else f"{Figures.HEADER}\n{figures}", flush=True)
    except Problem as problem:
        print(f"many: {problem}", file=sys.stderr)
        return 1
    return 0 if lost == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
