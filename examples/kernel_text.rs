//! Writes the CUDA and HIP kernels into a folder, each in one file, as the devices compile them.
//!
//! ```sh
//! cargo run --example kernel_text -- FOLDER
//! ```

use std::{env, error::Error, fs, path::PathBuf};

use pqc_gpu_driver::kernel::cuda::Text;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("name a folder")?);
    for &text in Text::ALL {
        fs::write(folder.join(format!("{}.cu", text.name())), text.source())?;
    }
    Ok(())
}
