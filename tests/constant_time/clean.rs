//! What looks like a leak and is none.

use pqc_gpu_driver::kernel::wgsl::Shader;

use crate::{
    holds,
    planted::{MULTIPLY, SEAL, edited, line_of},
    report::Kind::{Division, Select, Unproven},
    subjects::Floats,
    taint::examine,
};

/// What the shaders may well do: none of it depends on a secret.
#[test]
fn look_alikes_pass() {
    let clean = [
        // Lengths and lanes.
        (MULTIPLY, "if (params.aad_bytes > 16u) { z ^= v & vec4<u32>(0u - (rest.x >> 31u)); }"),
        (MULTIPLY, "z ^= select(v, rest, params.chunks == 1u) >> vec4<u32>(params.chunks % 7u);"),
        (MULTIPLY, "for (var k = 0u; k < params.chunks / 3u; k++) { z[k & 3u] ^= rest[i % 4u] * v.x; }"),
        // A function that sees secrets elsewhere, of something public.
        (MULTIPLY, "if (swap_bytes(params.token) == 1u) { z ^= swap_block(v); }"),
        // A public variable beside a secret one.
        (MULTIPLY, "var n = 0u; var s = rest.x; n++; s++; if (n == 1u) { z.x ^= s; }"),
        // How long a buffer of secrets is.
        (MULTIPLY, "if (arrayLength(&body) > 3u) { z ^= max(min(v, rest), countOneBits(v)); }"),
    ];
    for (old, new) in clean {
        holds(&edited(Shader::Tag, &[(old, new)]));
    }
    // One function, a public variable and a secret one behind its pointer.
    let bump = "fn bump(to: ptr<function, u32>, by: u32) { *to += by; }";
    let edits =
        [("+", bump), (MULTIPLY, "var n = 0u; var s = 0u; bump(&n, i); bump(&s, rest.x);\nif (n > 3u) { z.x ^= s; }")];
    holds(&edited(Shader::ExpandKey, &edits));
}

/// Arithmetic on tensors is on floats; what does not take the same time for all of them leaks there too.
#[test]
fn floats_on_tensors() {
    let scaled = |how: &str| {
        let read = format!(
            "let x = bitcast<vec4<f32>>(plaintext[block]);\nlet scaled = {how};\nreturn bitcast<vec4<u32>>(scaled) ^ plaintext[chunk"
        );
        let mut subject = edited(SEAL, &[("return plaintext[chunk", &read)]);
        subject.floats = Floats::Allowed;
        subject
    };
    for clean in ["x * 0.5 + 1.0", "clamp(round(x), vec4<f32>(-128.0), vec4<f32>(127.0))", "vec4<f32>(vec4<i32>(x))"] {
        holds(&scaled(clean));
    }
    for (leaking, kind) in
        [("x / 3.0", Division), ("sqrt(x)", Unproven), ("select(x, x + 1.0, x > vec4<f32>(0.0))", Select)]
    {
        let subject = scaled(leaking);
        let leaks = examine(&subject).unwrap().leaks;
        let found: Vec<_> = leaks.iter().map(|leak| (leak.kind, leak.line)).collect();
        assert_eq!(found, [(kind, line_of(&subject, "let scaled = "))], "{leaking}");
    }
}
