// The keystream over bound chunks: 32 invocations a chunk, two chunks a workgroup. Neighbours work on neighbouring blocks, so that
// what they read and write lies together. One of forms/ says how an invocation goes through its chunk: `crypt_chunk`.
//
// Whoever uses it says what becomes of a block of keystream, and of the first bytes of one:
//
//     fn crypt_block(chunk: u32, block: u32, keystream: vec4<u32>)
//     fn crypt_bytes(chunk: u32, block: u32, bytes: u32, keystream: vec4<u32>)

const LANES = 32u;
const GROUP_CHUNKS = 2u;

// The number of an invocation's chunk; beyond 65535 workgroups they are laid out in two dimensions.
fn chunk_of(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * GROUP_CHUNKS + local / LANES;
}
