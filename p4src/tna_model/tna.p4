// SPDX-License-Identifier: Apache-2.0
//
// Stands in for <tna.p4> where the TNA program is compiled for v1model (switch.p4): the types that the program names, and
// v1model's externs under the names of tna_arch.p4.

#ifndef VOUCH_TNA_MODEL_TNA_P4
#define VOUCH_TNA_MODEL_TNA_P4

#include <v1model.p4>

typedef bit<9> PortId_t;
typedef bit<16> MulticastGroupId_t;
typedef bit<10> MirrorId_t;
typedef bit<3> MirrorType_t;

// Of the intrinsic metadata what the program uses.
struct ingress_intrinsic_metadata_t {
    PortId_t ingress_port;
}

struct ingress_intrinsic_metadata_from_parser_t {
    bit<16> parser_err;
}

struct ingress_intrinsic_metadata_for_deparser_t {
    bit<3> drop_ctl;
    MirrorType_t mirror_type;
}

struct ingress_intrinsic_metadata_for_tm_t {
    PortId_t ucast_egress_port;
    MulticastGroupId_t mcast_grp_a;
}

struct egress_intrinsic_metadata_t {
    PortId_t egress_port;
    bit<16> egress_rid;
    bit<16> pkt_length;
}

struct egress_intrinsic_metadata_from_parser_t {
    bit<16> parser_err;
}

struct egress_intrinsic_metadata_for_deparser_t {
    bit<3> drop_ctl;
    MirrorType_t mirror_type;
}

struct egress_intrinsic_metadata_for_output_port_t {
    bit<1> capture_tstamp_on_tx;
}

// The traffic manager's word for a replica or frame, in front of it on its way to egress.
header to_egress_t {
    bit<7> reserved;
    PortId_t egress_port;
    bit<16> egress_rid;
    bit<16> pkt_length;
}

// v1model counts hits by itself.
#define DIRECT_COUNTER(counter_name, full_name) \
    @name(full_name) direct_counter(CounterType.packets_and_bytes) counter_name;
#define COUNTERS(counter_name) counters = counter_name;
#define COUNT(counter_name)
#define COUNTER(counter_name, full_name, cells) \
    @name(full_name) counter(cells, CounterType.packets_and_bytes) counter_name;
#define COUNT_AT(counter_name, index) counter_name.count((bit<32>) (index));
#define PLACE_COUNTER(counter_name, full_name, cells) COUNTER(counter_name, full_name, cells)
#define PLACE_METER(meter_name, full_name, cells) @name(full_name) meter(cells, MeterType.packets) meter_name;
#define EXECUTE_METER(meter_name, index, colour) meter_name.execute_meter((bit<32>) (index), colour);
#define METER_RED V1MODEL_METER_COLOR_RED
typedef bit<2> colour_t;
#define IDLE_TIMEOUT support_timeout = true;
#define IPV4_CHECKSUM_UNIT
#define VERIFY_IPV4_CHECKSUM(hdr, meta)
#define FLOW_HASH_UNIT(unit)
#define FLOW_HASH(unit, result, ...) \
    hash(result, HashAlgorithm.crc16, 14w0, __VA_ARGS__, 15w0x4000);
#define BUCKET_HASH_UNIT(unit)
#define BUCKET_HASH(unit, result, ...) \
    hash(result, HashAlgorithm.crc32, 6w0, __VA_ARGS__, 7w64);
#define MODEL_HEADERS to_egress_t to_egress;

#endif
