"""p4-utils' controllers, called method by method; run by `lessons` with p4-utils' folder on the PYTHONPATH.

For each of our small programs a switch is started from the PATH, a controller of p4-utils is connected to it, and calls are
made, right ones and wrong ones. What each printed, returned or raised is written to standard output as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
_THRIFT, _GRPC = 9090, 9559

Calls = list[tuple[Any, ...]]

_PRE: Calls = [
    ("mc_mgrp_create", 1),
    ("mc_node_create", 7, [1, 2]),
    ("mc_node_associate", 1, 0),
    ("mc_dump",),
    ("mc_node_update", 0, [3], []),
    ("mc_set_lag_membership", 1, [4, 5]),
    ("mc_node_create", 8, [1], [1]),
    ("mc_dump",),
    ("mc_node_dissociate", 1, 0),
    ("mc_node_destroy", 0),
    ("mc_node_destroy", 99),
    ("mc_mgrp_create", 1),
    ("mc_mgrp_destroy", 1),
    ("mc_mgrp_destroy", 1),
    ("mirroring_add", 100, 3),
    ("mirroring_get", 100),
    ("mirroring_add_mc", 101, 1),
    ("mirroring_add_port_and_mgrp", 102, 3, 1),
    ("mirroring_get", 102),
    ("mirroring_delete", 100),
    ("mirroring_get", 100),
]

_BY_THRIFT: dict[str, Calls] = {
    "tables/lpm": [
        ("show_tables",),
        ("show_actions",),
        ("table_info", "by_address"),
        ("table_show_actions", "by_group"),
        ("table_add", "by_address", "alone", ["10.0.0.0/8"], ["7"]),
        ("table_add", "by_address", "alone", ["0x0a010000/16"], ["0x8"]),
        ("table_add", "by_address", "alone", ["10.0.0.0/8"], ["9"]),
        ("table_add", "by_address", "alone", ["10.0.0.0/33"], ["9"]),
        ("table_add", "by_address", "nothing", ["10.0.0.0/8"], []),
        ("table_add", "nothing", "alone", ["10.0.0.0/8"], []),
        ("table_add", "by_address", "alone", ["10.2.0.0/16"], ["256"]),
        ("table_num_entries", "by_address"),
        ("table_dump", "by_address"),
        ("table_dump_entry", "by_address", 1),
        ("table_dump_entry", "by_address", 5),
        ("table_dump_entry_from_key", "by_address", ["10.0.0.0/8"]),
        ("table_modify", "by_address", "alone", 0, ["11"]),
        ("table_modify_match", "by_address", "alone", ["10.0.0.0/8"], ["12"]),
        ("table_dump", "by_address"),
        ("table_delete_match", "by_address", ["10.0.0.0/8"]),
        ("table_delete", "by_address", 0),
        ("table_set_default", "by_address", "alone", ["3"]),
        ("table_dump", "by_address"),
        ("table_reset_default", "by_address"),
        ("table_clear", "by_address"),
        ("table_num_entries", "by_address"),
        ("get_tables",),
        ("switch_info",),
        ("show_ports",),
        ("reset_state",),
    ],
    "tables/ternary": [
        ("table_add", "t", "set", ["1&&&0xff", "2&&&0xff"], ["7"], 10),
        ("table_add", "t", "set", ["1&&&0xff", "2&&&0xff"], ["8"], 5),
        ("table_add", "t", "set", ["0&&&0", "0&&&0"], ["9"], 20),
        ("table_dump", "t"),
        ("table_dump_entry_from_key", "t", ["1&&&0xff", "2&&&0xff"], 10),
        ("table_set_timeout", "t", 0, 1000),
        ("table_clear", "t"),
    ],
    "tables/range": [
        ("table_add", "by_port", "one", ["1->5"], ["7"], 1),
        ("table_add", "by_port", "one", ["9->5"], ["7"], 1),
        ("table_dump", "by_port"),
    ],
    "tables/idle": [
        ("table_add", "exactly", "out_of", ["1"], ["3"]),
        ("table_set_timeout", "exactly", 0, 60000),
        ("table_dump", "exactly"),
        ("table_set_timeout", "exactly", 9, 60000),
    ],
    "arrays/registers": [
        ("register_read", "values"),
        ("register_write", "values", 1, 77),
        ("register_write", "values", [2, 4], 5),
        ("register_write", "values", 9, 5),
        ("register_write", "narrow_values", 0, 255),
        ("register_read", "values"),
        ("register_read", "values", 1),
        ("register_read", "narrow_values", 0),
        ("register_read", "values", 9),
        ("register_reset", "values"),
        ("register_read", "values"),
        ("get_register_arrays",),
    ],
    "arrays/counters": [
        ("counter_write", "both_out", 1, 5, 500),
        ("counter_read", "both_out", 1),
        ("counter_read", "both_out", 9),
        ("counter_reset", "both_out"),
        ("counter_read", "both_out", 1),
        ("get_counter_arrays",),
    ],
    "arrays/direct_counters": [
        ("table_add", "forward", "out_of", ["1&&&0xff"], ["2"], 1),
        ("counter_read", "hits", 0),
        ("counter_write", "hits", 0, 3, 300),
        ("counter_read", "hits", 0),
        ("counter_reset", "hits"),
        ("counter_read", "hits", 0),
    ],
    "arrays/meters": [
        ("meter_get_rates", "packets_in", 0),
        ("meter_set_rates", "packets_in", 0, [(0.001, 10), (0.002, 20)]),
        ("meter_get_rates", "packets_in", 0),
        ("meter_array_set_rates", "bytes_in", [(0.5, 100), (1.0, 200)]),
        ("meter_get_rates", "bytes_in", 2),
        ("meter_set_rates", "packets_in", 0, [(0.002, 10), (0.001, 20)]),
        ("meter_get_rates", "packets_in", 9),
        ("get_meter_arrays",),
    ],
    "profiles/selector": [
        ("act_prof_create_member", "spread", "out_of", ["1", "2"]),
        ("act_prof_create_member", "spread", "out_of", ["3", "4"]),
        ("act_prof_create_group", "spread"),
        ("act_prof_add_member_to_group", "spread", 0, 0),
        ("act_prof_add_member_to_group", "spread", 1, 0),
        ("act_prof_add_member_to_group", "spread", 1, 0),
        ("act_prof_add_member_to_group", "spread", 9, 0),
        ("act_prof_dump", "spread"),
        ("act_prof_dump_member", "spread", 1),
        ("act_prof_dump_group", "spread", 0),
        ("act_prof_modify_member", "spread", "out_of", 1, ["5", "6"]),
        ("act_prof_delete_member", "spread", 1),
        ("act_prof_remove_member_from_group", "spread", 1, 0),
        ("act_prof_delete_member", "spread", 1),
        ("act_prof_dump", "spread"),
        ("act_prof_delete_group", "spread", 0),
        ("act_prof_delete_group", "spread", 0),
    ],
    "parser/value_set": [
        ("pvs_add", "known", "1"),
        ("pvs_add", "known", "2"),
        ("pvs_get", "known"),
        ("pvs_remove", "known", "1"),
        ("pvs_remove", "known", "1"),
        ("pvs_get", "known"),
        ("pvs_clear", "known"),
        ("pvs_get", "known"),
        ("get_parse_vsets",),
    ],
    "hashes/algorithms": [
        ("set_crc16_parameters", "calc", "0x8005", "0", "0", True, True),
        ("set_crc32_parameters", "calc_0", "0x04c11db7", "0xffffffff", "0xffffffff", True, True),
        ("get_custom_crc_calcs",),
    ],
    "copies/multicast": _PRE,
}

_BY_P4RUNTIME: dict[str, Calls] = {
    "tables/lpm": [
        ("table_add", "ingress.by_address", "ingress.alone", ["10.0.0.0/8"], ["7"]),
        ("table_add", "ingress.by_address", "ingress.alone", ["10.0.0.0/8"], ["7"]),
        ("table_add", "ingress.by_address", "ingress.alone", ["10.0.0.0/33"], ["7"]),
        ("table_add", "ingress.by_address", "ingress.alone", ["11.0.0.0/8"], ["256"]),
        ("table_modify_match", "ingress.by_address", "ingress.alone", ["10.0.0.0/8"], ["8"]),
        ("table_set_default", "ingress.by_address", "ingress.alone", ["9"]),
        ("table_reset_default", "ingress.by_address"),
        ("table_delete_match", "ingress.by_address", ["10.0.0.0/8"]),
        ("table_delete_match", "ingress.by_address", ["10.0.0.0/8"]),
        ("table_clear", "ingress.by_address"),
        ("mc_mgrp_create", 1, [1, 2]),
        ("mc_get_replicas", 1),
        ("mc_set_replicas", 1, [3], [5]),
        ("mc_get_replicas", 1),
        ("mc_mgrp_create", 1, [1]),
        ("mc_mgrp_destroy", 1),
        ("mc_get_replicas", 1),
        ("cs_create", 100, [3]),
        ("cs_get_replicas", 100),
        ("cs_set_replicas", 100, [4], [2], 0, 64),
        ("cs_get_replicas", 100),
        ("cs_destroy", 100),
        ("cs_destroy", 100),
        ("reset_state",),
    ],
    "tables/ternary": [
        ("table_add", "ingress.t", "ingress.set", ["1&&&0xff", "2&&&0xff"], ["7"], 10),
        ("table_add", "ingress.t", "ingress.set", ["1&&&0xff", "2&&&0xff"], ["7"], 0),
        ("table_delete_match", "ingress.t", ["1&&&0xff", "2&&&0xff"], 10),
    ],
    "arrays/counters": [
        ("counter_write", "egress.both_out", 1, 5, 500),
        ("counter_read", "egress.both_out", 1),
        ("counter_read", "egress.both_out", 9),
        ("counter_reset", "egress.both_out"),
        ("counter_read", "egress.both_out", 1),
    ],
    "arrays/direct_counters": [
        ("table_add", "ingress.forward", "ingress.out_of", ["1&&&0xff"], ["2"], 1, None, 4, 400),
        ("direct_counter_read", "ingress.hits", ["1&&&0xff"], 1),
        ("direct_counter_write", "ingress.hits", ["1&&&0xff"], 1, 3, 300),
        ("direct_counter_read", "ingress.hits", ["1&&&0xff"], 1),
        ("direct_counter_reset", "ingress.hits"),
        ("direct_counter_read", "ingress.hits", ["1&&&0xff"], 1),
    ],
    "arrays/meters": [
        ("meter_get_rates", "ingress.packets_in", 0),
        ("meter_set_rates", "ingress.packets_in", 0, [(10, 10), (20, 20)]),
        ("meter_get_rates", "ingress.packets_in", 0),
        ("meter_array_set_rates", "ingress.bytes_in", [(500, 100), (1000, 200)]),
        ("meter_get_rates", "ingress.bytes_in", 2),
        ("meter_set_rates", "ingress.packets_in", 9, [(10, 10), (20, 20)]),
    ],
    "arrays/direct_meters": [
        ("table_add", "ingress.by_a", "ingress.measured", ["1"]),
        ("direct_meter_get_rates", "ingress.rates", ["1"]),
        ("direct_meter_set_rates", "ingress.rates", ["1"], 0, [(10, 10), (20, 20)]),
        ("direct_meter_get_rates", "ingress.rates", ["1"]),
        ("direct_meter_array_set_rates", "ingress.rates", [(30, 10), (40, 20)]),
        ("direct_meter_get_rates", "ingress.rates", ["1"]),
    ],
    "copies/digest": [
        ("digest_enable", "seen_t"),
        ("digest_get_conf", "seen_t"),
        ("digest_set_conf", "seen_t", 1000, 5, 2000),
        ("digest_get_conf", "seen_t"),
        ("get_digest_list", 1),
    ],
}


def compiled(program: str) -> tuple[str, str]:
    """The JSON and the P4Info of a program, as files, with the places in the source, which p4-utils reads."""
    name = str(Path(tempfile.gettempdir()) / program.replace("/", "-"))
    files = f"{name}.json", f"{name}.p4info.txtpb"
    command = ["p4c-bm2-ss", "--p4runtime-files", files[1], "-o", files[0], str(_PROGRAMS / f"{program}.p4")]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return files


def connect_by_thrift(json_path: str, p4info_path: str) -> Any:
    """A Thrift controller of a switch that runs the program."""
    from p4utils.utils.sswitch_thrift_API import SimpleSwitchThriftAPI

    return SimpleSwitchThriftAPI(_THRIFT)


def connect_by_p4runtime(json_path: str, p4info_path: str) -> Any:
    """A P4Runtime controller, which installs the program."""
    from p4utils.utils.sswitch_p4runtime_API import SimpleSwitchP4RuntimeAPI

    return SimpleSwitchP4RuntimeAPI(0, _GRPC, "127.0.0.1", p4rt_path=p4info_path, json_path=json_path)


def call(controller: Any, name: str, arguments: tuple[Any, ...]) -> str:
    """What a call prints and returns, or raises."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            returned = getattr(controller, name)(*arguments)
        outcome = "" if returned is None else f"-> {_plain(returned)}"
    except Exception as error:  # noqa: BLE001 (whatever it raises is the result)
        outcome = f"raised {type(error).__name__}: {_plain(error)}"
    # Codes of errors are for programs, and compared; texts are for people.
    text = re.sub(r"(At index \d+: [A-Z_]+), .*|(RPC error \(\w+\)): .*", r"\1\2", f"{said.getvalue()} {outcome}")
    return re.sub(r"\s+", " ", text).strip()


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(sorted(str(key) for key in value))
    return str(value)


def play(switch: list[str], port: int, connect: Any, program: str, calls: Calls) -> dict[str, str]:
    """All calls of one program, on a switch of their own."""
    files = compiled(program)
    command = [*switch, files[0]] if port == _THRIFT else [*switch, "--no-p4"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            deadline = time.monotonic() + 20
            while not _listens(port):
                if child.poll() is not None or time.monotonic() > deadline:
                    return {f"{program}: start": "the switch does not listen"}
                time.sleep(0.1)
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    controller = connect(*files)
            except Exception as error:  # noqa: BLE001 (p4-utils does not know what newer compilers write)
                return {f"{program}: connect": f"raised {type(error).__name__}: {error}"}
            results = {}
            for number, (name, *arguments) in enumerate(calls):
                results[f"{program} {number}: {name}{tuple(arguments)}"] = call(controller, name, tuple(arguments))
            return results
        finally:
            child.kill()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    """All programs, by the way of control that is asked for."""
    results: dict[str, str] = {}
    if sys.argv[1] == "thrift":
        for program, calls in _BY_THRIFT.items():
            switch = ["simple_switch", "--thrift-port", str(_THRIFT)]
            results |= play(switch, _THRIFT, connect_by_thrift, program, calls)
    else:
        for program, calls in _BY_P4RUNTIME.items():
            switch = ["simple_switch_grpc", "--thrift-port", str(_THRIFT)]
            results |= play(switch, _GRPC, connect_by_p4runtime, program, calls)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
