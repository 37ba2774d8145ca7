//! SECURITY.md's table of attacks and the tests that there are: each names the other.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::BTreeSet, fs, path::Path};

/// The names `attack_…`, `beyond_…` and `sealed_…` that stand behind `mark` in a text.
fn names(text: &str, mark: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let found = text.match_indices(mark).map(|(at, _)| name(&text[at + mark.len()..]));
    let attack = |name: &String| ["attack_", "beyond_", "sealed_"].iter().any(|start| name.starts_with(start));
    found.filter(attack).collect()
}

fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut here = names(&fs::read_to_string(&path).unwrap(), "#[test]\nfn ");
            // Elsewhere the word is used of records, too.
            here.retain(|name| {
                !name.starts_with("sealed_") || path.parent().is_some_and(|at| at.ends_with("attacks_sealed"))
            });
            found.extend(here);
        }
    }
}

#[test]
fn the_table_names_every_attack_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = names(&fs::read_to_string(root.join("SECURITY.md")).unwrap(), "`");
    let mut tests = BTreeSet::new();
    ["src", "tests"].iter().for_each(|folder| tests_in(&root.join(folder), &mut tests));
    assert_eq!(tests.difference(&table).collect::<Vec<_>>(), Vec::<&String>::new(), "tests without a line");
    assert_eq!(table.difference(&tests).collect::<Vec<_>>(), Vec::<&String>::new(), "lines without a test");
    assert!(tests.len() > 80, "{} attacks", tests.len());
}
