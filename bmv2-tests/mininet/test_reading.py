"""What is read from switches and agents, tried on what they print; takes neither Mininet nor root."""

import tempfile
import unittest
from pathlib import Path

import tables
import verdicts
from plan import LEAVES, Place, Plan

_SWITCH = """==========
TABLE ENTRIES
**********
Dumping entry 0x1
Match key:
* ingress_port        : EXACT     0002
* vlan_id             : EXACT     0000
Action entry: ingress_interface.access - 01, 01, 01, 00
==========
Dumping default entry
Action entry: ingress_interface.unknown_interface -
==========
==========
TABLE ENTRIES
**********
Dumping entry 0x0
Match key:
* location            : EXACT     8001
Action entry: encapsulate.encapsulate - {tunnel}
==========
Dumping default entry
EMPTY
==========
==========
TABLE ENTRIES
**********
Dumping entry 0x0
Match key:
* bd                  : EXACT     0001
* mac                 : EXACT     000000000001
Action entry: recorded_location.recorded - {recorded}
==========
Dumping default entry
EMPTY
==========
==========
TABLE ENTRIES
**********
Dumping entry 0x0
Match key:
* bd                  : EXACT     0001
* mac                 : EXACT     000000000001
Action entry: destination.unicast - {location}
==========
Dumping default entry
EMPTY
==========
==========
TABLE ENTRIES
{claim}==========
Dumping default entry
EMPTY
==========
"""
_CLAIM = """**********
Dumping entry 0x0
Match key:
* bd                  : EXACT     0001
* mac                 : EXACT     000000000001
* location            : EXACT     0001
Action entry: source.claim_pending - 00
"""


def dump(location: str, claim: str = "") -> str:
    """The dump of a leaf with h1 at a location; the other parameters of actions do not matter here."""
    _, parameters = tables._names()

    def values(action: str, **wanted: str) -> str:
        return ", ".join(wanted.get(name, "00") for name in parameters[action])

    return _SWITCH.format(
        tunnel=values("encapsulate.encapsulate", dst_ip="c0000202"),
        recorded=values("recorded_location.recorded", location=location),
        location=values("destination.unicast", location=location),
        claim=claim,
    )


class Tables(unittest.TestCase):
    """Beliefs from dumps."""

    def belief(self, text: str) -> tables.Belief:
        hosts = tables.beliefs("leaf1", tables.parse(text))
        self.assertEqual(list(hosts), ["00:00:00:00:00:01"])
        return hosts["00:00:00:00:00:01"]

    def test_a_port_of_its_own(self) -> None:
        belief = self.belief(dump("0001"))
        self.assertEqual(str(belief), "leaf1 port 2")
        self.assertTrue(belief.is_only_at(Place("leaf1", 2), "leaf1"))
        self.assertFalse(belief.is_only_at(Place("leaf1", 3), "leaf1"))

    def test_another_leaf_by_its_tunnel(self) -> None:
        belief = self.belief(dump("8001"))
        self.assertEqual(str(belief), "leaf2")
        self.assertTrue(belief.is_only_at(Place("leaf2", 4), "leaf1"))

    def test_a_claim_is_no_peace(self) -> None:
        belief = self.belief(dump("8001", _CLAIM))
        self.assertEqual(str(belief), "leaf2, 1 claim(s) here")
        self.assertFalse(belief.is_only_at(Place("leaf2", 4), "leaf1"))


class Reports(unittest.TestCase):
    """Decisions from logs."""

    def test_names_for_addresses(self) -> None:
        where = "2026-01-02T03:04:05.678901Z DEBUG vouch_agent::driver::core::reporting:"
        lines = [
            f'{where} agent="leaf1" report=Learned {{ host: 00:00:00:00:00:01 in VNI 5001, port: access 1 }}',
            f'{where} agent="leaf1" report=VerificationStarted {{ host: 00:00:00:00:00:01 in VNI 5001, '
            "recorded: access 1, claimed: Some(tunnel to 192.0.2.3) }",
            f'{where} agent="leaf1" report=Stayed {{ host: 00:00:00:00:00:01 in VNI 5001, kept: access 1, '
            "claimed: tunnel to 192.0.2.3, took: 3ms }",
            "something else",
        ]
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            log.write_text("\n".join(lines))
            read = verdicts.Verdicts(Plan.of(4), {"leaf1": log})
            self.assertEqual(len(read.all()), 2)
            (decided,) = read.decisions("h1")
        self.assertEqual(decided.decision, "stayed")
        self.assertEqual(decided.fields, "host: h1, kept: a port of leaf1, claimed: leaf3, took: 3ms")


class Plans(unittest.TestCase):
    """Who is where."""

    def test_every_leaf_has_hosts_and_room(self) -> None:
        for hosts in range(3, 61):
            plan = Plan.of(hosts)
            self.assertEqual(len(plan.hosts), hosts + 1)
            self.assertEqual(len(set(plan.places.values())), hosts + 1)
            self.assertEqual({place.leaf for place in plan.places.values()}, set(LEAVES))
            for leaf in LEAVES:
                self.assertIsNotNone(plan.free_place(leaf))


if __name__ == "__main__":
    unittest.main()
