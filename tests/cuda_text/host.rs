//! The kernels' text as a shared library of the host's.
#![allow(unsafe_code)] // C's calling convention, and pointers

use std::process::Command;

use libloading::{Library, Symbol};
use pqc_gpu_driver::{
    kernel::{
        Operation, Params,
        cuda::{CONTEXT_BYTES, Text},
        digest::{GROUP_NODES, NODE_BYTES, RootCheck},
    },
    sealed::tree::Node,
};

const TAG: usize = 16;
const STAMP: [u32; 4] = [5, 6, 7, 8];
const TOKEN: u32 = 77;

pub(crate) struct Kernels {
    libraries: Vec<(Text, Library)>,
}

/// Memory of whole blocks, as devices give it.
#[derive(Clone)]
pub(crate) struct Memory(Vec<u128>);

impl Memory {
    fn zeroed(bytes: usize) -> Self {
        Memory(vec![0; bytes.div_ceil(16).max(1)])
    }

    fn of(bytes: &[u8]) -> Self {
        let mut memory = Memory::zeroed(bytes.len());
        for (block, part) in memory.0.iter_mut().zip(bytes.chunks(16)) {
            let mut whole = [0; 16];
            whole[..part.len()].copy_from_slice(part);
            *block = u128::from_le_bytes(whole);
        }
        memory
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        self.0.iter().flat_map(|block| block.to_le_bytes()).take(length).collect()
    }

    fn nodes(&self, count: usize) -> Vec<Node> {
        self.bytes(count * NODE_BYTES).as_chunks().0.to_vec()
    }

    fn pointer(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}

/// The parameters as C passes them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Words([u32; 16]);

impl Kernels {
    /// With more arguments for the compiler.
    pub(crate) fn compile(arguments: &[&str]) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let libraries = Text::ALL.iter().map(|&text| {
            let (source, library) =
                (folder.path().join(format!("{}.cpp", text.name())), folder.path().join(text.name()));
            std::fs::write(&source, text.source()).map_err(|error| error.to_string())?;
            let built = Command::new(&compiler)
                .args(arguments)
                .args(["-std=c++17", "-O2", "-shared", "-fPIC", "-DPQC_HOST", "-Wno-unknown-pragmas", "-o"])
                .args([&library, &source])
                .output()
                .map_err(|error| format!("{compiler} cannot be run ({error}): install a C++ compiler"))?;
            assert!(built.status.success(), "{text:?}: {}", String::from_utf8_lossy(&built.stderr));
            // SAFETY: the library was made here of text that runs nothing when it is loaded.
            let library = unsafe { Library::new(&library) }.map_err(|error| error.to_string())?;
            Ok((text, library))
        });
        Ok(Kernels { libraries: libraries.collect::<Result<_, String>>()? })
    }

    /// Runs a kernel over its grid of so many units. Pointers are as many as it takes, to memory that outlives the call.
    fn launch(&self, text: Text, params: Params, units: u32, pointers: &[*mut u8]) {
        let library = &self.libraries.iter().find(|(known, _)| *known == text).expect("compiled").1;
        let params = Words(params.words());
        // SAFETY: the kernels have these signatures, and stay within buffers of the sizes that the parameters say.
        unsafe {
            let set_group: Symbol<'_, unsafe extern "C" fn(u32)> = library.get(b"set_group").expect("is there");
            for group in 0..text.blocks(units) {
                set_group(group);
                let name = text.name().as_bytes();
                match *pointers {
                    [a, b] => {
                        let kernel: Symbol<'_, unsafe extern "C" fn(Words, *mut u8, *mut u8)> =
                            library.get(name).expect("is there");
                        kernel(params, a, b);
                    }
                    [a, b, c] => {
                        let kernel: Symbol<'_, unsafe extern "C" fn(Words, *mut u8, *mut u8, *mut u8)> =
                            library.get(name).expect("is there");
                        kernel(params, a, b, c);
                    }
                    [a, b, c, d] => {
                        let kernel: Symbol<'_, unsafe extern "C" fn(Words, *mut u8, *mut u8, *mut u8, *mut u8)> =
                            library.get(name).expect("is there");
                        kernel(params, a, b, c, d);
                    }
                    _ => panic!("no kernel takes {} pointers", pointers.len()),
                }
            }
        }
    }

    /// What a tensor kernel makes of its inputs, over what its output held before. Nothing behind the output's last word may change.
    pub(crate) fn operate(&self, operation: &Operation, inputs: &[&[u8]], before: &[u8]) -> Vec<u8> {
        let text = Text::ALL.iter().find(|text| text.name() == operation.kernel().name()).expect("has a text");
        let length = operation.output_bytes() as usize;
        assert!(before.len() == length && Operation::read(operation.kernel(), &operation.params()) == Some(*operation));
        let words = length.div_ceil(4);
        let mut behind = vec![0xee; 64];
        behind[..4 * words - length].fill(0);
        let mut output = Memory::of(&[before, &behind].concat());
        let mut inputs: Vec<_> = inputs.iter().map(|input| Memory::of(input)).collect();
        let mut pointers: Vec<_> = inputs.iter_mut().map(Memory::pointer).collect();
        pointers.push(output.pointer());
        self.launch(*text, operation.params(), words as u32, &pointers);
        let mut written = output.bytes(length + 64);
        assert!(written.split_off(4 * words).iter().all(|&byte| byte == 0xee), "{operation:?}: what lies behind");
        written.truncate(length);
        written
    }

    pub(crate) fn erased(&self) -> Memory {
        Memory::zeroed(CONTEXT_BYTES as usize)
    }

    pub(crate) fn context(&self, key: &[u8; 32], stamp: [u32; 4]) -> Memory {
        let (mut key, mut context) = (Memory::of(key), self.erased());
        let params = Params { stamp, chunks: 1, ..Params::default() };
        self.launch(Text::ExpandKey, params, params.chunks, &[key.pointer(), context.pointer()]);
        context
    }

    pub(crate) fn leaves(&self, body: &[u8], chunk: u32, last: u32, chunks: u32) -> Vec<Node> {
        let (mut body, mut nodes) = (Memory::of(body), Memory::zeroed(chunks as usize * NODE_BYTES));
        let params = Params { chunks, chunk_bytes: chunk, last_bytes: last, ..Params::default() };
        self.launch(Text::HashLeaves, params, chunks, &[body.pointer(), nodes.pointer()]);
        nodes.nodes(chunks as usize)
    }

    /// The top of the tree, by as many launches as it takes.
    pub(crate) fn top(&self, leaves: &[Node]) -> Node {
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            let groups = level.len().div_ceil(GROUP_NODES as usize);
            let (mut nodes, mut above) = (Memory::of(&level.concat()), Memory::zeroed(groups * NODE_BYTES));
            let params = Params { chunks: level.len() as u32, ..Params::default() };
            self.launch(Text::HashNodes, params, params.chunks, &[nodes.pointer(), above.pointer()]);
            level = above.nodes(groups);
        }
        level[0]
    }

    /// What a comparison adds to a counter that stands at 5.
    pub(crate) fn counted(&self, top: &Node, check: RootCheck) -> u32 {
        let (mut top, mut verdicts) = (Memory::of(top), Memory::of(&[5; 16]));
        self.launch(Text::CompareRoot, check.params(), 1, &[top.pointer(), verdicts.pointer()]);
        let words: Vec<u32> = verdicts.bytes(16).as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let counted = words[2 * check.verdict as usize] - 0x0505_0505;
        let written = words.iter().filter(|&&word| word != 0x0505_0505).count();
        assert_eq!(written, usize::from(counted != 0), "nothing else is written");
        counted
    }

    pub(crate) fn seal(&self, key: &[u8; 32], nonce: [u8; 12], aad: &[u8], plaintext: &[u8], chunk: u32) -> Vec<u8> {
        self.seal_under(&self.context(key, STAMP), STAMP, nonce, aad, plaintext, chunk)
    }

    pub(crate) fn seal_under(
        &self,
        context: &Memory,
        stamp: [u32; 4],
        nonce: [u8; 12],
        aad: &[u8],
        plaintext: &[u8],
        chunk: u32,
    ) -> Vec<u8> {
        let params = params(nonce, aad, plaintext.len(), chunk, stamp);
        let sealed = plaintext.len() + params.chunks as usize * TAG;
        // What lies there must not matter.
        let mut body = Memory::of(&vec![0xee; sealed]);
        let (mut context, mut aad, mut plaintext) = (context.clone(), Memory::of(aad), Memory::of(plaintext));
        self.launch(Text::Seal, params, params.chunks, &[context.pointer(), plaintext.pointer(), body.pointer()]);
        self.launch(Text::Tag, params, params.chunks, &[context.pointer(), aad.pointer(), body.pointer()]);
        body.bytes(sealed)
    }

    pub(crate) fn open(
        &self,
        key: &[u8; 32],
        nonce: [u8; 12],
        aad: &[u8],
        body: &[u8],
        length: usize,
        chunk: u32,
    ) -> Option<Vec<u8>> {
        self.open_under(&self.context(key, STAMP), STAMP, nonce, aad, body, length, chunk)
    }

    /// The plaintext, or None and nothing but zeros.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn open_under(
        &self,
        context: &Memory,
        stamp: [u32; 4],
        nonce: [u8; 12],
        aad: &[u8],
        body: &[u8],
        length: usize,
        chunk: u32,
    ) -> Option<Vec<u8>> {
        let params = params(nonce, aad, length, chunk, stamp);
        let (mut context, mut aad, mut sealed) = (context.clone(), Memory::of(aad), Memory::of(body));
        let mut verdict = Memory::zeroed(8);
        self.launch(
            Text::Verify,
            params,
            params.chunks,
            &[context.pointer(), aad.pointer(), sealed.pointer(), verdict.pointer()],
        );
        self.launch(Text::Finalize, params, params.chunks, &[context.pointer(), verdict.pointer()]);
        let words = verdict.bytes(8);
        let [counted, word] = [&words[..4], &words[4..]].map(|word| u32::from_le_bytes(word.try_into().expect("4")));
        let plaintext = self.decrypt(&context, [counted, word], TOKEN, nonce, body, length, chunk);
        if word == TOKEN {
            return Some(plaintext);
        }
        assert!(word == 0 && plaintext.iter().all(|&byte| byte == 0), "nothing comes out");
        None
    }

    /// What `open` writes under a verdict.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn decrypt(
        &self,
        context: &Memory,
        verdict: [u32; 2],
        token: u32,
        nonce: [u8; 12],
        body: &[u8],
        length: usize,
        chunk: u32,
    ) -> Vec<u8> {
        let params = Params { token, ..params(nonce, &[], length, chunk, STAMP) };
        let verdict: Vec<u8> = verdict.iter().flat_map(|word| word.to_le_bytes()).collect();
        let (mut context, mut sealed, mut verdict) = (context.clone(), Memory::of(body), Memory::of(&verdict));
        let mut plaintext = Memory::of(&vec![0xee; length + 40]);
        let pointers = [context.pointer(), sealed.pointer(), verdict.pointer(), plaintext.pointer()];
        self.launch(Text::Open, params, params.chunks, &pointers);
        let mut written = plaintext.bytes(length + 40);
        assert!(
            written.split_off(length).iter().all(|&byte| byte == 0xee),
            "what lies behind the plaintext is the caller's"
        );
        written
    }
}

fn params(nonce: [u8; 12], aad: &[u8], length: usize, chunk: u32, stamp: [u32; 4]) -> Params {
    let chunks = length as u32 / chunk + 1;
    let params = Params {
        chunks,
        expected: chunks,
        chunk_bytes: chunk,
        last_bytes: length as u32 % chunk,
        aad_bytes: aad.len() as u32,
        token: TOKEN,
        stamp,
        ..Params::default()
    };
    params.with_nonce(nonce)
}
