"""What the exercises' READMEs say to do, and what they say to look at then.

A lesson returns facts: named results that do not depend on a machine's speed. Commands go to Mininet's prompt; what a README
has somebody type in a terminal of a host is run there in the background, with its output in a file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from problem import Problem

Facts = dict[str, str]

NOT_KEPT = ("*.png", "*.pdf", "docs", "docsrc", ".git")
"""What copies of an exercise for somebody to look at do not need."""

_PROMPT = "mininet> "
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CONTROLLERS = Path(__file__).with_name("controllers.py")
_START = 90.0
_COMMAND = 60.0
_ARRIVAL = 10.0


@dataclass(frozen=True)
class Lesson:
    """One exercise."""

    source: str
    name: str
    do: Callable[[Path], Facts] | None = None
    impossible: str = ""
    """Why it can run on neither switch."""
    patience: int = 180
    """Seconds until it counts as stuck."""

    def carry_out(self, checkout: Path) -> Facts:
        assert self.do is not None
        return self.do(checkout)


class Typist:
    """Somebody at a prompt of Mininet's."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.folder = folder
        self._child = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._text = ""
        self._news = threading.Condition()
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()
        self._until_prompt(0, _START)

    def _listen(self) -> None:
        assert self._child.stdout is not None
        while piece := os.read(self._child.stdout.fileno(), 65536):
            text = _COLOURS.sub("", piece.decode(errors="replace"))
            print(text, end="", flush=True)
            with self._news:
                self._text += text
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _until_prompt(self, start: int, patience: float) -> str:
        deadline = time.monotonic() + patience
        with self._news:
            while not self._text[start:].endswith(_PROMPT):
                if self._ended or time.monotonic() > deadline:
                    said = self._text[start:].strip().splitlines()[-1:] or ["nothing"]
                    raise Problem(f"{'it ended' if self._ended else 'no prompt'} after: {said[0]}")
                self._news.wait(timeout=1)
            return self._text[start : -len(_PROMPT)]

    def type(self, line: str, patience: float = _COMMAND) -> str:
        """A line, and what comes until the next prompt."""
        assert self._child.stdin is not None
        print(line, flush=True)
        start = len(self._text)
        self._child.stdin.write(f"{line}\n".encode())
        self._child.stdin.flush()
        return self._until_prompt(start, patience)

    def background(self, host: str, command: str, log: str) -> Path:
        """A command in a terminal of a host's; its output is in a file."""
        self.type(f"{host} {command} > {log} 2>&1 &")
        return self.folder / log

    def sniffer(self, host: str, command: str, log: str) -> Path:
        """The same, until it sees frames."""
        before = self._sockets(host)
        path = self.background(host, command, log)
        deadline = time.monotonic() + _COMMAND
        while self._sockets(host) <= before:
            if time.monotonic() > deadline:
                raise Problem(f"`{command}` of {host} sniffs nothing: {path.read_text().strip()[-200:]}")
            time.sleep(0.2)
        return path

    def _sockets(self, host: str) -> int:
        return len(re.findall(r"^[0-9a-f]{16} ", self.type(f"{host} cat /proc/net/packet"), re.MULTILINE))

    def pings(self, source: str, target: str, count: int = 3) -> str:
        """How many of so many pings were answered."""
        found = re.search(r"(\d+) received", self.type(f"{source} ping -c {count} -W 2 {target}"))
        return f"{found[1] if found else 'none'} of {count}"

    def all_pings(self) -> str:
        """The result of `pingall`."""
        found = re.search(r"Results: (.*)", self.type("pingall", 120))
        return found[1].strip() if found else "none"

    def iperf(self, source: str, target: str) -> str:
        """Whether TCP passes. Mininet's own `iperf` waits for ever where iperf is of version 2.1 or later."""
        self.background(target, "iperf -s", f"{source}-{target}.log")
        deadline = time.monotonic() + _ARRIVAL
        while ":5001" not in self.type(f"{target} ss -ltn"):
            if time.monotonic() > deadline:
                raise Problem(f"iperf does not listen at {target}")
            time.sleep(0.2)
        said = self.type(f"{source} timeout -s KILL 12 iperf -c {target} -t 3")
        self.type(f"{target} kill %iperf")
        return "passes" if "bits/sec" in said else "no connection"


def until(path: Path, pattern: str, count: int, patience: float = _ARRIVAL) -> list[str]:
    """What a pattern finds in a growing file, once there are so many, or after a while."""
    deadline = time.monotonic() + patience
    while True:
        found = re.findall(pattern, path.read_text(errors="replace") if path.exists() else "")
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def some(found: list[str]) -> str:
    """Each once, in order of value."""
    return " ".join(sorted(set(found))) or "none"


# p4lang/tutorials: `make run`, and what each README says to type.


def solved(checkout: Path, name: str) -> Path:
    """The folder of an exercise, with its solution in place of the skeleton."""
    folder = checkout / "exercises" / name
    for file in (folder / "solution").iterdir():
        if file.suffix == ".p4" or file.name == "mycontroller.py":
            shutil.copy(file, folder / file.name)
    return folder


def run(checkout: Path, name: str) -> Typist:
    """The exercise at its prompt."""
    return Typist(["make", "run"], solved(checkout, name))


def basic(checkout: Path) -> Facts:
    at = run(checkout, "basic")
    return {"h1 ping h2": at.pings("h1", "h2"), "pingall": at.all_pings()}


def basic_tunnel(checkout: Path) -> Facts:
    at = run(checkout, "basic_tunnel")
    logs = {host: at.sniffer(host, "./receive.py", f"{host}.log") for host in ("h2", "h3")}
    counts = {"h2": 0, "h3": 0}
    facts = {}
    for arguments, host in (
        ("10.0.2.2 'P4 is cool'", "h2"),
        ("10.0.3.3 'P4 is cool'", "h3"),
        ("10.0.2.2 'P4 is cool' --dst_id 2", "h2"),
        ("10.0.3.3 'P4 is cool' --dst_id 2", "h2"),
    ):
        at.type(f"h1 ./send.py {arguments}")
        counts[host] += 1
        until(logs[host], "got a packet", counts[host])
    for host, log in logs.items():
        packets = log.read_text().split("got a packet")[1:]
        facts[host] = ", ".join("/".join(re.findall(r"###\[ (\S+) \]###", packet)) for packet in packets) or "nothing"
    return facts


def calc(checkout: Path) -> Facts:
    at = run(checkout, "calc")
    terms = ["1+1", "7-3", "6&3", "6|3", "6^3"]
    typed = r"\n".join([*terms, "quit"])
    said = at.type(f"h1 printf '{typed}\\n' | python3 calc.py")
    lines = [line.strip().removeprefix("> ") for line in said.splitlines()]
    return {term: lines[lines.index(term) + 1] if term in lines else "nothing" for term in terms}


def congested(at: Typist) -> Path:
    """What h2 receives, once a second, while h11 sends more than the link between s1 and s2 takes."""
    log = at.sniffer("h2", "./receive.py", "h2.log")
    at.background("h22", "iperf -s -u", "h22.log")
    sender = at.background("h1", "./send.py 10.0.2.2 'P4 is cool' 30", "h1.log")
    until(sender, "Sent", 3, 30)
    at.type("h11 iperf -c 10.0.2.22 -t 15 -u", 120)
    until(sender, "Sent", 30, 60)
    return log


def ecn(checkout: Path) -> Facts:
    log = congested(run(checkout, "ecn"))
    return {"tos values": some(until(log, r"tos\s+= (\S+)", 25))}


def mri(checkout: Path) -> Facts:
    log = congested(run(checkout, "mri"))
    until(log, "got a packet", 25)
    text = log.read_text()
    depths = [int(depth) for depth in re.findall(r"qdepth\s+= (\d+)", text)]
    return {
        "count": some(re.findall(r"count\s+= (\d+)", text)),
        "swids": some(re.findall(r"swid\s+= (\d+)", text)),
        "queues": "seen to fill" if max(depths, default=0) > 0 else "always empty",
    }


def firewall(checkout: Path) -> Facts:
    at = run(checkout, "firewall")
    pairs = (("h1", "h2"), ("h1", "h3"), ("h3", "h1"))
    return {f"iperf {source} {target}": at.iperf(source, target) for source, target in pairs}


@contextmanager
def controller(folder: Path, command: str, ready: str) -> Iterator[Path]:
    """A controller in another shell, from when it says that it is ready."""
    log = folder / "controller.log"
    with log.open("w") as out:
        child = subprocess.Popen(["python3", command], cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        try:
            if not until(log, ready, 1, _COMMAND):
                raise Problem(f"{command} is not ready: {log.read_text().strip()[-200:]}")
            yield log
        finally:
            child.kill()
            child.wait()
            print(log.read_text(errors="replace"), flush=True)


def flowcache(checkout: Path) -> Facts:
    at = run(checkout, "flowcache")
    before = at.pings("h1", "h2", 1)
    with controller(at.folder, "./mycontroller.py", "on s3") as log:
        # The first packets wait for the controller to fill the caches of three switches.
        at.type("h1 ping -c 5 -W 2 h2")
        after = at.pings("h1", "h2")
        heard = {"PacketIn": "Received PacketIn", "idle timeouts": "Deleted flow_cache entry"}
        until(log, heard["idle timeouts"], 1, 30)
        text = log.read_text()
        return {
            "without": before,
            "with": after,
            "heard": ", ".join(name for name, line in heard.items() if line in text),
        }


def p4runtime(checkout: Path) -> Facts:
    at = run(checkout, "p4runtime")
    before = at.pings("h1", "h2", 1)
    with controller(at.folder, "./mycontroller.py", "Reading tunnel counters") as log:
        after = at.pings("h1", "h2", 5)
        rounds = len(re.findall("Reading tunnel counters", log.read_text()))
        until(log, "Reading tunnel counters", rounds + 3)
        text = log.read_text()
        counters = re.findall(r"(s\d \S+ \d+): (\d+) packets", text)
        last = {name.replace("MyIngress.", ""): count for name, count in counters}
        entries = len(re.findall(r"-> MyIngress", text))
    return {"without": before, "with": after, "entries read": str(entries), **last}


def link_monitor(checkout: Path) -> Facts:
    at = run(checkout, "link_monitor")
    log = at.sniffer("h1", "./receive.py", "receive.log")
    at.background("h1", "./send.py", "send.log")
    line = r"(Switch \d+ - Port \d+): (\S+) Mbps"
    until(log, line, 40, 30)
    passes = at.iperf("h1", "h4")
    until(log, line, len(re.findall(line, log.read_text())) + 30, 15)
    seen = re.findall(line, log.read_text())
    # The way of the data, and not that of its acknowledgements.
    highest = max((float(rate) for _, rate in seen), default=0.0)
    busy = [hop for hop, rate in seen if float(rate) > max(highest / 4, 0.1)]
    return {"iperf h1 h4": passes, "hops": some([hop for hop, _ in seen]), "busy": some(busy)}


def load_balance(checkout: Path) -> Facts:
    at = run(checkout, "load_balance")
    logs = [at.sniffer(host, "./receive.py", f"{host}.log") for host in ("h2", "h3")]
    sent = 12
    for _ in range(sent):
        at.type("h1 ./send.py 10.0.0.1 'P4 is cool'")
    until(logs[0], "got a packet", sent, 3)
    counts = [len(until(log, "got a packet", 0)) for log in logs]
    return {"arrived": f"{sum(counts)} of {sent}", "at": "both" if all(counts) else "one"}


def multicast(checkout: Path) -> Facts:
    folder = solved(checkout, "multicast")
    shutil.copy(folder / "solution" / "s1-runtime.json", folder / "sig-topo" / "s1-runtime.json")
    at = Typist(["make", "run"], folder)
    return {"h1 ping h2": at.pings("h1", "h2"), "pingall": at.all_pings()}


def qos(checkout: Path) -> Facts:
    at = run(checkout, "qos")
    log = at.sniffer("h2", "./receive.py", "h2.log")
    facts = {}
    for protocol in ("UDP", "TCP"):
        before = len(until(log, r"tos\s+= (\S+)", 0))
        at.type(f"h1 ./send.py --p={protocol} --des=10.0.2.2 --m='P4 is cool' --dur=3")
        facts[protocol] = some(until(log, r"tos\s+= (\S+)", before + 3)[before:])
    return facts


def source_routing(checkout: Path) -> Facts:
    at = run(checkout, "source_routing")
    log = at.sniffer("h2", "./receive.py", "h2.log")
    at.type(r"h1 printf '2 3 2 2 1\n2 1\nq\n' | ./send.py 10.0.2.2")
    return {"ttl at h2": " ".join(until(log, r"ttl\s+= (\d+)", 2)) or "nothing"}


# Suites of PTF tests, by the script that comes with each.


def suite(folder: str, *command: str) -> Callable[[Path], Facts]:
    """The tests of a folder, by its script."""

    def play(checkout: Path) -> Facts:
        subprocess.run(["bash", str(checkout / "bin" / "veth_setup.sh")], check=True)
        log = checkout / "suite.log"
        # Into a file: a script that fails leaves its switch running, which would hold a pipe open.
        with log.open("w") as out:
            subprocess.run(
                command or ["bash", "./runptf.sh"],
                cwd=checkout / folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        said = log.read_text(errors="replace")
        print(said, flush=True)
        tests = re.findall(r"^(\S+\.\S+) \.\.\. (?:[\s\S]*?^)??(ok|FAIL|ERROR)$", said, re.MULTILINE)
        ran = re.search(r"Ran (\d+) tests? in", said)
        if ran is None:
            errors = [line for line in said.splitlines() if "Error" in line]
            raise Problem(f"no test ran: {errors[-1] if errors else said.strip()[-80:]}")
        facts = dict(tests)
        # Why a test failed is part of what came of it: the first line of its exception.
        for test, trace in re.findall(r"^(?:ERROR|FAIL): (\S+)\n-+\n([\s\S]*?)(?:\n\n|\Z)", said, re.MULTILINE):
            why = re.findall(r"^\w[\w.]*(?:Error|Exception): (?:.*\n\t)*.*", trace, re.MULTILINE)
            facts[test] = f"{facts.get(test, 'ERROR')} ({re.sub(r'[^!-~]+', ' ', why[-1])})" if why else "ERROR"
        return {**facts, "ran": ran[1]}

    return play


# nsg-ethz/p4-utils: its examples, with the one class of switches or the other.

_AS_P4RUNTIME = """
import runpy, sys
from p4utils.mininetlib.network_API import NetworkAPI
plain, special = NetworkAPI.addP4Switch, NetworkAPI.addP4RuntimeSwitch
NetworkAPI.addP4Switch = lambda net, name, **options: (plain if "cls" in options else special)(net, name, **options)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def example(checkout: Path, name: str, p4runtime_class: bool, *words: str) -> Typist:
    """A network of p4-utils at its prompt."""
    folder = checkout / "examples" / name
    start = ["python3", "-c", _AS_P4RUNTIME] if p4runtime_class else ["python3"]
    return Typist(["env", f"PYTHONPATH={checkout}", *start, "network.py", *words], folder)


def switches(p4runtime_class: bool) -> Callable[[Path], Facts]:
    """The example of switches only."""

    def play(checkout: Path) -> Facts:
        at = example(checkout, "switches", p4runtime_class)
        log = at.sniffer("h3", "python3 receive.py", "h3.log")
        at.type("h2 python3 send.py 10.0.3.3 'P4 is cool'")
        received = "yes" if until(log, "got a packet", 1) else "no"
        facts = {"h2 ping h3": at.pings("h2", "h3"), "pingall": at.all_pings(), "received": received}
        captures = [file for file in at.folder.glob("pcap/*.pcap") if file.stat().st_size > 24]
        entries = [_entries(port) for port in (9090, 9091, 9092)]
        return {**facts, "captures": str(len(captures)), "entries": " ".join(entries)}

    return play


def _entries(port: int) -> str:
    """How many entries simple_switch_CLI counts in the one table of the example."""
    done = subprocess.run(
        ["simple_switch_CLI", "--thrift-port", str(port)],
        input="table_num_entries ipv4_lpm\n",
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"RuntimeCmd: (\d+)", done.stdout)
    return found[1] if found else "none"


def controllers(way: str) -> Callable[[Path], Facts]:
    """The controllers of p4-utils, by Thrift or by P4Runtime, method by method; see `controllers`."""

    def play(checkout: Path) -> Facts:
        # BMv2's Python client is where its own command line looks for it.
        cli = Path(shutil.which("simple_switch_CLI") or "/dev/null").read_text()
        folders = re.findall(r'sys\.path\.append\("(.*)"\)', cli)
        command = ["env", f"PYTHONPATH={':'.join([str(checkout), *folders])}", "python3", str(_CONTROLLERS), way]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stderr, done.stdout, flush=True)
        if done.returncode != 0:
            raise Problem(done.stderr.strip().splitlines()[-1])
        facts: Facts = json.loads(done.stdout)
        return facts

    return play


def routers(name: str, pairs: list[tuple[str, str]], *words: str) -> Callable[[Path], Facts]:
    """An example with FRR's routers, which take a while until they know each other."""

    def play(checkout: Path) -> Facts:
        # It looks for FRR's daemons where its own installer has them.
        subprocess.run(["mount", "--bind", "/usr/lib/frr", "/usr/local/sbin"], check=True)
        at = example(checkout, name, False, *words)
        return {f"{source} ping {target}": _reaches(at, source, target) for source, target in pairs}

    return play


def _reaches(at: Typist, source: str, target: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if at.pings(source, target, 2) != "0 of 2":
            return "answered"
    return "not answered in 60 s"


_MPLS = "" if Path("/proc/sys/net/mpls").exists() else "its routers' ldpd takes MPLS, which this kernel has not"
_OLD = "calls p4-utils with words that it no longer has: addTask(out_file=...)"
_SDE = "takes Intel's SDE and its model of a Tofino"
_DPDK = "a suite for the DPDK target of IPDK (infrap4d)"

LESSONS = [
    *(
        Lesson("tutorials", f"tutorials/{lesson.__name__}", lesson)
        for lesson in (
            basic,
            basic_tunnel,
            p4runtime,
            flowcache,
            ecn,
            mri,
            source_routing,
            calc,
            load_balance,
            qos,
            multicast,
            firewall,
            link_monitor,
        )
    ),
    *(
        Lesson("tutorials", f"tutorials/{it}/ptf", suite(f"exercises/{it}", "make", "test"))
        for it in ("basic", "basic_tunnel")
    ),
    Lesson("p4-utils", "p4-utils/switches/P4Switch", switches(False)),
    Lesson("p4-utils", "p4-utils/switches/P4RuntimeSwitch", switches(True)),
    *(Lesson("p4-utils", f"p4-utils/controllers/{way}", controllers(way)) for way in ("thrift", "p4runtime")),
    Lesson("p4-utils", "p4-utils/frrouters", routers("frrouters", [("h1", "h4"), ("h1", "h2"), ("h1", "h3")]), _MPLS),
    Lesson("p4-utils", "p4-utils/adv-net", impossible=_OLD),
    Lesson("p4-utils", "p4-utils/tofino", impossible=_SDE),
    *(
        # One sends thousands of packets, ten a second.
        Lesson("p4-guide", f"p4-guide/{it}", suite(it), patience=900 if it.startswith("lpmtester") else 180)
        for it in (
            "demo1",
            "demo1-bitselect-key",
            "demo2",
            "demo7",
            "lpmtester",
            "lpmtester/lpmwidth20bits",
            "ptf-tests/duplicatekeys",
            "ptf-tests/idletimeout",
            "ptf-tests/matchkinds",
            "ptf-tests/packetinout",
            "ptf-tests/registeraccess",
        )
    ),
    Lesson("p4-guide", "p4-guide/ipdk", impossible=_DPDK),
]
