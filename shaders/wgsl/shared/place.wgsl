// Which word of the output an invocation makes: each its own, so no two write to the same.
const GROUP_WORDS = 64u;

fn word_of(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return GROUP_WORDS * (group.y * groups.x + group.x) + local;
}
