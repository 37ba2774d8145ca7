//! Leaks planted in the shaders' own texts, each of which the pass must find.

use pqc_gpu_driver::kernel::wgsl::{Plaintext, Shader};

use crate::{
    report::Kind::{
        self, Address, Branch, Declassified, Division, Float, LoopBound, Select, ShiftAmount, Stored, Unproven,
    },
    subjects::{Holds, Subject},
    taint::examine,
};

/// A shader with parts of its text replaced, each of which stands in it once. What begins with `+` is new text, in front.
pub(crate) fn edited(shader: Shader, edits: &[(&str, &str)]) -> Subject {
    let mut subject = Subject::of(shader);
    for (old, new) in edits {
        if *old == "+" {
            subject.source = format!("{new}\n{}", subject.source);
        } else {
            assert_eq!(subject.source.matches(old).count(), 1, "{shader:?} has {old:?} once");
            subject.source = subject.source.replace(old, new);
        }
    }
    subject
}

/// The pass finds exactly these leaks in the edited shader: their kinds, and a part of their lines.
fn finds(shader: Shader, edits: &[(&str, &str)], expected: &[(Kind, &str)]) {
    let subject = edited(shader, edits);
    let report = examine(&subject).unwrap_or_else(|error| panic!("{shader:?}: {error}"));
    let mut found: Vec<(Kind, u32)> = report.leaks.iter().map(|leak| (leak.kind, leak.line)).collect();
    let mut wanted: Vec<(Kind, u32)> = expected.iter().map(|&(kind, text)| (kind, line_of(&subject, text))).collect();
    found.sort();
    wanted.sort();
    let leaks: Vec<String> = report.leaks.iter().map(ToString::to_string).collect();
    assert_eq!(found, wanted, "{shader:?}, {edits:?} leaks:\n{}", leaks.join("\n"));
}

pub(crate) fn line_of(subject: &Subject, text: &str) -> u32 {
    let mut lines = (1..).zip(subject.source.lines()).filter(|(_, line)| line.contains(text));
    match (lines.next(), lines.next()) {
        (Some((number, _)), None) => number,
        _ => panic!("{text:?} does not stand on one line"),
    }
}

pub(crate) const MULTIPLY: &str = "z ^= v & vec4<u32>(0u - (rest.x >> 31u));";
const ONE_TAG: &str = "return declassify(u32((difference.x | difference.y | difference.z | difference.w) == 0u));";
const SUBSTITUTED: &str = "return word_of_planes(sub_bytes(planes_of_word(word))) ^ 0x63636363u;";
const TIMES_X: &str = "let carried = vec4<u32>((0u - (v.w & 1u)) & 0xe1000000u, v.xyz << vec3<u32>(31u));";
const LATE: &str = "let chunk = first + 2u * local;";
pub(crate) const SEAL: Shader = Shader::Seal(Plaintext::Blocks);

#[test]
fn an_s_box_as_a_table_in_memory() {
    let edits = [("+", "var<private> s_box: array<u32, 256>;"), (SUBSTITUTED, "return s_box[word & 255u];")];
    finds(Shader::ExpandKey, &edits, &[(Address, "return s_box")]);
}

#[test]
fn an_s_box_as_a_constant_table() {
    let table = "let s_box = array<u32, 4>(0x63u, 0x7cu, 0x77u, 0x7bu);\nreturn s_box[word & 3u];";
    finds(Shader::ExpandKey, &[(SUBSTITUTED, table)], &[(Address, "return s_box")]);
}

#[test]
fn an_early_exit_when_tags_are_compared() {
    let edits = [(ONE_TAG, "if (difference.x != 0u) { return 0u; }\nreturn 1u;")];
    finds(Shader::Verify, &edits, &[(Branch, "if (difference.x")]);
}

#[test]
fn a_comparison_that_stops_short() {
    let edits = [(ONE_TAG, "return declassify(u32(difference.x == 0u\n && difference.y == 0u));")];
    finds(Shader::Verify, &edits, &[(Branch, "return declassify(u32(difference.x == 0u")]);
    let edits = [(ONE_TAG, "return declassify(u32(!(difference.x != 0u\n || difference.y != 0u)));")];
    finds(Shader::Verify, &edits, &[(Branch, "return declassify(u32(!(difference.x != 0u")]);
}

#[test]
fn a_branch_on_a_bit_of_a_factor() {
    let edits = [(MULTIPLY, "if ((rest.x >> 31u) == 1u) { z ^= v; }")];
    finds(Shader::ExpandKey, &edits, &[(Branch, "if ((rest.x")]);
    finds(Shader::Verify, &edits, &[(Branch, "if ((rest.x")]);
}

#[test]
fn a_switch_on_a_secret() {
    let edits = [(MULTIPLY, "switch rest.x & 3u { case 0u: { z ^= v; } default: { z |= v; } }")];
    finds(Shader::Tag, &edits, &[(Branch, "switch rest.x")]);
}

#[test]
fn a_loop_as_long_as_a_hash_has_bits() {
    let edits = [("bit < 32u; bit++", "any((x >> vec4<u32>(bit)) != vec4<u32>(0u)); bit++")];
    finds(Shader::Verify, &edits, &[(LoopBound, "for (var bit = 0u; any((x")]);
}

#[test]
fn a_loop_left_at_a_byte_of_the_key() {
    let edits = [("words[i] = key[i];", "words[i] = key[i];\nif (words[i] == 0u) { break; }")];
    finds(Shader::ExpandKey, &edits, &[(LoopBound, "if (words[i]")]);
    let edits = [("words[i] = key[i];", "if (key[i] == 0u) { continue; }\nwords[i] = key[i];")];
    finds(Shader::ExpandKey, &edits, &[(LoopBound, "if (key[i]")]);
    let edits =
        [("words[i] = key[i];", "var n = 0u;\nloop { words[i] = n; continuing { n++;\nbreak if n > key[i]; } }")];
    finds(Shader::ExpandKey, &edits, &[(LoopBound, "break if n")]);
}

#[test]
fn keystream_as_an_index() {
    let edits = [("^ sums[2u * pair * LANES]", "^ sums[masks.lo.x & 255u]")];
    finds(Shader::Verify, &edits, &[(Address, "sums[masks")]);
    let edits = [("context[PRODUCTS + bit] &", "context[PRODUCTS + (x.x & 31u)] &")];
    finds(Shader::Verify, &edits, &[(Address, "context[PRODUCTS + (x.x")]);
    // What lies at a secret place is a secret itself, though it be a constant.
    let edits = [(MULTIPLY, "var t = vec4<u32>();\nt[rest.x & 3u] = 1u;\nif (t.x == 1u) { z.x = 1u; }")];
    finds(Shader::Tag, &edits, &[(Address, "t[rest.x & 3u]"), (Branch, "if (t.x == 1u)")]);
    // And as the place written to.
    let edits = [("read_block(chunk, block) ^ keystream;", "keystream;\nbody[keystream.x] = keystream;")];
    finds(SEAL, &edits, &[(Address, "body[keystream.x]")]);
}

#[test]
fn the_place_of_an_atomic() {
    let edits = [("atomicAdd(&verdicts[2u * params.verdict]", "atomicAdd(&verdicts[tags.first.x & 1u]")];
    // What a secret place is written to tells which it was.
    finds(Shader::Verify, &edits, &[(Address, "verdicts[tags"), (Stored, "verdicts[tags")]);
}

#[test]
fn an_atomic_that_compares_secrets() {
    let edits = [
        ("+", "var<workgroup> seen: atomic<u32>;"),
        (ONE_TAG, "return u32(atomicCompareExchangeWeak(&seen, difference.x, 1u).old_value & params.token);"),
    ];
    finds(Shader::Verify, &edits, &[(Branch, "atomicCompareExchangeWeak"), (Stored, "atomicAdd(")]);
}

#[test]
fn a_choice_by_a_secret() {
    let edits =
        [(TIMES_X, "let carried = vec4<u32>(select(0u, 0xe1000000u, (v.w & 1u) == 1u), v.xyz << vec3<u32>(31u));")];
    finds(Shader::ExpandKey, &edits, &[(Select, "let carried = vec4<u32>(select")]);
    let edits = [(TIMES_X, "let carried = vec4<u32>(u32((v.w & 1u) == 1u) * 0xe1000000u, v.xyz << vec3<u32>(31u));")];
    finds(Shader::ExpandKey, &edits, &[(Select, "let carried = vec4<u32>(u32(")]);
}

#[test]
fn a_shift_by_a_secret() {
    let edits = [(MULTIPLY, "z ^= v << vec4<u32>(rest.x & 31u);")];
    finds(Shader::Verify, &edits, &[(ShiftAmount, "z ^= v <<")]);
    let edits = [(MULTIPLY, "z.x ^= extractBits(v.x, rest.x & 31u, 1u);")];
    finds(Shader::Verify, &edits, &[(ShiftAmount, "z.x ^= extractBits")]);
}

#[test]
fn a_division_by_or_of_a_secret() {
    let edits = [(MULTIPLY, "z.x ^= 1000u / (rest.x | 1u);")];
    finds(Shader::Tag, &edits, &[(Division, "1000u / ")]);
    let edits = [(MULTIPLY, "z.x ^= rest.x % 3u;")];
    finds(Shader::Tag, &edits, &[(Division, "% 3u;")]);
}

#[test]
fn floats_in_cryptography() {
    let edits = [(MULTIPLY, "z.x ^= u32(\nf32(rest.x));")];
    finds(Shader::Verify, &edits, &[(Float, "z.x ^= u32("), (Float, "f32(rest.x)")]);
    let edits = [(MULTIPLY, "z.x ^= bitcast<u32>(\nbitcast<f32>(rest.x) * 2.0);")];
    finds(Shader::Verify, &edits, &[(Float, "bitcast<f32>(rest.x) * 2.0")]);
}

#[test]
fn a_function_whose_time_nobody_promises() {
    let edits = [(MULTIPLY, "z.x ^= firstLeadingBit(rest.x);")];
    finds(Shader::Verify, &edits, &[(Unproven, "firstLeadingBit")]);
}

#[test]
fn a_secret_in_a_struct() {
    let edits = [(LATE, "let chunk = first + 2u * local;\nif (tags.second.w == 0u) { return; }")];
    finds(Shader::Verify, &edits, &[(Branch, "if (tags.second.w")]);
}

#[test]
fn a_secret_moved_about() {
    for moved in [
        "rest.wzyx.x",
        "select(rest, v, params.chunks == 1u).y",
        "min(vec4<u32>(~rest.z), z).x",
        "abs(-bitcast<vec4<i32>>(rest)).x",
    ] {
        let edits = [(MULTIPLY, &*format!("if (u32({moved}) == 1u) {{ z ^= v; }}"))];
        finds(Shader::Verify, &edits, &[(Branch, moved)]);
    }
}

#[test]
fn a_secret_in_an_array() {
    let edits = [("return Split(", "if (words[8] == 0u) { words[0] = 1u; }\nreturn Split(")];
    finds(Shader::Tag, &edits, &[(Branch, "if (words[8]")]);
}

#[test]
fn a_secret_in_workgroup_memory() {
    let edits = [("sums[local] = sum;", "sums[local] = sum;\nif (sums[local / 2u].x == 0u) { sums[local].y = 0u; }")];
    finds(Shader::Verify, &edits, &[(Branch, "if (sums[local / 2u]")]);
    // What one invocation stores, another one reads: before, by the text's order.
    let edits = [
        ("+", "var<workgroup> seen: u32;"),
        ("let lane = local % LANES;", "let lane = local % LANES;\nif (seen == 0u) { sums[local].x = 1u; }"),
        (ONE_TAG, "seen = difference.x; return 0u;"),
    ];
    finds(Shader::Verify, &edits, &[(Branch, "if (seen == 0u)")]);
    let edits = [
        ("+", "var<workgroup> seen: u32;"),
        (
            "sums[local] = sum;",
            "sums[local] = sum;\nif (local == 0u) { seen = sum.x; }\nlet all_see = workgroupUniformLoad(&seen);\nif (all_see == 0u) { sums[local].y = 0u; }",
        ),
    ];
    finds(Shader::Verify, &edits, &[(Branch, "if (all_see == 0u)")]);
}

#[test]
fn a_secret_behind_a_pointer() {
    let peek = "fn peek(at: ptr<function, vec4<u32>>) -> u32 { return (*at).x; }";
    let edits = [("+", peek), (MULTIPLY, "if (peek(&rest) == 0u) { z ^= v; }")];
    finds(Shader::ExpandKey, &edits, &[(Branch, "if (peek(&rest)")]);
    let inner = "fn inner(at: ptr<function, vec4<u32>>) {\nif ((*at).x == 0u) { (*at).x = 1u; } }";
    let edits = [("+", inner), (MULTIPLY, "inner(&rest);")];
    finds(Shader::ExpandKey, &edits, &[(Branch, "if ((*at).x == 0u)")]);
}

#[test]
fn a_secret_written_through_a_pointer() {
    let put = "fn put(to: ptr<function, u32>, x: u32) { *to = x; }\nfn put_on(to: ptr<function, u32>, x: u32) { put(to, x); }";
    let edits =
        [("+", put), (MULTIPLY, "var n = 0u;\nput_on(&n, rest.x & 3u);\nfor (var k = 0u; k < n; k++) { z ^= v; }")];
    finds(Shader::ExpandKey, &edits, &[(LoopBound, "for (var k = 0u; k < n")]);
    // Both arguments are one variable.
    let both = "fn both(to: ptr<function, u32>, other: ptr<function, u32>, x: u32) { *to = x;\nif (*other == 0u) { *to = 1u; } }";
    let edits = [("+", both), (MULTIPLY, "var n = 0u;\nboth(&n, &n, rest.x);")];
    finds(Shader::ExpandKey, &edits, &[(Branch, "if (*other == 0u)")]);
    // A global variable.
    let keep = "var<private> kept: u32;\nfn keep(to: ptr<private, u32>, x: u32) { *to = x; }";
    let edits = [("+", keep), (MULTIPLY, "keep(&kept, rest.x);\nif (kept == 0u) { z ^= v; }")];
    finds(Shader::ExpandKey, &edits, &[(Branch, "if (kept == 0u)")]);
}

#[test]
fn a_secret_that_a_function_gives_back() {
    let edits = [(ONE_TAG, "return u32(body[word_of_planes(planes_of_word(difference.x))].x != 0u);")];
    finds(
        Shader::Verify,
        &edits,
        &[
            (Address, "return u32(body[word_of_planes"),
            (Select, "return u32(body[word_of_planes"),
            (Stored, "atomicAdd("),
        ],
    );
}

#[test]
fn a_secret_of_the_loop_before() {
    let edits = [(MULTIPLY, "if (z.x == 1u) { z.y = 1u; }\nz ^= v & vec4<u32>(0u - (rest.x >> 31u));")];
    finds(Shader::ExpandKey, &edits, &[(Branch, "if (z.x == 1u)")]);
}

#[test]
fn plaintext_decides() {
    let read = "value[word] = plaintext[at + word];";
    let edits = [(read, "value[word] = plaintext[at + word];\nif (value[word] == 0u) { break; }")];
    finds(Shader::Seal(Plaintext::Words), &edits, &[(LoopBound, "if (value[word]")]);
    let write = "plaintext[at] = value.x;";
    let edits = [(write, "if (plaintext[at] != value.x) { plaintext[at] = value.x; }")];
    finds(Shader::Open(Plaintext::Words), &edits, &[(Branch, "if (plaintext[at]")]);
    let edits = [("memory[word] &= before | behind;", "if (memory[word] != 0u) { memory[word] &= before | behind; }")];
    finds(Shader::Wipe, &edits, &[(Branch, "if (memory[word]")]);
}

#[test]
fn a_secret_stored_in_the_open() {
    let edits = [("holds(chunk, tags.first) +", "tags.first.x +")];
    finds(Shader::Verify, &edits, &[(Stored, "atomicAdd(")]);
    let edits = [("context[STAMP] = vec4<u32>(params.stamp0,", "context[STAMP] = vec4<u32>(h.x,")];
    finds(Shader::ExpandKey, &edits, &[(Stored, "context[STAMP]")]);
}

#[test]
fn only_the_stamp_of_a_context_is_public() {
    for other in ["context[H]", "context[STAMP + 1u]", "context[params.token]", "vec4<u32>(context[params.token].x)"] {
        let edits = [("let stamp = context[STAMP];", &*format!("let stamp = {other};"))];
        finds(Shader::Tag, &edits, &[(Branch, "&& usable()")]);
    }
    // Nor is it where the shader stores secrets at places that the pass does not know.
    let stored = "context[PRODUCTS + bit] = swap_block(product);";
    let edits = [(stored, "context[PRODUCTS + bit] = swap_block(product);\nif (context[STAMP].x == 0u) { continue; }")];
    finds(Shader::ExpandKey, &edits, &[(LoopBound, "if (context[STAMP].x")]);
}

#[test]
fn a_whole_word_declassified() {
    // What is not declassified stays secret, all the way to the verdict.
    let verdict = "verdicts[2u * params.verdict + 1u] =";
    let and_so = [(Branch, "&& usable()"), (Select, verdict), (Stored, verdict)];
    let edits = [("declassify(u32((h.x | h.y | h.z | h.w) != 0u))", "declassify(h.x | h.y | h.z | h.w)")];
    finds(Shader::Finalize, &edits, &[&and_so[..], &[(Declassified, "declassify(h.x")]].concat());
    let edits = [("declassify(u32((h.x | h.y | h.z | h.w) != 0u))", "declassify(u32(i32(h.x)))")];
    finds(Shader::Finalize, &edits, &[&and_so[..], &[(Declassified, "declassify(u32(i32(h.x)))")]].concat());
    let edits = [("return bit;", "return bit * context[H].x;")];
    finds(Shader::Finalize, &edits, &[&and_so[..], &[(Declassified, "declassify(u32(")]].concat());
}

#[test]
fn one_more_bit_declassified_shows_in_the_list() {
    let edits = [(
        TIMES_X,
        "let carried = vec4<u32>(\n(0u - declassify(u32((v.w & 1u) == 1u))) & 0xe1000000u, v.xyz << vec3<u32>(31u));",
    )];
    let subject = edited(Shader::Verify, &edits);
    let report = examine(&subject).unwrap();
    assert!(report.leaks.is_empty());
    let expected = ("times_x".to_string(), "declassify(u32((v.w & 1u) == 1u))".to_string());
    assert!(report.declassified.contains(&expected), "{:?}", report.declassified);
    assert_ne!(report.declassified.len(), subject.declassifies.len());
}

#[test]
fn the_table_names_every_binding() {
    let mut subject = Subject::of(Shader::Verify);
    subject.bindings.retain(|(name, _)| *name != "aad");
    assert!(examine(&subject).unwrap_err().contains("what `aad` holds"));
    let mut subject = Subject::of(Shader::Verify);
    subject.bindings.push(("tensor", Holds::Secret));
    assert!(examine(&subject).unwrap_err().contains("`tensor`, which is not bound"));
    let texture = "@group(0) @binding(9) var picture: texture_2d<f32>;";
    assert!(examine(&edited(Shader::Verify, &[("+", texture)])).unwrap_err().contains("`picture`"));
}
