//! `pqc-gpu rewrap`: the same sealed file for other recipients.

use std::{
    io::BufWriter,
    path::{Path, PathBuf},
};

use pqc_gpu_driver::{
    Error, TrustPolicy, block_on,
    sealed::{Front, MappedFile, RecipientId, SealedModel, Source},
};
use serde::Serialize;

use super::{
    facts::Facts,
    location::Location,
    recipients,
    whole::{Content, WholeFile},
};
use crate::{
    failure::Failure,
    keys::{self, Trust},
    output::{self, Progress},
};

const AFTER: &str = "\
The publisher's signature, the key wrapped for the identity and the recipients' MAC are verified first; the manifest
and the bodies stay as they are, byte for byte, so the publisher's signature holds. To remove a recipient does not take
back a key that was used before.

Examples:
  pqc-gpu rewrap model.pqgs --identity alice.pem --trust publisher.pub.pem --add carol.pub.pem
      In place: the file is replaced when the new one is whole.
  pqc-gpu rewrap model.pqgs --identity alice.pem --trust publisher.pub.pem --remove bob.pub.pem -o for-alice.pqgs
      To another file. Without bob's key file, its key-id does, as inspect shows it.";

/// Add or remove recipients of a sealed file, without the publisher and without opening a tensor
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: Location,
    /// The secret key file of one of its recipients
    #[arg(long, value_name = "ID.pem")]
    identity: PathBuf,
    /// The publisher's public key, or any; without it the publisher's signature must hold, whoever it is
    #[arg(long, value_name = "KEY.pub.pem|any")]
    trust: Vec<Trust>,
    /// Public key files of recipients to add
    #[arg(long, value_name = "KEY.pub.pem", num_args = 1.., required_unless_present = "remove")]
    add: Vec<PathBuf>,
    /// Recipients to remove: public key files, or key-ids as inspect shows them
    #[arg(long, value_name = "KEY.pub.pem|ID", num_args = 1..)]
    remove: Vec<String>,
    /// Where to write; without it FILE is replaced
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace OUT if it is a sealed file
    #[arg(long, requires = "output")]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    facts: Facts,
    added: usize,
    removed: usize,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let about = |error: Error| self.file.about(error);
        let identity = keys::identity(&self.identity)?;
        let trust = match self.trust.as_slice() {
            [] => {
                output::note("no --trust: the publisher's signature is verified, and not whose it is");
                TrustPolicy::AcceptAny
            }
            given => keys::trust(given)?,
        };
        let add = recipients(self.add.iter().map(PathBuf::as_path))?;
        let model = SealedModel::open(self.file.open()?, &identity, &trust, 0);
        let model = block_on(model).map_err(about)?;
        let remove = self.removed(&model)?;

        let (path, mut output) = match (&self.output, self.file.path()) {
            (Some(path), _) => (path.clone(), WholeFile::new(path, Content::Sealed, self.force)?),
            (None, Some(path)) => (path.clone(), WholeFile::in_place_of(&path)?),
            (None, None) => return Err(Failure::usage("a file behind a URL is not replaced; give -o")),
        };
        let bodies = model.source().size() - model.front().bodies_start();
        let mut progress = Progress::bytes(bodies);
        let mut buffered = BufWriter::with_capacity(1 << 20, output.file());
        let written = model.write_rewrapped(&add, &remove, &mut buffered, |bytes| progress.advance(bytes));
        block_on(written).map_err(about)?;
        drop((buffered, progress));
        // Not every system replaces a file that is mapped.
        drop(model);
        output.appear()?;
        self.report(&path, &trust, add.len(), remove.len())
    }

    fn removed<S: Source>(&self, model: &SealedModel<S>) -> Result<Vec<RecipientId>, Failure> {
        let find = |text: &String| {
            let id = match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                true => text.to_lowercase(),
                false if text.starts_with("did:") => {
                    let why = "a DID names a signing key; give the .pub.pem file or the recipient's key-id";
                    return Err(Failure::usage(format!("--remove {text}: {why}, which pqc-gpu inspect shows")));
                }
                false => recipients([Path::new(text)])?[0].id().to_string(),
            };
            let found = model.front().recipients().find(|recipient| recipient.to_string() == id);
            found.ok_or_else(|| {
                Failure::usage(format!(
                    "--remove {text}: {} is not sealed for it, so nothing is changed",
                    self.file.name()
                ))
            })
        };
        self.remove.iter().map(find).collect()
    }

    /// What stands in the file that was written.
    fn report(&self, path: &Path, trust: &TrustPolicy, added: usize, removed: usize) -> Result<(), Failure> {
        let file = MappedFile::open(path).map_err(|error| Failure::reading(path, error))?;
        let front = block_on(Front::read(&file)).and_then(|front| front.verify(trust, 0)).map_err(Failure::from)?;
        let report = Report { facts: Facts::of(&path.to_string_lossy(), &front), added, removed };
        match self.json {
            true => output::json(&report),
            false => output::table(["rewrapped", report.facts.file()], &report.facts.rows()),
        }
    }
}
