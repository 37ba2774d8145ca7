//! `driver inspect FILE` and `driver inspect --loaded`.

use std::{fs, io::Write, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{Run, run};
use crate::ko;

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
    fs::write(&path, bytes).expect("writes");
    path.to_str().expect("UTF-8").to_owned()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writes");
    encoder.finish().expect("finishes")
}

#[test]
fn a_module_is_shown_with_its_signature() {
    let folder = tempfile::tempdir().expect("a folder");
    let (module, certificate) = ko::signed();
    let (file, certificate) = (write(&folder, "toy.ko", &module), write(&folder, "c.der", &certificate));
    let shown = run(&["driver", "inspect", &file, "--json"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:?}");
    let json = shown.json();
    assert_eq!(
        (&json["name"], &json["version"], &json["compression"]),
        (&json!("toy"), &json!("1.2.3"), &json!("none"))
    );
    assert_eq!((&json["size"], &json["image_size"]), (&json!(module.len()), &json!(module.len())));
    assert_eq!(json["sha3_256"], run(&["driver", "hash", &file, "--json"]).json()["sha3_256"]);
    let expected = json!([{
        "algorithm": "ML-DSA-65", "kind": "post-quantum", "digest": "SHA-512", "issuer": "CN=signer", "serial": "1234",
        "key_id": null, "signed_attributes": false,
    }]);
    assert_eq!((&json["signers"], &json["verified"], &json["reason"]), (&expected, &Value::Null, &Value::Null));

    let verified = run(&["driver", "inspect", &file, "--certificate", &certificate, "--json"]);
    assert_eq!((verified.code, &verified.json()["verified"]), (0, &json!(true)), "{verified:?}");
    let people = run(&["driver", "inspect", &file]);
    assert!(people.stdout.contains("ML-DSA-65 with SHA-512, post-quantum"), "{people:?}");
    assert!(people.stdout.contains("not checked"), "{people:?}");
}

#[test]
fn classical_signatures_are_called_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, module) = (ko::Key::rsa(), ko::module());
    let file = gzip(&ko::append(&module, &ko::Cms::new(&key, "old\u{1b}[2J", &module).build()));
    let file = write(&folder, "toy.ko.gz", &file);
    let people = run(&["driver", "inspect", &file]);
    assert!(people.stdout.contains("RSA with SHA-256, classical: not post-quantum"), "{people:?}");
    assert!(people.stdout.contains("compression         gzip") && !people.stdout.contains('\u{1b}'), "{people:?}");
    let json = run(&["driver", "inspect", &file, "--json"]).json();
    assert_eq!((&json["signers"][0]["kind"], &json["compression"]), (&json!("classical"), &json!("gzip")));
    assert_ne!(json["sha3_256"], json["image_sha3_256"]);
    let unsigned = write(&folder, "unsigned.ko", &module);
    assert_eq!(run(&["driver", "inspect", &unsigned, "--json"]).json()["signers"], Value::Null);
    assert!(run(&["driver", "inspect", &unsigned]).stdout.contains("signature           none"));
}

#[test]
fn what_does_not_verify_has_exit_code_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let (module, certificate) = ko::signed();
    let own = write(&folder, "own.der", &certificate);
    let thief = write(&folder, "thief.der", &ko::Key::ml_dsa(65).certificate("signer"));
    let rsa = write(&folder, "rsa.der", &ko::Key::rsa().certificate("signer"));
    let mut altered = module.clone();
    altered[0x80] ^= 1;
    let (module, altered) = (write(&folder, "toy.ko", &module), write(&folder, "altered.ko", &altered));
    let unsigned = write(&folder, "unsigned.ko", &ko::module());
    for (file, certificate) in
        [(&module, &thief), (&module, &rsa), (&altered, &own), (&unsigned, &own), (&altered, &thief)]
    {
        let refused = run(&["driver", "inspect", file, "--certificate", certificate, "--json"]);
        assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
        let json = refused.json();
        assert_eq!(json["verified"], false);
        assert!(json["reason"].as_str().expect("a reason").contains("not verified"), "{json}");
        assert!(run(&["driver", "inspect", file, "--certificate", certificate]).stdout.ends_with("no\n"));
    }
    // What cannot be read has not failed to verify.
    let text = write(&folder, "text", b"no module");
    run(&["driver", "inspect", &text]).fails_with(2);
    run(&["driver", "inspect", &module, "--certificate", &text]).fails_with(2);
    run(&["driver", "inspect", &write(&folder, "absent", b"")]).fails_with(2);
    run(&["driver", "inspect", &folder.path().join("nowhere").display().to_string()]).fails_with(2);
    for wrong in [
        &["driver", "inspect"][..],
        &["driver", "inspect", &module, "--loaded"],
        &["driver", "inspect", "x", "--root", "/"],
    ] {
        assert_eq!(run(wrong).code, 2, "{wrong:?}");
    }
}

/// A machine with these files.
fn machine(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        write(&root, name, bytes);
    }
    root
}

fn list(root: &Path) -> Run {
    run(&["driver", "inspect", "--loaded", "--json", "--root", root.to_str().expect("UTF-8")])
}

/// The linker's cache as ldconfig writes it (glibc's dl-cache.h).
fn ld_cache(libraries: &[(&str, &str)]) -> Vec<u8> {
    let mut strings = Vec::new();
    let mut entries = Vec::new();
    let start = 48 + 24 * libraries.len();
    for (name, path) in libraries {
        entries.extend(0x0303u32.to_ne_bytes());
        for text in [name, path] {
            entries.extend(((start + strings.len()) as u32).to_ne_bytes());
            strings.extend(text.bytes().chain([0]));
        }
        entries.extend([0; 12]);
    }
    let mut cache = b"glibc-ld.so.cache1.1".to_vec();
    cache.extend((libraries.len() as u32).to_ne_bytes());
    cache.extend((strings.len() as u32).to_ne_bytes());
    cache.extend([if cfg!(target_endian = "little") { 2 } else { 3 }, 0, 0, 0]);
    cache.resize(48, 0);
    [cache, entries, strings].concat()
}

fn named(name: &str, srcversion: &str) -> Vec<u8> {
    ko::Elf::new(format!("name={name}\0srcversion={srcversion}\0vermagic=6.12.0 SMP \0").as_bytes()).build()
}

#[test]
fn the_drivers_of_a_machine_are_listed() {
    let cache = ld_cache(&[("libc.so.6", "/usr/lib64/libc.so.6"), ("libcuda.so.1", "/usr/lib64/libcuda.so.1")]);
    let folder = "lib/modules/6.12.0-1/";
    let at = |path: &str| format!("{folder}{path}");
    let [nvidia, amdgpu, i915, dep] =
        ["updates/dkms/nvidia-drm.ko.gz", "kernel/amdgpu.ko", "kernel/i915.ko", "modules.dep"].map(at);
    let root = machine(&[
        ("proc/sys/kernel/osrelease", b"6.12.0-1\n"),
        ("proc/modules", b"nvidia_drm 122880 4 - Live 0xffffffffc0a00000 (POE)\namdgpu 9000 0 - Live 0x0\nnvidia_fs 1 0 - Live 0x0\next4 1 0\n"),
        ("sys/module/nvidia_drm/initstate", b"live\n"),
        ("sys/module/nvidia_drm/srcversion", b"AAAA\n"),
        ("sys/module/nvidia_drm/version", b"550.54.14\n"),
        ("sys/module/nvidia_drm/taint", b"POE\n"),
        ("sys/module/amdgpu/initstate", b"live\n"),
        ("sys/module/amdgpu/srcversion", b"BBBB\n"),
        ("sys/module/amdgpu/taint", b"\n"),
        ("sys/module/xe/parameters/modeset", b"1\n"),
        (&nvidia, &gzip(&named("nvidia-drm", "AAAA"))),
        (&amdgpu, &named("amdgpu", "CCCC")),
        (&i915, b"not a module"),
        (&dep, b"updates/dkms/nvidia-drm.ko.gz: x.ko\nkernel/amdgpu.ko:\nkernel/i915.ko: kernel/drm.ko\n"),
        ("etc/ld.so.cache", &cache),
        ("usr/lib64/libcuda.so.550.54.14", b"abc"),
        ("opt/rocm/lib/libamdhip64.so.6.2", b"hip"),
        ("usr/lib/libcuda.so.10", b"another"),
    ]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("libcuda.so.550.54.14", root.path().join("usr/lib64/libcuda.so.1")).expect("links");

    let listed = list(root.path());
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.stderr.contains("not the file that lies there now"), "{listed:?}");
    let json = listed.json();
    assert_eq!((&json["kernel"], &json["notes"]), (&json!("6.12.0-1"), &json!([])));
    let by_name = |name: &str| {
        let modules = json["modules"].as_array().expect("modules");
        modules.iter().find(|module| module["name"] == name).unwrap_or_else(|| panic!("{name}: {json}"))
    };
    let drm = by_name("nvidia_drm");
    assert_eq!((&drm["state"], &drm["same_srcversion"]), (&json!("loaded"), &json!(true)));
    let loaded = json!({"size": 122_880, "version": "550.54.14", "srcversion": "AAAA", "taint": "POE"});
    assert_eq!((&drm["loaded"], &drm["file"]["compression"]), (&loaded, &json!("gzip")));
    assert_eq!(drm["path"], json!("/lib/modules/6.12.0-1/updates/dkms/nvidia-drm.ko.gz"));
    // The file was replaced after it was loaded.
    let amdgpu = by_name("amdgpu");
    assert_eq!((&amdgpu["same_srcversion"], &amdgpu["loaded"]["taint"]), (&json!(false), &Value::Null));
    let i915 = by_name("i915");
    assert_eq!((&i915["state"], &i915["file"], &i915["loaded"]), (&json!("not loaded"), &Value::Null, &Value::Null));
    assert!(i915["unreadable"].as_str().expect("why").contains("malformed"), "{i915}");
    assert_eq!((&by_name("xe")["state"], &by_name("xe")["path"]), (&json!("built in"), &Value::Null));
    assert_eq!(by_name("nvidia_fs")["state"], "loaded");
    assert_eq!(json["absent"], json!(["nvidia", "nvidia_modeset", "nvidia_uvm", "nvidia_peermem", "nouveau"]));

    let libraries = json["libraries"].as_array().expect("libraries");
    let paths: Vec<_> = libraries.iter().map(|library| library["path"].as_str().expect("a path")).collect();
    assert_eq!(paths, ["/usr/lib64/libcuda.so.1", "/opt/rocm/lib/libamdhip64.so.6.2"]);
    assert_eq!(libraries[0]["resolved"], "/usr/lib64/libcuda.so.550.54.14");
    let digest = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";
    assert_eq!((&libraries[0]["sha3_256"], &libraries[0]["size"]), (&json!(digest), &json!(3)));

    let people = run(&["driver", "inspect", "--loaded", "--root", root.path().to_str().expect("UTF-8")]);
    for words in ["of another source than the file", "built in", "leads to            /usr/lib64/libcuda.so.550.54.14"]
    {
        assert!(people.stdout.contains(words), "{people:?}");
    }
}

#[test]
fn what_is_not_there_is_said_to_be_absent() {
    let json = list(machine(&[]).path()).json();
    assert_eq!((&json["kernel"], &json["modules"], &json["libraries"]), (&Value::Null, &json!([]), &json!([])));
    assert_eq!(json["absent"].as_array().expect("absent").len(), 11);
    let notes = json["notes"].to_string();
    for words in ["/proc/modules", "osrelease", "ld.so.cache"] {
        assert!(notes.contains(words), "{notes}");
    }
    // Without modules.dep the files are looked for, and that is said; a release that is a path leads nowhere.
    let root = machine(&[
        ("proc/sys/kernel/osrelease", b"6.1.0\n"),
        ("lib/modules/6.1.0/kernel/drivers/gpu/drm/xe/xe.ko", &named("xe", "1")),
        ("etc/ld.so.cache", &[0xff; 100]),
    ]);
    let json = list(root.path()).json();
    assert_eq!(json["modules"][0]["path"], "/lib/modules/6.1.0/kernel/drivers/gpu/drm/xe/xe.ko");
    assert!(json["notes"].to_string().contains("modules.dep") && json["notes"].to_string().contains("not of the form"));
    write(&root, "proc/sys/kernel/osrelease", b"../modules/6.1.0");
    assert_eq!(list(root.path()).json()["modules"], json!([]));
}

#[test]
fn linker_caches_that_lie_are_survived() {
    let good = ld_cache(&[("libcuda.so.1", "/usr/lib64/libcuda.so.1")]);
    for at in 0..good.len() {
        for value in [0, 0xff] {
            let mut bent = good.clone();
            bent[at] = value;
            if at % 5 == 0 || at < 32 {
                let root = machine(&[("etc/ld.so.cache", &bent), ("usr/lib64/libcuda.so.1", b"abc")]);
                assert_eq!(list(root.path()).code, 0, "{at}");
            }
        }
    }
    let root = machine(&[("etc/ld.so.cache", &good[..good.len() - 30])]);
    assert_eq!(list(root.path()).code, 0);
}

#[test]
fn this_machine_is_listed() {
    let listed = run(&["driver", "inspect", "--loaded", "--json"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let notes = listed.json()["notes"].to_string();
    assert!(!notes.contains("not of the form"), "{notes}");
}
