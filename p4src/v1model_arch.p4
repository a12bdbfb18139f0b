// SPDX-License-Identifier: Apache-2.0
//
// What the shared parts ask of an architecture, for v1model. Another architecture's top brings a file with the same
// names.

#ifndef VOUCH_V1MODEL_ARCH_P4
#define VOUCH_V1MODEL_ARCH_P4

// Between ingress and egress, metadata does.
#define ARCHITECTURE_HEADERS
#define ARCHITECTURE_METADATA

// Entries, where memory is no limit.
#define INGRESS_INTERFACES 4096
#define UNDERLAY_PORTS 512
#define ACCESS_INTERFACES 16384
#define LOCATIONS 16384
#define TUNNELS 4096
#define UNDERLAY_ROUTES 4096
#define LOCAL_ADDRESSES 512
// The underlay may be IPv6: what follows from that is in the program where this is defined.
#define IPV6_UNDERLAY
// Ways may have several next hops: what follows from that is in the program where this is defined.
#define NEXT_HOPS
#define HOP_GROUPS 1024
#define NEIGHBOURS 4096
#define BRIDGE_DOMAINS 16384
#define HOSTS 131072
#define SOURCES 262144
#define BINDINGS_IPV4 131072
#define BINDINGS_IPV6 131072

// Bits of a place's number that tell its punt budgets from others'.
#define PLACE_BITS 12

// A table's direct counter. v1model counts every hit by itself, so COUNT has nothing to do.
#define DIRECT_COUNTER(counter_name, full_name) \
    @name(full_name) direct_counter(CounterType.packets_and_bytes) counter_name;
#define COUNTERS(counter_name) counters = counter_name;
#define COUNT(counter_name)

// Counters and meters by index.
#define COUNTER(counter_name, full_name, cells) \
    @name(full_name) counter(cells, CounterType.packets_and_bytes) counter_name;
#define COUNT_AT(counter_name, index) counter_name.count((bit<32>) (index));
#define PLACE_COUNTER(counter_name, full_name, cells) COUNTER(counter_name, full_name, cells)
#define PLACE_METER(meter_name, full_name, cells) @name(full_name) meter(cells, MeterType.packets) meter_name;
#define EXECUTE_METER(meter_name, index, colour) meter_name.execute_meter((bit<32>) (index), colour);
#define METER_RED V1MODEL_METER_COLOR_RED
typedef bit<2> colour_t;

// A table whose entries may age.
#define IDLE_TIMEOUT support_timeout = true;

// The target verifies the outer IPv4 checksum after the parser (VtepVerifyChecksum).
#define IPV4_CHECKSUM_UNIT
#define VERIFY_IPV4_CHECKSUM(hdr, meta)

// Whether a frame is too long for the 16 bits of the outer total length, or shorter than its IPv4 or IPv6 header says.
#define TOO_LONG(bytes) bytes > 0xffff - IPV4_BYTES - UDP_BYTES - VXLAN_BYTES
#define SHORTER_THAN(ipv4, bytes) ipv4.total_bytes > bytes - ETHERNET_BYTES
#define SHORTER_THAN_IPV6(ipv6, bytes) ipv6.payload_bytes > bytes - (ETHERNET_BYTES + IPV6_BYTES)

// Nothing is parsed again before egress, so the inner headers move. An assignment carries validity with it.
#define TAKE_INNER_HEADERS(hdr) \
    hdr.ethernet = hdr.inner_ethernet; \
    hdr.ipv4 = hdr.inner_ipv4; \
    hdr.ipv6 = hdr.inner_ipv6; \
    hdr.l4 = hdr.inner_l4; \
    hdr.vlan.setInvalid(); \
    hdr.udp_rest.setInvalid(); \
    hdr.vxlan.setInvalid(); \
    hdr.inner_ethernet.setInvalid(); \
    hdr.inner_ipv4.setInvalid(); \
    hdr.inner_ipv6.setInvalid(); \
    hdr.inner_l4.setInvalid();

// Hashing takes time, so it is done where a frame needs it.
#define HASH_ON_ARRIVAL(hash_it)
#define HASH_ON_DEMAND(hash_it) hash_it;

// 14 bits of a CRC-16 over the fields.
#define FLOW_HASH_UNIT(unit)
#define FLOW_HASH(unit, result, ...) \
    hash(result, HashAlgorithm.crc16, 14w0, __VA_ARGS__, 15w0x4000);
// 6 bits of a CRC-32.
#define BUCKET_HASH_UNIT(unit)
#define BUCKET_HASH(unit, result, ...) \
    hash(result, HashAlgorithm.crc32, 6w0, __VA_ARGS__, 7w64);

#endif
