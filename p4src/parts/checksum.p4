// SPDX-License-Identifier: Apache-2.0
//
// The IPv4 header checksum after one 16-bit word changed.

#ifndef VOUCH_CHECKSUM_P4
#define VOUCH_CHECKSUM_P4

// RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). Incremental, so it holds with IPv4 options too, a header that arrived
// damaged stays recognisably damaged, and no architecture's checksum unit is needed.
bit<16> updated_checksum(in bit<16> checksum, in bit<16> old_word, in bit<16> new_word) {
    bit<32> sum = (bit<32>) (~checksum) + (bit<32>) (~old_word) + (bit<32>) new_word;
    // Two folds: the sum of three words leaves at most 2 in the upper half, and adding that can carry once more.
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum[15:0];
}

#endif
