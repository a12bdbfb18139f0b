#!/usr/bin/python3
"""Vouch in Mininet: a fabric to play with, or to play a script on.

    sudo bmv2-tests/mininet/vouch_mininet.py
    vouch> h1 ping -c 3 h4
    vouch> attack mallory h1
    vouch> migrate h1 leaf2
    vouch> hosts
    vouch> moves

Three leaves and a spine are processes of `p4-switch` or of BMv2's `simple_switch_grpc`, each with an agent (`vouch run`);
hosts have the kernel's IP stack. `plan` says who is where; `help` at the prompt lists the words.

The modules: `plan` is the fabric on paper, `configuration` what the agents read, `programs` and `nodes` what runs,
`fabric` brings it up and changes it, `tables` and `verdicts` read switches and agents, `wire` is what hosts send, `prompt`
puts words to it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

sys.dont_write_bytecode = True  # nothing is left behind, not even that

from plan import MOST_HOSTS, Plan
from problem import Problem, why_no_mininet
from programs import Programs


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="A Vouch fabric in Mininet. Takes root.")
    parser.add_argument(
        "--switch",
        default="p4-switch",
        help="the switches' program, by name or path: p4-switch (the default), simple_switch_grpc",
    )
    parser.add_argument("--vouch", default="vouch", help="the agents' program, by name or path")
    parser.add_argument("--cli", default="p4-switch-cli", help="what reads the switches, by name or path")
    parser.add_argument("--hosts", type=int, default=4, metavar="N", help=f"h1 to hN: 3 to {MOST_HOSTS}; default: 4")
    parser.add_argument(
        "--no-verify", action="store_true", help="believe every announcement, as fabrics do that ask nobody"
    )
    parser.add_argument(
        "--script",
        metavar="FILE",
        help="carry out the commands of a file (-: standard input) in place of asking for them",
    )
    known = parser.parse_args()
    if not 3 <= known.hosts <= MOST_HOSTS:
        parser.error(f"--hosts is from 3 to {MOST_HOSTS}")
    if known.script not in (None, "-") and not os.path.isfile(known.script):
        parser.error(f"--script: there is no file {known.script}")
    return known


def main() -> int:
    """0; 1 if a script failed, or the fabric could not be brought up."""
    known = arguments()
    if (why := why_no_mininet()) is not None:
        print(why, file=sys.stderr)
        return 1
    from mininet.log import setLogLevel

    from fabric import Fabric
    from prompt import Prompt

    setLogLevel("info" if known.script is None else "output")
    # A signal that ends us is an end like any other: what stands is taken away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(1))
    try:
        programs = Programs.find(known.switch, known.vouch, known.cli)
        with Fabric(Plan.of(known.hosts, verify=not known.no_verify), programs) as fabric:
            script = "/dev/stdin" if known.script == "-" else known.script
            prompt = Prompt(fabric, script)
            if script is not None and prompt.failed is not None:
                print(f"failed: {prompt.failed}", file=sys.stderr)
                return 1
    except Problem as problem:
        print(f"vouch_mininet: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
