// SPDX-License-Identifier: Apache-2.0
//
// The IPv4 header checksum after one 16-bit word changed.

#ifndef VOUCH_CHECKSUM_P4
#define VOUCH_CHECKSUM_P4

// RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), where `change` is ~m + m' in ones' complement: the new word less the
// old. Incremental, so it holds with IPv4 options too, a header that arrived damaged stays recognisably damaged, and no
// architecture's checksum unit is needed.
bit<16> updated_checksum(in bit<16> checksum, in bit<16> change) {
    bit<17> sum = (bit<17>) (~checksum) + (bit<17>) change;
    return ~(sum[15:0] + (bit<16>) sum[16:16]);
}

#endif
