//! Seals the files that the browser package's tests open (web/tests), with their keys and what they hold in the clear.
//!
//! `cargo run --example sealed_fixtures -- FOLDER [FILE…]`: the FILEs become byte tensors of one more sealed file,
//! files.pqgs, each under its path.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use pqc_gpu_driver::{
    DType, Identity, TensorMetadata,
    sealed::{PlainModel, RecipientKey, Sealing},
};
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: sealed_fixtures FOLDER [FILE…]")?;
    let (folder, files) = (Path::new(&folder), arguments.collect::<Vec<_>>());
    fs::create_dir_all(folder)?;
    let identity = |name: &str| -> Result<Identity, Box<dyn Error>> {
        let identity = Identity::generate()?;
        // Throw-away keys of a test, in a folder of the test's.
        fs::write(folder.join(format!("{name}.pem")), identity.to_pem()?.as_bytes())?;
        fs::write(folder.join(format!("{name}.pub.pem")), identity.public().to_pem()?)?;
        Ok(identity)
    };
    let (publisher, recipient, _) = (identity("publisher")?, identity("recipient")?, identity("stranger")?);

    let small = [
        ("empty", DType::F32, vec![0, 4]),
        ("scalar", DType::F32, vec![]),
        ("byte", DType::U8, vec![1]),
        ("chunk", DType::U8, vec![16_384]),
        ("odd", DType::U8, vec![100_003]),
        ("matrix", DType::F32, vec![512, 1024]),
        ("last", DType::BF16, vec![333, 7]),
    ];
    // As large as a small language model's embedding layers, in tensors of several sizes.
    let large = (0..24).map(|i| (format!("layer.{i}.weight"), DType::F32, vec![1 + i, 81_920]));
    let named = small.into_iter().map(|(name, dtype, shape)| (name.to_string(), dtype, shape));
    seal(folder, "small", bytes_of(named)?, &publisher, &recipient)?;
    seal(folder, "large", bytes_of(large)?, &publisher, &recipient)?;
    if !files.is_empty() {
        let mut tensors = Vec::new();
        for path in &files {
            let bytes = fs::read(path)?;
            tensors.push((TensorMetadata::new(path, path, DType::U8, [bytes.len() as u64])?, bytes));
        }
        seal(folder, "files", tensors, &publisher, &recipient)?;
    }
    Ok(())
}

type Tensors = Vec<(TensorMetadata, Vec<u8>)>;

/// Bytes that do not repeat, the same in every run.
fn bytes_of(named: impl Iterator<Item = (String, DType, Vec<u64>)>) -> Result<Tensors, Box<dyn Error>> {
    let tensor = |(number, (name, dtype, shape)): (usize, (String, DType, Vec<u64>))| {
        let metadata = TensorMetadata::new(number.to_string(), name, dtype, shape)?;
        let mut state = number as u64 + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let bytes = (0..metadata.size_bytes()).map(|_| next()).collect();
        Ok((metadata, bytes))
    };
    named.enumerate().map(tensor).collect()
}

fn seal(
    folder: &Path,
    name: &str,
    tensors: Tensors,
    publisher: &Identity,
    recipient: &Identity,
) -> Result<(), Box<dyn Error>> {
    let digest = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: Vec<_> = tensors.iter().map(|(t, bytes)| format!("{}\t{}", digest(bytes), t.name())).collect();
    fs::write(folder.join(format!("{name}.sha256")), lines.join("\n"))?;
    let plain = tensors.iter().map(|(metadata, bytes)| (metadata.clone(), &bytes[..])).collect();
    let model = PlainModel::new(BTreeMap::from([("made-for".into(), "tests".into())]), plain)?;
    let sealing = Sealing::new(&model, publisher, &[RecipientKey::from(recipient.public())], 3)?;
    let mut out = fs::File::create(folder.join(format!("{name}.pqgs")))?;
    sealing.write(&mut out, |_| {})?;
    Ok(())
}
