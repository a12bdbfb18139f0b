// SPDX-License-Identifier: Apache-2.0
//
// What the shared parts ask of an architecture, for TNA (Tofino 1). See v1model_arch.p4.

#ifndef VOUCH_TNA_ARCH_P4
#define VOUCH_TNA_ARCH_P4

// Metadata ends with ingress. What egress must know travels in front of the frame, and so does what a copy for the
// controller must know.
#define ARCHITECTURE_HEADERS \
    MODEL_HEADERS \
    bridge_t bridge; \
    copy_t copy;

// The deparser's mirror unit takes fields, not constants.
#define ARCHITECTURE_METADATA \
    MirrorId_t mirror_session; \
    bit<8> mirror_kind;

// Entries, as many as fit: build/tofino/fit.txt says with what room to spare.
#define INGRESS_INTERFACES 4096
#define UNDERLAY_PORTS 512
#define ACCESS_INTERFACES 4096
#define LOCATIONS 8192
#define TUNNELS 1024
#define UNDERLAY_ROUTES 1024
#define LOCAL_ADDRESSES 512
// The underlay may be IPv6, and ways may have several next hops. Tofino 1, and so the model, has no stage for them.
#if __TARGET_TOFINO__ > 1
#define IPV6_UNDERLAY
#define NEXT_HOPS
#define HOP_GROUPS 64
#define NEIGHBOURS 512
#endif
#define BRIDGE_DOMAINS 4096
#define HOSTS 102400
#define SOURCES 102400
#define BINDINGS_IPV4 81920
#define BINDINGS_IPV6 8192

// Bits of a place's number that tell its punt budgets from others'. 11 would be 32,768 cells, each with a map RAM behind its
// word: a stage has 48 map RAMs of 1,024, and the last two have other tables as well.
#define PLACE_BITS 10

// The model that runs this program on v1model (tna_model/) has its own.
#ifndef TNA_MODEL

// A table's direct counter; each action that counts says so.
#define DIRECT_COUNTER(counter_name, full_name) \
    @name(full_name) DirectCounter<bit<32>>(CounterType_t.PACKETS_AND_BYTES) counter_name;
#define COUNTERS(counter_name) counters = counter_name;
#define COUNT(counter_name) counter_name.count();

#define MODEL_HEADERS

// Counters and meters by index.
#define COUNTER(counter_name, full_name, cells) \
    @name(full_name) Counter<bit<64>, bit<8>>(cells, CounterType_t.PACKETS_AND_BYTES) counter_name;
#define COUNT_AT(counter_name, index) counter_name.count(index);
// By place: so many that two share a word, and a cell is 32 bits wide.
#define PLACE_COUNTER(counter_name, full_name, cells) \
    @name(full_name) Counter<bit<32>, bit<14>>(cells, CounterType_t.PACKETS_AND_BYTES) counter_name;
#define PLACE_METER(meter_name, full_name, cells) \
    @name(full_name) Meter<bit<14>>(cells, MeterType_t.PACKETS) meter_name;
#define EXECUTE_METER(meter_name, index, colour) colour = meter_name.execute(index);
#define METER_RED 3
typedef bit<8> colour_t;

// A table whose entries may age.
#define IDLE_TIMEOUT idle_timeout = true;

// The parser's checksum unit; it says whether the header is wrong. p4testgen cannot say what a unit says, so it gets a
// program without: every header is right.
#ifdef UNCHECKED
#define IPV4_CHECKSUM_UNIT
#define VERIFY_IPV4_CHECKSUM(hdr, meta)
#else
#define IPV4_CHECKSUM_UNIT Checksum() ipv4_checksum;
#define VERIFY_IPV4_CHECKSUM(hdr, meta) \
    ipv4_checksum.add(hdr.ipv4); \
    meta.bad_ipv4_checksum = (bit<1>) ipv4_checksum.verify();
#endif

// One unit for each use.
#define FLOW_HASH_UNIT(unit) Hash<bit<14>>(HashAlgorithm_t.CRC16) unit;
#define FLOW_HASH(unit, result, ...) result = unit.get(__VA_ARGS__);
#define BUCKET_HASH_UNIT(unit) Hash<bit<6>>(HashAlgorithm_t.CRC32) unit;
#define BUCKET_HASH(unit, result, ...) result = unit.get(__VA_ARGS__);

#endif

// Hashing takes no time of its own. Later, a tunnel's inner headers would have to be told from others.
#define HASH_ON_ARRIVAL(hash_it) hash_it;
#define HASH_ON_DEMAND(hash_it)

// Ingress does not know the frame's length. None is too long, the MAC takes 10,240 bytes at most; one that is shorter than
// its outer lengths say is decapsulated as it is.
#define TOO_LONG(bytes) false
#define SHORTER_THAN(ipv4, bytes) false
#define SHORTER_THAN_IPV6(ipv6, bytes) false

// The frame is parsed again after this, so it is enough to take away what stands in front of the inner one.
#ifdef IPV6_UNDERLAY
#define TAKE_OUTER_IPV6(hdr) hdr.ipv6.setInvalid();
#else
#define TAKE_OUTER_IPV6(hdr)
#endif
#define TAKE_INNER_HEADERS(hdr) \
    TAKE_OUTER_IPV6(hdr) \
    hdr.ethernet.setInvalid(); \
    hdr.vlan.setInvalid(); \
    hdr.ipv4.setInvalid(); \
    hdr.l4.setInvalid(); \
    hdr.udp_rest.setInvalid(); \
    hdr.vxlan.setInvalid();

#endif
