//! Writes the seeds: `cargo run --manifest-path fuzz/Cargo.toml --no-default-features --example seeds`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    for (target, name, bytes) in pqc_gpu_driver_fuzz::seeds::all() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
