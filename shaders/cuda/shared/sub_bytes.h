// The AES S-box (FIPS 197 section 5.1.1) as Boolean gates on bit planes: Boyar and Peralta's 113 gates
// (SLP_AES_113), without their four final NOTs, which the round keys take over.

// The bit planes of a byte position, least significant first; each holds one bit of each of 32 bytes.
struct Byte {
    u32 p[8];
};

DEVICE Byte operator^(Byte a, Byte b) {
    Byte c;
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        c.p[i] = a.p[i] ^ b.p[i];
    }
    return c;
}

// What the missing NOTs leave: SubBytes(x) = sub_bytes(x) ^ 0x63. The constant passes through ShiftRows and MixColumns
// unchanged, since 2 ^ 3 ^ 1 ^ 1 = 1.
DEVICE u32 not_of(u32 plane) {
    return 0u - ((0x63u >> plane) & 1);
}

DEVICE Byte sub_bytes(Byte x) {
    const u32 u0 = x.p[7], u1 = x.p[6], u2 = x.p[5], u3 = x.p[4], u4 = x.p[3], u5 = x.p[2], u6 = x.p[1], u7 = x.p[0];

    // The linear layer before the inversion.
    const u32 y14 = u3 ^ u5;
    const u32 y13 = u0 ^ u6;
    const u32 y9 = u0 ^ u3;
    const u32 y8 = u0 ^ u5;
    const u32 t0 = u1 ^ u2;
    const u32 y1 = t0 ^ u7;
    const u32 y4 = y1 ^ u3;
    const u32 y12 = y13 ^ y14;
    const u32 y2 = y1 ^ u0;
    const u32 y5 = y1 ^ u6;
    const u32 y3 = y5 ^ y8;
    const u32 t1 = u4 ^ y12;
    const u32 y15 = t1 ^ u5;
    const u32 y20 = t1 ^ u1;
    const u32 y6 = y15 ^ u7;
    const u32 y10 = y15 ^ t0;
    const u32 y11 = y20 ^ y9;
    const u32 y7 = u7 ^ y11;
    const u32 y17 = y10 ^ y11;
    const u32 y19 = y10 ^ y8;
    const u32 y16 = t0 ^ y11;
    const u32 y21 = y13 ^ y16;
    const u32 y18 = u0 ^ y16;

    // Inversion in GF(2^8), through GF(2^4).
    const u32 t2 = y12 & y15;
    const u32 t3 = y3 & y6;
    const u32 t4 = t3 ^ t2;
    const u32 t5 = y4 & u7;
    const u32 t6 = t5 ^ t2;
    const u32 t7 = y13 & y16;
    const u32 t8 = y5 & y1;
    const u32 t9 = t8 ^ t7;
    const u32 t10 = y2 & y7;
    const u32 t11 = t10 ^ t7;
    const u32 t12 = y9 & y11;
    const u32 t13 = y14 & y17;
    const u32 t14 = t13 ^ t12;
    const u32 t15 = y8 & y10;
    const u32 t16 = t15 ^ t12;
    const u32 t17 = t4 ^ y20;
    const u32 t18 = t6 ^ t16;
    const u32 t19 = t9 ^ t14;
    const u32 t20 = t11 ^ t16;
    const u32 t21 = t17 ^ t14;
    const u32 t22 = t18 ^ y19;
    const u32 t23 = t19 ^ y21;
    const u32 t24 = t20 ^ y18;
    const u32 t25 = t21 ^ t22;
    const u32 t26 = t21 & t23;
    const u32 t27 = t24 ^ t26;
    const u32 t28 = t25 & t27;
    const u32 t29 = t28 ^ t22;
    const u32 t30 = t23 ^ t24;
    const u32 t31 = t22 ^ t26;
    const u32 t32 = t31 & t30;
    const u32 t33 = t32 ^ t24;
    const u32 t34 = t23 ^ t33;
    const u32 t35 = t27 ^ t33;
    const u32 t36 = t24 & t35;
    const u32 t37 = t36 ^ t34;
    const u32 t38 = t27 ^ t36;
    const u32 t39 = t29 & t38;
    const u32 t40 = t25 ^ t39;
    const u32 t41 = t40 ^ t37;
    const u32 t42 = t29 ^ t33;
    const u32 t43 = t29 ^ t40;
    const u32 t44 = t33 ^ t37;
    const u32 t45 = t42 ^ t41;
    const u32 z0 = t44 & y15;
    const u32 z1 = t37 & y6;
    const u32 z2 = t33 & u7;
    const u32 z3 = t43 & y16;
    const u32 z4 = t40 & y1;
    const u32 z5 = t29 & y7;
    const u32 z6 = t42 & y11;
    const u32 z7 = t45 & y17;
    const u32 z8 = t41 & y10;
    const u32 z9 = t44 & y12;
    const u32 z10 = t37 & y3;
    const u32 z11 = t33 & y4;
    const u32 z12 = t43 & y13;
    const u32 z13 = t40 & y5;
    const u32 z14 = t29 & y2;
    const u32 z15 = t42 & y9;
    const u32 z16 = t45 & y14;
    const u32 z17 = t41 & y8;

    // The linear layer after it.
    const u32 tc1 = z15 ^ z16;
    const u32 tc2 = z10 ^ tc1;
    const u32 tc3 = z9 ^ tc2;
    const u32 tc4 = z0 ^ z2;
    const u32 tc5 = z1 ^ z0;
    const u32 tc6 = z3 ^ z4;
    const u32 tc7 = z12 ^ tc4;
    const u32 tc8 = z7 ^ tc6;
    const u32 tc9 = z8 ^ tc7;
    const u32 tc10 = tc8 ^ tc9;
    const u32 tc11 = tc6 ^ tc5;
    const u32 tc12 = z3 ^ z5;
    const u32 tc13 = z13 ^ tc1;
    const u32 tc14 = tc4 ^ tc12;
    const u32 s3 = tc3 ^ tc11;
    const u32 tc16 = z6 ^ tc8;
    const u32 tc17 = z14 ^ tc10;
    const u32 tc18 = tc13 ^ tc14;
    const u32 s7 = z12 ^ tc18;
    const u32 tc20 = z15 ^ tc16;
    const u32 tc21 = tc2 ^ z11;
    const u32 s0 = tc3 ^ tc16;
    const u32 s6 = tc10 ^ tc18;
    const u32 s4 = tc14 ^ s3;
    const u32 s1 = s3 ^ tc16;
    const u32 tc26 = tc17 ^ tc20;
    const u32 s2 = tc26 ^ z17;
    const u32 s5 = tc21 ^ tc17;

    return {{s7, s6, s5, s4, s3, s2, s1, s0}};
}

// Times x in AES's field (FIPS 197 section 4.2.1, xTimes), on planes.
DEVICE Byte xtimes(Byte a) {
    const u32 over = a.p[7];
    return {{over, a.p[0] ^ over, a.p[1], a.p[2] ^ over, a.p[3] ^ over, a.p[4], a.p[5], a.p[6]}};
}
