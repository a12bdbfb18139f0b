// SPDX-License-Identifier: Apache-2.0
//
// What the shared parts ask of an architecture, for v1model. Another architecture's top brings a file with the same
// names.

#ifndef VOUCH_V1MODEL_ARCH_P4
#define VOUCH_V1MODEL_ARCH_P4

// A table's direct counter. v1model counts every hit by itself, so COUNT has nothing to do.
#define DIRECT_COUNTER(counter_name, full_name) \
    @name(full_name) direct_counter(CounterType.packets_and_bytes) counter_name;
#define COUNTERS(counter_name) counters = counter_name;
#define COUNT(counter_name)

// A table whose entries may age.
#define IDLE_TIMEOUT support_timeout = true;

// 14 bits from the flow: by addresses and ports where the frame is IP, else by what Ethernet knows. Each branch tests
// validity, because BMv2 reads stale bytes from an invalid header.
control FlowEntropy(in headers_t hdr, out bit<14> entropy) {
    apply {
        bit<32> ports = 0;
        if (hdr.l4.isValid()) {
            ports = hdr.l4.src ++ hdr.l4.dst;
        }
        if (hdr.ipv4.isValid()) {
            hash(entropy, HashAlgorithm.crc16, 14w0, { hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4.protocol, ports },
                 15w0x4000);
        } else if (hdr.ipv6.isValid()) {
            hash(entropy, HashAlgorithm.crc16, 14w0,
                 { hdr.ipv6.src, hdr.ipv6.dst, hdr.ipv6.next_header, ports }, 15w0x4000);
        } else {
            hash(entropy, HashAlgorithm.crc16, 14w0,
                 { hdr.ethernet.src, hdr.ethernet.dst, hdr.ethernet.ether_type }, 15w0x4000);
        }
    }
}

#endif
