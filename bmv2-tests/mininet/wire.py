"""What happens on a host's wire, done by a process in the host's namespace: run as a program, with one of these words.

    announce INTERFACE MAC IP   send one gratuitous ARP request, which says that IP is at MAC
    watch INTERFACE MAC         count echo requests for MAC until standard input ends, then print their number
    plain INTERFACE             leave no checksum to hardware that is not there

A frame that leaves the interface is not counted: what a host sends itself tells nothing about what it was sent.
"""

from __future__ import annotations

import ctypes
import fcntl
import select
import socket
import struct
import sys

_ETH_P_ALL = 3
_ETH_P_IP = 0x0800
_ETH_P_ARP = 0x0806
_OUTGOING = 4
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_ICMP = 1
_ECHO_REQUEST = 8


def gratuitous_arp(mac: bytes, ip: bytes) -> bytes:
    """A broadcast request in which sender and target have the same address: "I am here" (RFC 5227, 3)."""
    arp = struct.pack("!HHBBH6s4s6s4s", 1, _ETH_P_IP, 6, 4, 1, mac, ip, bytes(6), ip)
    return (b"\xff" * 6 + mac + _ETH_P_ARP.to_bytes(2, "big") + arp).ljust(60, b"\0")


def is_echo_request_for(mac: bytes, frame: bytes) -> bool:
    """Whether a frame is a ping of the host with this MAC address."""
    if frame[:6] != mac or frame[12:14] != _ETH_P_IP.to_bytes(2, "big") or len(frame) < 34:
        return False
    payload = 14 + (frame[14] & 15) * 4
    return frame[23] == _ICMP and frame[payload : payload + 1] == bytes([_ECHO_REQUEST])


def announce(interface: str, mac: bytes, ip: bytes) -> None:
    """Send the announcement, whoever we are."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        raw.send(gratuitous_arp(mac, ip))


def watch(interface: str, mac: bytes) -> int:
    """Count what arrives; says on standard output when it has begun."""
    seen = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as raw:
        raw.bind((interface, _ETH_P_ALL))
        print("watching", flush=True)
        while True:
            ready, _, _ = select.select([raw, sys.stdin], [], [])
            if raw in ready:
                frame, (_, _, kind, *_) = raw.recvfrom(65535)
                seen += kind != _OUTGOING and is_echo_request_for(mac, frame)
            elif sys.stdin in ready:
                return seen


def plain(interface: str) -> None:
    """Switch the offloading of checksums off: BMv2 would pass on frames whose checksums are not finished."""
    value = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(value)).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request)


def main(words: list[str]) -> int:
    """Do what the words say."""
    match words:
        case ["announce", interface, mac, ip]:
            announce(interface, bytes.fromhex(mac.replace(":", "")), socket.inet_aton(ip))
        case ["watch", interface, mac]:
            print(watch(interface, bytes.fromhex(mac.replace(":", ""))))
        case ["plain", interface]:
            plain(interface)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
