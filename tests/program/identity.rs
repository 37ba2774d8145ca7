//! `identity new`, `show` and `import`.

use std::{fs, path::Path};

use pqc_gpu_driver::identity::{Identity, PublicIdentity};
use serde_json::json;
use tempfile::TempDir;

use super::support::run;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn at(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().expect("UTF-8").to_owned()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn new_writes_a_secret_and_a_public_file() {
    let directory = directory();
    let made = run(&["identity", "new", &at(&directory, "alice.v2"), "--json"]);
    assert_eq!((made.code, made.stderr.as_str()), (0, ""));
    assert_eq!(names(directory.path()), ["alice.v2.pem", "alice.v2.pub.pem"], "nothing else is left");
    let (private, public) = (at(&directory, "alice.v2.pem"), at(&directory, "alice.v2.pub.pem"));
    let json = made.json();
    assert_eq!((&json["private"], &json["public"]), (&json!(private), &json!(public)));

    let identity = Identity::from_pem(&fs::read_to_string(&private).expect("reads")).expect("an identity");
    assert_eq!(json["did"], identity.public_key().key_id().did());
    assert_eq!(format!("did:pqaid:{}", json["key_id"].as_str().expect("hex")), json["did"].as_str().expect("a DID"));
    let read = PublicIdentity::from_pem(&fs::read_to_string(&public).expect("reads")).expect("a public identity");
    assert_eq!(&read, identity.public());

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| fs::metadata(path).expect("exists").permissions().mode() & 0o777;
        assert_eq!(mode(&private), 0o600);
        assert_eq!(mode(&public) & 0o600, 0o600);
        assert_eq!(mode(&public) & 0o133, 0);
    }

    for (file, kind) in [(&private, "private"), (&public, "public")] {
        let shown = run(&["identity", "show", file, "--json"]);
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
        // Sealed files know both halves by one key-id.
        let recipient = shown.json()["recipient"].clone();
        assert_eq!(recipient.as_str().map(str::len), Some(64));
        assert_eq!(recipient, run(&["identity", "show", &public, "--json"]).json()["recipient"]);
        let holding = json!({
            "kind": kind, "did": json["did"], "key_id": json["key_id"], "algorithms": ["ML-DSA-65", "ML-KEM-768"],
            "recipient": recipient,
        });
        assert_eq!(shown.json(), holding);
        assert!(run(&["identity", "show", file]).stdout.contains(json["did"].as_str().expect("a DID")));
    }
}

#[test]
fn nothing_is_overwritten_without_force() {
    let directory = directory();
    let path = at(&directory, "key");
    for taken in ["key.pem", "key.pub.pem"] {
        fs::write(at(&directory, taken), "mine").expect("writes");
        let refused = run(&["identity", "new", &path]);
        assert!(refused.fails_with(2).contains("--force"));
        assert_eq!(names(directory.path()), [taken]);
        assert_eq!(fs::read(at(&directory, taken)).expect("reads"), b"mine");
        fs::remove_file(at(&directory, taken)).expect("removes");
    }
    #[cfg(unix)]
    {
        // A link that leads nowhere is something that exists, too.
        std::os::unix::fs::symlink(at(&directory, "elsewhere"), at(&directory, "key.pem")).expect("links");
        run(&["identity", "new", &path]).fails_with(2);
        assert_eq!(names(directory.path()), ["key.pem"]);
        fs::remove_file(at(&directory, "key.pem")).expect("removes");
    }
    assert_eq!(run(&["identity", "new", &path]).code, 0);
    let first = run(&["identity", "show", &at(&directory, "key.pem"), "--json"]).json();
    assert_eq!(run(&["identity", "new", &path, "--force"]).code, 0);
    let second = run(&["identity", "show", &at(&directory, "key.pem"), "--json"]).json();
    assert_ne!(first["did"], second["did"]);
    assert_eq!(second["did"], run(&["identity", "show", &at(&directory, "key.pub.pem"), "--json"]).json()["did"]);
    assert_eq!(names(directory.path()), ["key.pem", "key.pub.pem"]);
}

#[test]
fn a_refused_force_leaves_the_old_key() {
    let directory = directory();
    let path = at(&directory, "key");
    fs::write(at(&directory, "key.pem"), "mine").expect("writes");
    fs::create_dir(at(&directory, "key.pub.pem")).expect("makes");
    assert!(run(&["identity", "new", &path, "--force"]).fails_with(2).contains("directory"));
    assert_eq!(names(directory.path()), ["key.pem", "key.pub.pem"]);
    assert_eq!(fs::read(at(&directory, "key.pem")).expect("reads"), b"mine");
}

#[test]
fn paths_that_name_no_file_are_refused() {
    let directory = directory();
    fs::create_dir(at(&directory, "sub")).expect("makes");
    fs::write(at(&directory, "file"), "").expect("writes");
    let before = names(directory.path());
    for bad in ["", "/", ".", "..", "sub/", "sub/.", "sub/..", "absent/key", "file/key", "key.pem"] {
        let path = if bad.is_empty() || bad == "/" { bad.to_owned() } else { at(&directory, bad) };
        let refused = run(&["identity", "new", &path]);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{bad:?}: {refused:?}");
    }
    assert_eq!(names(directory.path()), before);
    assert!(names(&directory.path().join("sub")).is_empty());
}

#[test]
fn exposed_secrets_are_pointed_out() {
    let directory = directory();
    assert_eq!(run(&["identity", "new", &at(&directory, "key")]).code, 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = at(&directory, "key.pem");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("sets");
        let shown = run(&["identity", "show", &file]);
        assert_eq!(shown.code, 0);
        assert!(shown.stderr.contains("chmod 600"), "{shown:?}");
        assert!(run(&["identity", "show", &at(&directory, "key.pub.pem")]).stderr.is_empty());
    }
}

#[test]
fn files_that_hold_no_identity_are_unreadable_input() {
    let directory = directory();
    let (empty, binary, long, mixed) =
        (at(&directory, "empty"), at(&directory, "binary"), at(&directory, "long"), at(&directory, "mixed"));
    fs::write(&empty, "").expect("writes");
    fs::write(&binary, [0xff, 0xfe, 0]).expect("writes");
    fs::write(&long, vec![b'-'; 1 << 20]).expect("writes");
    fs::write(&mixed, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").expect("writes");
    let absent = at(&directory, "absent");
    let folder = directory.path().to_str().expect("UTF-8").to_owned();
    for file in [&empty, &binary, &long, &mixed, &absent, &folder] {
        assert!(run(&["identity", "show", file]).fails_with(2).contains(file.as_str()));
        run(&["identity", "import", file, &at(&directory, "new")]).fails_with(2);
    }
    assert!(!directory.path().join("new.pem").exists());
}

#[test]
fn import_keeps_the_signing_key() {
    let directory = directory();
    assert_eq!(run(&["identity", "new", &at(&directory, "old")]).code, 0);
    let text = fs::read_to_string(at(&directory, "old.pem")).expect("reads");
    // What another program would write: the signing key alone.
    let end = text.find("-----END PRIVATE KEY-----\n").expect("a block") + "-----END PRIVATE KEY-----\n".len();
    fs::write(at(&directory, "signing.pem"), &text[..end]).expect("writes");
    assert!(run(&["identity", "show", &at(&directory, "signing.pem")]).stderr.contains("import"));

    let imported = run(&["identity", "import", &at(&directory, "signing.pem"), &at(&directory, "new"), "--json"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let old = run(&["identity", "show", &at(&directory, "old.pem"), "--json"]).json();
    assert_eq!(imported.json()["did"], old["did"]);
    assert_eq!(run(&["identity", "show", &at(&directory, "new.pem"), "--json"]).json()["did"], old["did"]);
    run(&["identity", "import", &at(&directory, "signing.pem"), &at(&directory, "new")]).fails_with(2);
    // The public half alone is no identity.
    run(&["identity", "import", &at(&directory, "old.pub.pem"), &at(&directory, "other")]).fails_with(2);
}
