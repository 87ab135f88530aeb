// SPDX-License-Identifier: Apache-2.0
// Every operator at widths from 1 to 200 bits, signed and unsigned: frame | left | right | signed_left | signed_right.
// The kind chooses the operator; results replace the left operands.

#include "shell.p4"

header unsigned_t {
    bit<1>   u1;
    bit<3>   u3;
    bit<5>   u5;
    bit<8>   u8;
    bit<13>  u13;
    bit<16>  u16;
    bit<32>  u32;
    bit<33>  u33;
    bit<48>  u48;
    bit<64>  u64;
    bit<65>  u65;
    bit<128> u128;
    bit<200> u200;
}

header signed_t {
    int<4>   s4;
    int<5>   s5;
    int<8>   s8;
    int<13>  s13;
    int<32>  s32;
    int<33>  s33;
    int<64>  s64;
    int<65>  s65;
    int<128> s128;
}

header shift_t {
    bit<8> amount;
}

struct headers_t {
    frame_t    frame;
    shift_t    shift;
    unsigned_t left;
    unsigned_t right;
    signed_t   signed_left;
    signed_t   signed_right;
}

struct metadata_t {
    bit<200> wide;
    int<33>  narrow;
    bool     truth;
}

#define L hdr.left
#define R hdr.right
#define SL hdr.signed_left
#define SR hdr.signed_right

#define EACH_UNSIGNED(DO) \
    DO(u1) DO(u3) DO(u5) DO(u8) DO(u13) DO(u16) DO(u32) DO(u33) DO(u48) DO(u64) DO(u65) DO(u128) DO(u200)
#define EACH_SIGNED(DO) DO(s4) DO(s5) DO(s8) DO(s13) DO(s32) DO(s33) DO(s64) DO(s65) DO(s128)

#define ADD(f) L.f = L.f + R.f;
#define SUBTRACT(f) L.f = L.f - R.f;
#define MULTIPLY(f) L.f = L.f * R.f;
#define AND_NOT(f) L.f = (L.f & ~R.f) | (R.f ^ L.f);
#define SATURATE_UP(f) L.f = L.f |+| R.f;
#define SATURATE_DOWN(f) L.f = L.f |-| R.f;
#define SHIFT_LEFT(f) L.f = L.f << hdr.shift.amount;
#define SHIFT_RIGHT(f) L.f = L.f >> hdr.shift.amount;
#define NEGATE(f) L.f = -L.f;
#define SMALLER(f) L.f = L.f < R.f ? L.f : R.f;
#define COMPARE(f) if (L.f >= R.f) { L.f = 1; } else if (L.f == 0) { L.f = R.f; }
#define MIXED(f) L.f = (L.f + R.f) * L.f - ((R.f << 1) ^ (L.f >> 1));

#define SIGNED_ADD(f) SL.f = SL.f + SR.f;
#define SIGNED_SUBTRACT(f) SL.f = SL.f - SR.f;
#define SIGNED_MULTIPLY(f) SL.f = SL.f * SR.f;
#define SIGNED_BITS(f) SL.f = (SL.f & ~SR.f) | (SR.f ^ SL.f);
#define SIGNED_SATURATE_UP(f) SL.f = SL.f |+| SR.f;
#define SIGNED_SATURATE_DOWN(f) SL.f = SL.f |-| SR.f;
#define SIGNED_SHIFT_LEFT(f) SL.f = SL.f << hdr.shift.amount;
#define SIGNED_SHIFT_RIGHT(f) SL.f = SL.f >> hdr.shift.amount;
#define SIGNED_NEGATE(f) SL.f = -SL.f;
#define SIGNED_SMALLER(f) SL.f = SL.f < SR.f ? SL.f : SR.f;
#define SIGNED_COMPARE(f) if (SL.f >= SR.f) { SL.f = 1; } else if (SL.f <= 0) { SL.f = SR.f; }
#define SIGNED_MIXED(f) SL.f = (SL.f + SR.f) * SL.f - ((SR.f << 1) ^ (SL.f >> 1));

parser NumberParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.frame);
        packet.extract(hdr.shift);
        packet.extract(hdr.left);
        packet.extract(hdr.right);
        packet.extract(hdr.signed_left);
        packet.extract(hdr.signed_right);
        transition accept;
    }
}

NO_CHECKSUMS
NO_EGRESS

control Calculate(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action add() { EACH_UNSIGNED(ADD) EACH_SIGNED(SIGNED_ADD) }
    action subtract() { EACH_UNSIGNED(SUBTRACT) EACH_SIGNED(SIGNED_SUBTRACT) }
    action multiply() { EACH_UNSIGNED(MULTIPLY) EACH_SIGNED(SIGNED_MULTIPLY) }
    // Division is for the compiler; by powers of two it becomes a shift or a mask.
    action divide() { L.u13 = L.u13 / 16; L.u128 = L.u128 / 4096; }
    action remainder() { L.u13 = L.u13 % 16; L.u200 = L.u200 % 0x10000000000000000; }
    action bits() { EACH_UNSIGNED(AND_NOT) EACH_SIGNED(SIGNED_BITS) }
    action saturate_up() { EACH_UNSIGNED(SATURATE_UP) EACH_SIGNED(SIGNED_SATURATE_UP) }
    action saturate_down() { EACH_UNSIGNED(SATURATE_DOWN) EACH_SIGNED(SIGNED_SATURATE_DOWN) }
    action shift_left() { EACH_UNSIGNED(SHIFT_LEFT) EACH_SIGNED(SIGNED_SHIFT_LEFT) }
    action shift_right() { EACH_UNSIGNED(SHIFT_RIGHT) EACH_SIGNED(SIGNED_SHIFT_RIGHT) }
    action negate() { EACH_UNSIGNED(NEGATE) EACH_SIGNED(SIGNED_NEGATE) }
    action smaller() { EACH_UNSIGNED(SMALLER) EACH_SIGNED(SIGNED_SMALLER) }
    action compare() { EACH_UNSIGNED(COMPARE) EACH_SIGNED(SIGNED_COMPARE) }
    action mixed() { EACH_UNSIGNED(MIXED) EACH_SIGNED(SIGNED_MIXED) }

    action slices() {
        L.u200[99:90] = R.u128[127:118];
        L.u128[63:32] = L.u200[131:100];
        L.u64[0:0] = R.u1;
        L.u65[64:64] = R.u8[7:7];
        L.u48[47:1] = R.u64[46:0];
        L.u33 = L.u65[64:32];
        L.u13[6:2] = L.u5;
    }
    action concatenations() {
        L.u16 = R.u3 ++ R.u13;
        L.u48 = L.u32 ++ L.u8 ++ R.u8;
        L.u128 = R.u64 ++ L.u64;
        L.u200 = R.u65 ++ L.u65 ++ R.u64 ++ L.u5 ++ 1w1;
        SL.s13 = SR.s5 ++ SR.s8;
        L.u33 = (bit<1>)SR.s8[7:7] ++ R.u32;
    }
    action casts() {
        SL.s128 = (int<128>)SR.s5;
        SL.s65 = (int<65>)SR.s64;
        SL.s33 = (int<33>)(int<32>)R.u32;
        SL.s4 = (int<4>)SR.s128;
        SL.s13 = (int<13>)(int<8>)L.u8;
        L.u200 = (bit<200>)R.u33;
        L.u8 = (bit<8>)R.u200;
        L.u64 = (bit<64>)SR.s64;
        L.u128 = (bit<128>)(int<128>)SR.s33;
        L.u16 = (bit<16>)(bit<1>)(L.u8 != 0);
        meta.narrow = (int<33>)SR.s5;
        SL.s64 = (int<64>)meta.narrow;
        L.u1 = (bit<1>)(SR.s128 < 0);
    }
    action truths() {
        meta.truth = (L.u8 < R.u8) || (L.u16 == R.u16 && !(SL.s8 > SR.s8));
        L.u1 = meta.truth ? 1w1 : 1w0;
        meta.truth = meta.truth != (L.u128 > R.u128);
        L.u3 = meta.truth ? L.u3 : ~L.u3;
        L.u5 = (bit<5>)(bit<1>)(hdr.left.isValid() == hdr.right.isValid());
        if (hdr.left == hdr.right) {
            L.u13 = 0x1555;
        }
        if (SL != SR) {
            SL.s5 = -1;
        }
        meta.wide = L.u200 ^ R.u200;
        L.u200 = meta.wide == 0 ? 1 : (meta.wide > R.u200 ? meta.wide - R.u200 : R.u200 - meta.wide);
    }
    action constants(bit<200> unsigned_word, int<33> signed_word, bit<7> amount) {
        L.u200 = L.u200 + unsigned_word;
        L.u128 = (bit<128>)unsigned_word & L.u128;
        SL.s33 = SL.s33 |-| signed_word;
        SL.s65 = (int<65>)signed_word + SL.s65;
        L.u64 = L.u64 << amount;
        L.u8 = (bit<8>)amount |+| 0xf0;
        L.u48 = L.u48 |-| 0x7fffffffffff;
        L.u32 = 0xffffffff - L.u32;
        L.u65 = (L.u65 >> 3) * 5;
        SL.s8 = SL.s8 * -3;
        SL.s5 = 7 |+| SL.s5;
    }
    action swap() {
        unsigned_t kept = L;
        L = R;
        R = kept;
        signed_t signed_kept = SL;
        SL = SR;
        SR = signed_kept;
    }

    table operators {
        key = { hdr.frame.kind : exact @name("kind"); }
        actions = {
            add; subtract; multiply; divide; remainder; bits; saturate_up; saturate_down; shift_left; shift_right;
            negate; smaller; compare; mixed; slices; concatenations; casts; truths; constants; swap; NoAction;
        }
        const entries = {
            0 : add();
            1 : subtract();
            2 : multiply();
            3 : divide();
            4 : remainder();
            5 : bits();
            6 : saturate_up();
            7 : saturate_down();
            8 : shift_left();
            9 : shift_right();
            10 : negate();
            11 : smaller();
            12 : compare();
            13 : mixed();
            14 : slices();
            15 : concatenations();
            16 : casts();
            17 : truths();
            18 : swap();
            19 : constants(0xfedcba98765432100123456789abcdef0123456789abcdef01, 5, 9);
            20 : constants(0xffffffffffffffffffffffffffffffffffffffffffffffffff, 4294967295, 127);
        }
        const default_action = NoAction();
    }

    table chosen_constants {
        key = { hdr.shift.amount : exact @name("amount"); }
        actions = { constants; NoAction; }
        const default_action = NoAction();
        size = 16;
    }

    apply {
        FORWARD(hdr.frame)
        if (hdr.frame.isValid() && hdr.signed_right.isValid()) {
            operators.apply();
            chosen_constants.apply();
        }
    }
}

control NumberDeparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(NumberParser(), NoVerify(), Calculate(), NoEgress(), NoUpdate(), NumberDeparser()) main;
