// SPDX-License-Identifier: Apache-2.0
// Every hash over fields of odd widths, with bases and limits; the results leave in front of the packet.

#include "shell.p4"

header input_t {
    bit<1>   one;
    bit<7>   seven;
    bit<13>  thirteen;
    bit<3>   three;
    bit<33>  thirty_three;
    bit<15>  fifteen;
    bit<48>  mac;
    bit<128> address;
    int<8>   signed_byte;
}

header extra_t {
    bit<24> value;
}

header result_t {
    bit<32>  crc32_odd;
    bit<16>  crc16_odd;
    bit<16>  sum_odd;
    bit<16>  xor_odd;
    bit<64>  identity_odd;
    bit<8>   crc32_limited;
    bit<16>  crc16_based;
    bit<9>   crc16_custom_limited;
    bit<7>   xor_limited;
    bit<32>  crc32_custom;
    bit<32>  sum_limited;
    bit<48>  crc32_wide;
    bit<16>  identity_small;
    bit<16>  crc_of_one_bit;
    bit<32>  crc_with_constant;
    bit<16>  sum_of_header;
}

struct headers_t {
    result_t result;
    frame_t  frame;
    input_t  input;
    extra_t  extra;
}

struct metadata_t {
    bit<32> limit;
}

parser InputParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.input);
        transition select(hdr.frame.kind) {
            1: parse_extra;
            default: accept;
        }
    }
    state parse_extra {
        packet.extract(hdr.extra);
        transition accept;
    }
}

NO_CHECKSUMS
NO_EGRESS

control Hash(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        FORWARD(hdr.frame)
        if (!hdr.input.isValid()) {
            return;
        }
        hdr.result.setValid();
        hash(hdr.result.crc32_odd, HashAlgorithm.crc32, 32w0,
             { hdr.input.one, hdr.input.thirteen, hdr.input.thirty_three }, 64w0x100000000);
        hash(hdr.result.crc16_odd, HashAlgorithm.crc16, 16w0,
             { hdr.input.thirteen, hdr.input.mac, hdr.input.three }, 32w0x10000);
        hash(hdr.result.sum_odd, HashAlgorithm.csum16, 16w0,
             { hdr.input.thirteen, hdr.input.address, hdr.input.seven }, 32w0x10000);
        hash(hdr.result.xor_odd, HashAlgorithm.xor16, 16w0,
             { hdr.input.seven, hdr.input.address, hdr.input.fifteen }, 32w0x10000);
        hash(hdr.result.identity_odd, HashAlgorithm.identity, 64w0,
             { hdr.input.one, hdr.input.thirteen, hdr.input.mac, hdr.input.thirty_three }, 64w0xffffffffffffffff);
        hash(hdr.result.crc32_limited, HashAlgorithm.crc32, 8w10, { hdr.input.address }, 8w13);
        hash(hdr.result.crc16_based, HashAlgorithm.crc16, 16w0xfff0, { hdr.input.mac }, 16w1000);
        hash(hdr.result.crc16_custom_limited, HashAlgorithm.crc16_custom, 9w5,
             { hdr.input.mac, hdr.input.signed_byte }, 9w300);
        hash(hdr.result.xor_limited, HashAlgorithm.xor16, 7w3, { hdr.input.thirty_three }, 7w100);
        hash(hdr.result.crc32_custom, HashAlgorithm.crc32_custom, 32w7,
             { hdr.input.seven, hdr.input.one, hdr.input.address }, 32w0xfffffff0);
        meta.limit = (bit<32>)hdr.input.seven;
        // A limit of 0 counts as 1.
        hash(hdr.result.sum_limited, HashAlgorithm.csum16, hdr.input.mac[31:0], { hdr.input.address }, meta.limit);
        hash(hdr.result.crc32_wide, HashAlgorithm.crc32, hdr.input.mac, { hdr.input.three }, 48w0x1000000000);
        hash(hdr.result.identity_small, HashAlgorithm.identity, 16w1, { hdr.input.three, hdr.input.one }, 16w0x8000);
        hash(hdr.result.crc_of_one_bit, HashAlgorithm.crc16, 16w0, { hdr.input.one }, 32w0x10000);
        hash(hdr.result.crc_with_constant, HashAlgorithm.crc32, 32w0,
             { hdr.input.mac, 16w0x0800, hdr.input.fifteen, 3w5 }, 64w0x100000000);
        if (hdr.extra.isValid()) {
            hash(hdr.result.sum_of_header, HashAlgorithm.csum16, 16w0,
                 { hdr.extra.value, hdr.frame.kind, hdr.frame.port }, 32w0x10000);
        }
    }
}

control ResultDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(InputParser(), NoVerify(), Hash(), NoEgress(), NoUpdate(), ResultDeparser()) main;
