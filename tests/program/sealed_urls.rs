//! Sealed files from web servers and S3, and from servers that fail, lie or change their mind.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;

use super::{
    sealed::Bench,
    storage::{Fault, Storage},
    support::{Run, run},
};

/// A bench with a sealed model of some 20 MB: three tensors, several reads.
fn bench() -> (Bench, Vec<u8>) {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..9_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let view = |length: usize| TensorView::new(Dtype::U8, vec![length], &bytes[..length]).expect("a view");
    let tensors = [("a", view(9_000_000)), ("b", view(100)), ("c", view(8_500_000))];
    safetensors::serialize_to_file(tensors, None, bench.at("model.safetensors").as_ref()).expect("writes");
    assert_eq!(bench.seal(&bench.at("model.safetensors"), "m.pqgs", &[]).code, 0);
    let sealed = fs::read(bench.at("m.pqgs")).expect("reads");
    (bench, sealed)
}

fn load(bench: &Bench, url: &str, more: &[&str]) -> Run {
    bench.with("load", url, "alice", &[&["--device", "cpu"][..], more].concat())
}

#[test]
fn a_web_server_is_as_good_as_a_disk() {
    let (bench, sealed) = bench();
    let size = sealed.len() as u64;
    let storage = Storage::new(sealed.clone(), Fault::Slow);
    let loaded = load(&bench, &format!("{}?X-Signature=secret", storage.url()), &[]);
    assert_eq!((loaded.code, loaded.stderr.as_str()), (0, ""), "{loaded:?}");
    let report = loaded.json();
    assert_eq!(
        (&report["verified"], &report["bytes"], &report["file"]),
        (&json!(3), &json!(17_500_100), &json!(storage.url()))
    );
    assert!(storage.at_once() >= 2, "several reads are under way");
    let requests = storage.requests();
    assert!(requests.iter().all(|request| request.starts_with("get /models/m.pqgs?x-signature=secret ")));
    assert!(requests[1..].iter().all(|request| request.contains("if-match: \"first\"")), "{requests:?}");

    // In bounded memory: what is held does not depend on the file's size, beyond a few reads.
    let staging = report["peak_host_bytes"].as_u64().expect("a number") - 8 * (512 * 16_400 + 4096).min(size);
    assert!(staging > 0 && staging <= 64 << 20, "{report}");

    let storage = Storage::new(sealed, Fault::None);
    let inspected = run(&["inspect", &storage.url(), "--json"]);
    assert_eq!((inspected.code, &inspected.json()["tensors"]), (0, &json!(3)), "{inspected:?}");
    let asked: usize = storage.requests().len();
    assert!(asked <= 4, "the bodies are left where they are: {asked} requests");
    let verified = run(&["verify", &storage.url(), "--trust", &bench.public("publisher"), "--json"]);
    assert_eq!((verified.code, &verified.json()["verified"]), (0, &json!(3)), "{verified:?}");
    let opened = bench.with("open", &storage.url(), "alice", &["-o", &bench.at("out")]);
    assert_eq!(opened.code, 0, "{opened:?}");
    assert!(fs::read(bench.at("out")).expect("reads") == fs::read(bench.at("model.safetensors")).expect("reads"));
    let add = bench.public("bob");
    bench.with("rewrap", &storage.url(), "alice", &["--add", &add]).fails_with(2);
    let rewrapped = bench.with("rewrap", &storage.url(), "alice", &["--add", &add, "-o", &bench.at("n.pqgs")]);
    assert_eq!(rewrapped.code, 0, "{rewrapped:?}");
    assert_eq!(bench.open("n.pqgs", "bob", "bobs").code, 0);
}

#[test]
fn what_breaks_off_goes_on_where_it_broke_off() {
    let (bench, sealed) = bench();
    let size = sealed.len();
    for fault in [Fault::CutsEverySecond, Fault::FailsEverySecond] {
        let storage = Storage::new(sealed.clone(), fault);
        let loaded = load(&bench, &storage.url(), &[]);
        assert_eq!((loaded.code, loaded.stderr.as_str()), (0, ""), "{fault:?}: {loaded:?}");
        assert_eq!(loaded.json()["verified"], 3, "{fault:?}");
    }
    // Bytes that came are not asked for again: halves of halves, not all of it each time.
    let storage = Storage::new(sealed, Fault::CutsEverySecond);
    assert_eq!(load(&bench, &storage.url(), &[]).code, 0);
    let asked: usize = storage.requests().iter().filter_map(|request| length(request)).sum();
    assert!(asked < 2 * size, "{asked} bytes asked for, of {size}");
}

/// How many bytes a request asks for.
fn length(request: &str) -> Option<usize> {
    let (from, to) = request.lines().find_map(|line| line.strip_prefix("range: bytes="))?.split_once('-')?;
    Some(to.trim().parse::<usize>().ok()? + 1 - from.parse::<usize>().ok()?)
}

#[test]
fn servers_that_fail_or_lie_are_one_line_and_an_exit_code() {
    let (bench, sealed) = bench();
    let before = bench.names();
    for (fault, says) in [
        (Fault::NotFound, "not found"),
        (Fault::Forbidden, "refuses access"),
        (Fault::IgnoresRange, "range requests"),
        (Fault::LiesAboutRange, ""),
        (Fault::SendsOtherRange, ""),
        (Fault::SendsMore, "more than was asked for"),
        (Fault::EndsEarly, "broke off"),
        (Fault::CutsAfter(1), ""),
        (Fault::CutsAfter(5), ""),
        (Fault::FailsAlways, "500"),
        (Fault::Changes(5), "replaced"),
        (Fault::ChangesUnasked(5), "replaced"),
        (Fault::ChangesWithoutTag(5), "replaced"),
    ] {
        for command in ["load", "open"] {
            let storage = Storage::new(sealed.clone(), fault);
            let (url, out) = (format!("{}?X-Signature=secret", storage.url()), bench.at("out"));
            let more = if command == "load" { ["--device", "cpu"] } else { ["-o", &out] };
            let refused = bench.with(command, &url, "alice", &more);
            let line = refused.fails_with(2);
            assert!(line.contains(says), "{fault:?}: {line}");
            assert!(!line.contains("secret"), "{fault:?}: {line}");
            // Retries have an end.
            assert!(storage.requests().len() < 100, "{fault:?}: {} requests", storage.requests().len());
            assert_eq!(bench.names(), before, "{fault:?}");
        }
    }
    let storage = Storage::new(sealed, Fault::LiesAboutLength);
    assert!(load(&bench, &storage.url(), &[]).fails_with(1).contains("bytes where its manifest says"));
    // Nobody there, and no URL.
    let gone = Storage::new(Vec::new(), Fault::None).url();
    load(&bench, &gone, &["--timeout", "1"]).fails_with(2);
    load(&bench, "http://", &[]).fails_with(2);
    load(&bench, "s3://bucket-without-key", &[]).fails_with(2);
}

#[test]
fn servers_that_stall_are_given_up() {
    let (bench, sealed) = bench();
    let storage = Storage::new(sealed, Fault::Stalls(5));
    let started = Instant::now();
    load(&bench, &storage.url(), &["--timeout", "1"]).fails_with(2);
    assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
    assert!(storage.requests().len() >= 5, "it went on until the server stalled");
}

#[test]
fn bytes_that_were_altered_in_storage_are_refused() {
    let (bench, mut sealed) = bench();
    *sealed.last_mut().expect("a byte") ^= 1;
    let storage = Storage::new(sealed, Fault::None);
    let refused = load(&bench, &storage.url(), &[]);
    assert_eq!((refused.code, &refused.json()["verified"]), (1, &json!(2)), "{refused:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_output_leaves_nothing() {
    let (bench, sealed) = bench();
    let storage = Storage::new(sealed, Fault::Stalls(6));
    let before = bench.names();
    let (identity, trust, out) = (bench.secret("alice"), bench.public("publisher"), bench.at("out"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_pqc-gpu"))
        .args(["open", &storage.url(), "--identity", &identity, "--trust", &trust, "-o", &out])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    while bench.names() == before {
        assert!(Instant::now() < deadline && child.try_wait().expect("waits").is_none(), "no output was begun");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("runs").success());
    let ended = Run::of(child.wait_with_output().expect("ends"));
    assert!(ended.fails_with(4).contains("interrupted"), "{ended:?}");
    assert_eq!(bench.names(), before);
}

#[test]
fn s3_takes_its_credentials_from_the_environment() {
    let (bench, sealed) = bench();
    let storage = Storage::new(sealed, Fault::None);
    let from_s3 = |credentials: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pqc-gpu"));
        command.env_clear().envs(credentials.iter().copied());
        command.env("AWS_ENDPOINT", storage.endpoint()).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "eu-north-1");
        let (identity, trust) = (bench.secret("alice"), bench.public("publisher"));
        command.args([
            "load",
            "s3://models/llama/m.pqgs",
            "--device",
            "cpu",
            "--identity",
            &identity,
            "--trust",
            &trust,
        ]);
        Run::of(command.arg("--json").output().expect("starts"))
    };
    let loaded = from_s3(&[("AWS_ACCESS_KEY_ID", "key-id"), ("AWS_SECRET_ACCESS_KEY", "very-secret")]);
    assert_eq!((loaded.code, &loaded.json()["verified"]), (0, &json!(3)), "{loaded:?}");
    for request in storage.requests() {
        assert!(request.starts_with("get /models/llama/m.pqgs "), "{request}");
        assert!(request.contains("authorization: aws4-hmac-sha256 credential=key-id/"), "{request}");
        assert!(request.contains("/eu-north-1/s3/aws4_request") && !request.contains("very-secret"), "{request}");
    }
    let public = from_s3(&[("AWS_SKIP_SIGNATURE", "true")]);
    assert_eq!(public.code, 0, "{public:?}");
    assert!(!storage.requests().last().expect("one").contains("authorization"));
}
