//! Honest hosts and honest servers, and those that do not know each other.

use serde_json::json;

use super::{
    ends::{Keys, Server, model},
    proxy::{Edit, Way, proxy},
};
use crate::support::run;

#[test]
fn a_model_crosses_and_comes_back() {
    let keys = Keys::new();
    let server = Server::start(&keys, &[]);
    let sent = keys.transfer(server.address, &["--json"]);
    assert_eq!((sent.code, sent.stderr.as_str()), (0, ""), "{sent:?}");
    let report = sent.json();
    assert_eq!(report["device"], "remote");
    assert_eq!(report["peer"], keys.identity("gpu.pem").public_key().key_id().did());
    assert_eq!([&report["tensors"], &report["verified"], &report["rejected"]], [&json!(12), &json!(12), &json!(0)]);
    assert_eq!((&report["bytes"], &report["plain_upload_gbps"]), (&json!(44_544), &json!(null)));
    assert!(report["sealed_upload_gbps"].as_f64() > Some(0.0) && report["host_seal_gbps"].as_f64() > Some(0.0));
    let people = keys.transfer(server.address, &[]);
    assert!(people.code == 0 && people.stdout.contains("verified          12"), "{people:?}");

    let ended = server.stop();
    assert_eq!(ended.code, 0, "{ended:?}");
    let report = ended.json();
    let counted = [&report["clients"], &report["refused"], &report["failed"], &report["tensors"], &report["bytes"]];
    assert_eq!(counted, [2, 0, 0, 24, 2 * 44_544], "{report}");
    assert_eq!((&report["trust"], &report["device"]), (&json!("pinned"), &json!("cpu")));
}

#[test]
fn tensors_of_many_sizes_cross_under_many_keys() {
    let keys = Keys::new();
    let path = keys.path("model.safetensors");
    // Empty ones, ones that end at chunks, at pieces and at slots, and more of them than the sockets' buffers hold.
    let (piece, slot) = (64 * 16_384, 256 * 16_384);
    let mut sizes =
        vec![0, 1, 16_383, 16_384, 16_385, piece - 1, piece, piece + 1, slot - 1, slot, slot + 1, 9_000_000];
    sizes.extend([100; 300]);
    model(&path, &sizes);
    for (server_rekeys, host_rekeys) in [(None, None), (Some("3"), None), (Some("1"), Some("2"))] {
        let every = |n: Option<&'static str>| n.map_or(vec![], |n| vec!["--update-key-every", n]);
        let server = Server::start(&keys, &every(server_rekeys));
        let mut arguments = vec![path.to_str().unwrap(), "--json"];
        arguments.extend(every(host_rekeys));
        let sent = keys.transfer(server.address, &arguments);
        assert_eq!(sent.code, 0, "{sent:?}");
        assert_eq!(sent.json()["verified"], sizes.len());
        assert!(sent.json()["peak_host_bytes"].as_u64() < Some(4 << 20));
        assert_eq!(server.stop().json()["tensors"], sizes.len());
    }
    // The same between two ends in one process.
    let local = run(&["transfer", path.to_str().unwrap(), "--device", "cpu", "--update-key-every", "2", "--json"]);
    assert_eq!((local.code, &local.json()["verified"]), (0, &json!(sizes.len())), "{local:?}");
}

#[test]
fn a_model_without_tensors_is_an_empty_session() {
    let keys = Keys::new();
    let path = keys.path("empty.safetensors");
    model(&path, &[]);
    let server = Server::start(&keys, &["--once"]);
    let sent = keys.transfer(server.address, &[path.to_str().unwrap(), "--json"]);
    assert_eq!((sent.code, &sent.json()["tensors"]), (0, &json!(0)), "{sent:?}");
    let ended = server.end();
    assert_eq!((ended.code, &ended.json()["clients"]), (0, &json!(1)), "{ended:?}");
}

#[test]
fn ends_that_do_not_trust_each_other_exchange_nothing() {
    let keys = Keys::new();
    let server = Server::start(&keys, &[]);
    let address = server.address.to_string();
    let (gpu, mallory) = (keys.text("gpu.pub.pem"), keys.text("mallory.pem"));
    // A host the server does not know learns only that the connection ended.
    let refused = run(&["transfer", "--connect", &address, "--trust", &gpu, "--identity", &mallory]);
    assert!(refused.fails_with(1).contains("the connection ended during the handshake"));
    // A fresh identity is nobody's friend.
    let fresh = run(&["transfer", "--connect", &address, "--trust", &gpu]);
    assert_eq!((fresh.code, fresh.stdout.as_str()), (1, ""), "{fresh:?}");
    assert!(fresh.stderr.contains("no --identity: a fresh one"), "{fresh:?}");
    // A server the host does not know.
    let other = keys.text("mallory.pub.pem");
    let wrong = run(&["transfer", "--connect", &address, "--trust", &other, "--identity", &keys.text("alice.pem")]);
    let did = keys.identity("gpu.pem").public_key().key_id().did();
    assert!(wrong.fails_with(1).contains(&format!("peer {did} is not trusted")));
    // A host with the server's own key: a reflected handshake.
    let own = run(&["transfer", "--connect", &address, "--trust", &gpu, "--identity", &keys.text("gpu.pem")]);
    assert!(own.fails_with(1).contains("own key"));

    assert_eq!(keys.transfer(server.address, &["--json"]).code, 0);
    let report = server.stop().json();
    assert_eq!((&report["clients"], &report["refused"]), (&json!(1), &json!(4)), "{report}");
}

#[test]
fn any_is_accepted_only_by_name_and_told() {
    let keys = Keys::new();
    let server = Server::start(&keys, &["--trust", "any"]);
    assert!(server.told().contains("whoever connects is served"), "{}", server.told());
    let sent = run(&["transfer", "--connect", &server.address.to_string(), "--trust", "any", "--json"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    assert!(sent.stderr.contains("whoever answers is believed"), "{sent:?}");
    assert_eq!(server.stop().json()["trust"], "any");
}

#[test]
fn wrong_calls_are_one_line() {
    let keys = Keys::new();
    let (gpu, alice) = (keys.text("gpu.pem"), keys.text("alice.pub.pem"));
    let serve = |more: &[&str]| {
        let mut arguments = vec!["serve", "--identity", &gpu, "--trust", &alice, "--device", "cpu", "--listen"];
        arguments.extend(more);
        run(&arguments)
    };
    let server = Server::start(&keys, &[]);
    let address = server.address.to_string();
    assert!(serve(&[&address]).fails_with(4).contains("address already in use"));
    assert!(serve(&["127.0.0.1"]).fails_with(2).contains("give an address such as"));
    assert!(serve(&["127.0.0.1:0", "--trust", "any"]).fails_with(2).contains("--trust any"));
    assert!(serve(&["127.0.0.1:0", "--attestation", &alice]).fails_with(2).contains("cannot use"));
    assert_eq!(run(&["serve", "--identity", &gpu, "--listen", "127.0.0.1:0"]).code, 2, "no --trust, no server");
    assert_eq!(run(&["serve", "--trust", &alice, "--listen", "127.0.0.1:0"]).code, 2, "no --identity, no server");
    assert!(
        run(&["serve", "--identity", &alice, "--trust", &alice, "--listen", "127.0.0.1:0"])
            .fails_with(2)
            .contains("identity")
    );
    let absent = ["serve", "--identity", &gpu, "--trust", &alice, "--listen", "127.0.0.1:0", "--device", "cuda:77"];
    run(&absent).fails_with(3);

    for wrong in [
        &["--tamper", "tag"][..],
        &["--device", "cpu"],
        &["--module", &gpu],
        &["--update-key-every", "0"],
        &["--timeout", "0"],
    ] {
        assert_eq!(keys.transfer(server.address, wrong).code, 2, "{wrong:?}");
    }
    assert_eq!(run(&["transfer", "--connect", &address]).code, 2, "no --trust, no peer");
    assert_eq!(run(&["transfer", "--trust", "any"]).code, 2);
    assert_eq!(server.stop().code, 0);
    // Nobody is there any more.
    let nobody = run(&["transfer", "--connect", &address, "--trust", &alice, "--identity", &gpu]);
    assert!(nobody.fails_with(4).contains("cannot connect"));
    run(&["transfer", "--connect", "127.0.0.1:port", "--trust", &alice, "--identity", &gpu]).fails_with(2);
}

#[test]
fn the_cause_is_told_and_not_what_follows_from_it() {
    let keys = Keys::new();
    let path = keys.path("model.safetensors");
    // So many that the host is still sending when the first comes back.
    model(&path, &[20_000; 400]);
    let arguments = [path.to_str().unwrap(), "--json"];
    let server = Server::start(&keys, &[]);
    let (address, said) = proxy(server.address, Way::ToHost, Edit::Nothing);
    assert_eq!(keys.transfer(address, &arguments).code, 0);
    let to_host = said.join().unwrap().to_host;
    let first = to_host.windows(6).position(|bytes| bytes == b"PQGR\x01\x02").unwrap();
    for _ in 0..8 {
        let (address, said) = proxy(server.address, Way::ToHost, Edit::Flip(first + 1000, 1));
        let sent = keys.transfer(address, &arguments);
        said.join().unwrap();
        assert_eq!(sent.code, 1, "{sent:?}");
        assert!(sent.stderr.contains("authentication failed"), "{sent:?}");
        let report = sent.json();
        assert_eq!([&report["verified"], &report["rejected"]], [0, 1], "{report}");
        assert!(report["rejection"].as_str().unwrap().contains("authentication failed"), "{report}");
    }
    assert_eq!(server.stop().code, 0);
}
