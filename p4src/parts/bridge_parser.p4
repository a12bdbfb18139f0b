// SPDX-License-Identifier: Apache-2.0
//
// The other end of bridge.p4: egress takes off what ingress has put in front, and parses the frame anew.

#ifndef VOUCH_BRIDGE_PARSER_P4
#define VOUCH_BRIDGE_PARSER_P4

parser BridgedParser(packet_in packet, inout headers_t hdr, inout metadata_t meta) {
    FrameParser() frame_parser;

    state start {
        transition select(packet.lookahead<bit<8>>()) {
            BRIDGED_COPY: copy;
            default: bridge;
        }
    }

    state bridge {
        packet.extract(hdr.bridge);
        transition frame;
    }

    state copy {
        packet.extract(hdr.copy);
        transition frame;
    }

    state frame {
        frame_parser.apply(packet, hdr, meta);
        transition accept;
    }
}

#endif
