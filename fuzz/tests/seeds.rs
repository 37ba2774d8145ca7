//! Without a fuzzer: every seed through its target, as it is and altered a little, the same on every run.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use pqc_gpu_driver_fuzz::{TARGETS, seeds};

fn committed(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .expect("every target has seeds")
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name().into_string().expect("a name"), fs::read(entry.path()).expect("a file"))
        })
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn good_seeds_are_accepted_and_bad_ones_refused() {
    for (target, check) in TARGETS {
        for (name, seed) in committed(target) {
            assert_eq!(check(&seed), name.starts_with("good-"), "{target}/{name}");
        }
    }
}

#[test]
fn the_committed_seeds_are_those_that_are_written() {
    let written = seeds::all();
    for (target, _) in TARGETS {
        let names = |seeds: Vec<(String, Vec<u8>)>| seeds.into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
        let of_target = written.iter().filter(|seed| seed.0 == target).map(|seed| (seed.1.clone(), Vec::new()));
        assert_eq!(names(committed(target)), names(of_target.collect()), "{target}");
    }
    let bytes: usize = written.iter().map(|seed| seed.2.len()).sum();
    assert!(bytes < 200_000, "{bytes} bytes of seeds");
}

#[test]
fn altered_seeds_keep_the_properties() {
    let seconds = std::env::var("PQC_GPU_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    std::thread::scope(|scope| {
        for (target, check) in TARGETS {
            scope.spawn(move || alter(target, check, Duration::from_secs(seconds)));
        }
    });
}

fn alter(target: &str, check: fn(&[u8]) -> bool, time: Duration) {
    let seeds = committed(target);
    let mut random = SplitMix(1);
    let (start, mut runs) = (Instant::now(), 0u64);
    while runs < 20 || start.elapsed() < time {
        let mut input = seeds[random.below(seeds.len())].1.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(input.len() + 1);
            match random.below(4) {
                0 if at < input.len() => input[at] ^= 1 << random.below(8),
                1 if at < input.len() => input[at] = random.below(256) as u8,
                2 => drop(input.drain(at..(at + random.below(9)).min(input.len()))),
                _ => input.insert(at, random.below(256) as u8),
            }
        }
        check(&input);
        runs += 1;
    }
    println!("{target}: {runs} inputs");
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
