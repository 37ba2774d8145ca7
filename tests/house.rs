//! The house: which module may import which, where `unsafe` may stand, what the top level holds.
//!
//! `error, tensor ← identity ← attest ← channel ← sealed`; `error ← kernel ← device ← ops`;
//! `sealed + channel + device ← transfer ← transport ← cli, wasm`. The channel never sees a device, nor the reverse.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Every module, and the modules it may import. `conformance` is the suite that drives all of them.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("key_id", &[]),
    ("error", &["key_id"]),
    ("tensor", &["error"]),
    ("parallel", &[]),
    ("identity", &["error", "key_id"]),
    ("attest", &["error", "tensor", "identity"]),
    ("channel", &["error", "tensor", "identity", "attest", "parallel"]),
    ("clock", &["channel"]),
    ("establish", &["error", "identity", "channel", "clock"]),
    ("sealed", &["error", "tensor", "identity", "attest", "channel", "parallel"]),
    ("kernel", &["error"]),
    ("device", &["error", "kernel", "parallel"]),
    ("ops", &["error", "tensor", "kernel", "device"]),
    (
        "transfer",
        &["error", "tensor", "identity", "attest", "channel", "sealed", "kernel", "device", "ops", "parallel"],
    ),
    ("transport", &["error", "tensor", "channel", "device", "transfer"]),
    (
        "wasm",
        &[
            "error",
            "tensor",
            "identity",
            "attest",
            "channel",
            "clock",
            "sealed",
            "kernel",
            "device",
            "ops",
            "transfer",
            "transport",
        ],
    ),
    ("conformance", &["error", "tensor", "channel", "sealed", "establish", "kernel", "device", "transfer", "ops"]),
    ("attacks", &[]), // documentation tests only
];

/// What the crate's root re-exports, and whose it is.
const ROOT: &[(&str, &str)] = &[
    ("Error", "error"),
    ("Result", "error"),
    ("DType", "tensor"),
    ("Shape", "tensor"),
    ("TensorMetadata", "tensor"),
    ("SystemClock", "clock"),
    ("ChannelSession", "channel"),
    ("EncryptedTensor", "channel"),
    ("establish_channel", "establish"),
    ("establish_channel_with", "establish"),
];

/// The one place for `unsafe` code, beside foreign device interfaces.
const MAY_BE_UNSAFE: &[&str] = &["src/device/cuda", "src/device/rocm", "src/sealed/map.rs"];

#[test]
fn imports_run_one_way() {
    let may: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in sources(Path::new("src")) {
        let Some(module) = module_of(&file) else { continue };
        // Unit tests may reach for anything.
        if file.components().any(|part| part.as_os_str().to_string_lossy().trim_end_matches(".rs") == "tests") {
            continue;
        }
        let allowed = may.get(module.as_str()).unwrap_or_else(|| panic!("{module} has no line in MAY_IMPORT"));
        for imported in imports(&fs::read_to_string(&file).unwrap()) {
            if imported != module && !allowed.contains(&imported.as_str()) {
                wrong.push(format!("{}: {module} imports {imported}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_import_test_sees_imports() {
    let text = "use crate::{\n    Error, Result,\n    channel::{a, b::c},\n    device::Device,\n};\nfn f() { crate::kernel::x() }";
    assert_eq!(imports(text), ["channel", "device", "error", "kernel"]);
    assert_eq!(imports("// crate::device is not imported here\n/// [`crate::device`]\n"), [""; 0]);
}

#[test]
fn unsafe_stands_only_where_it_may() {
    for file in sources(Path::new("src")) {
        let path = file.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        let uses = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .any(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe"));
        assert!(!uses || MAY_BE_UNSAFE.iter().any(|allowed| path.contains(allowed)), "{path} has unsafe code");
    }
}

#[test]
fn nothing_is_left_to_do() {
    for file in sources(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        for word in ["todo!(", "unimplemented!(", "dbg!("] {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top-level module a file belongs to. None for the crate's root and the program.
fn module_of(file: &Path) -> Option<String> {
    let inner = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inner.components().next().unwrap().as_os_str().to_str().unwrap();
    match first.trim_end_matches(".rs") {
        "lib" | "bin" => None,
        module => Some(module.to_string()),
    }
}

/// The crate's modules that a file names after `crate::`, in code and not in comments.
fn imports(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
        .replace("$crate::", "");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names =
            if let Some(group) = rest.strip_prefix('{') { top_level_names(group) } else { vec![first_name(rest)] };
        for name in names {
            let owner = ROOT.iter().find(|(item, _)| *item == name).map_or(name.as_str(), |(_, module)| module);
            found.push(owner.to_string());
        }
    }
    found.sort();
    found.dedup();
    found
}

fn first_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The names at the outermost level of `a, b::{c, d}, e}…`.
fn top_level_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !c.is_whitespace() => {
                names.push(first_name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}
