// Writes the launch's token as verdict only if as many chunks hold as the authenticated length says, at least one, under a usable
// context; else 0, which is failure.

@group(0) @binding(1) var<uniform> context: array<vec4<u32>, CONTEXT_BLOCKS>;
@group(0) @binding(2) var<storage, read_write> verdicts: array<u32>;

@compute @workgroup_size(1)
fn finalize() {
    let counted = verdicts[2u * params.verdict];
    let holds = counted == params.expected && params.expected != 0u && usable();
    verdicts[2u * params.verdict + 1u] = select(0u, params.token, holds);
}
