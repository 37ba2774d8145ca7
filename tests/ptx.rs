//! The PTX in shaders/cuda/ptx is of the text beside it. tests/cuda/ptx.py makes it anew and compares all of it; this needs no compiler.
#![allow(missing_docs)]

use pqc_gpu_driver::kernel::cuda::Text;
use sha3::{Digest, Sha3_256};

#[test]
fn ptx_is_of_the_text_beside_it() {
    for &text in Text::ALL {
        let ptx = text.ptx();
        let digest: String = Sha3_256::digest(text.source()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            ptx.lines().next(),
            Some(format!("// SHA3-256 of the source: {digest}").as_str()),
            "shaders/cuda/ptx/{}.ptx is of another text: tests/cuda/ptx.py makes it",
            text.name()
        );
        let entry = format!(".visible .entry {}(", text.name());
        assert_eq!((ptx.matches(".entry ").count(), ptx.matches(&entry).count()), (1, 1), "{text:?}");
        // What drivers are asked to take.
        assert!(ptx.contains("\n.version 6.3\n.target sm_75\n.address_size 64\n"), "{text:?}");
    }
}
