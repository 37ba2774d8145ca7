//! The program's known-answer files: what is read is what another reading of the same JSON finds there.

use serde::Deserialize;
use serde_json::Value;

#[path = "../../src/bin/pqc-gpu/kat/set/parse.rs"]
mod parse;

use parse::{Expected, Hex, Set};

/// As those of AES-GCM.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    key_size: u64,
}

#[derive(Deserialize)]
struct Test {
    key: Hex,
    ctx: Option<Hex>,
}

/// Any text.
pub fn check(data: &[u8]) -> bool {
    let set: Set<Parameters, Test> = match Set::read(data) {
        Ok(set) => set,
        Err(why) => {
            assert!(!why.is_empty());
            return false;
        }
    };
    // In what is passed over, numbers beyond every range and halves of surrogates do not matter.
    let Ok(other) = parse::from_json::<Value>(data) else { return true };
    // An object, or its fields in order.
    let field = |name: &str, at: usize| other.get(name).or_else(|| other.get(at));
    let groups = field("testGroups", 1).and_then(Value::as_array).expect("groups");
    assert_eq!(set.groups.len(), groups.len());
    if let Some(said) = field("numberOfTests", 0).and_then(Value::as_u64) {
        assert_eq!(set.len(), said, "tests are missing");
    }
    for (group, other) in set.groups.iter().zip(groups) {
        assert_eq!(Some(group.parameters.key_size), other["keySize"].as_u64());
        let others = other["tests"].as_array().expect("tests");
        assert_eq!(group.tests.len(), others.len());
        for (test, other) in group.tests.iter().zip(others) {
            assert_eq!(Some(test.id), other["tcId"].as_u64());
            same(&test.test.key, &other["key"]);
            match &test.test.ctx {
                Some(ctx) => same(ctx, &other["ctx"]),
                None => assert!(other["ctx"].is_null()),
            }
            let name = match test.result {
                Expected::Valid => "valid",
                Expected::Invalid => "invalid",
                Expected::Acceptable => "acceptable",
            };
            assert!(other["result"] == name || other["result"].is_object());
        }
    }
    true
}

fn same(read: &Hex, written: &Value) {
    let hex: String = read.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(Some(hex), written.as_str().map(str::to_lowercase));
}
