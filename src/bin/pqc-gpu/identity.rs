//! `pqc-gpu identity`: key files.

mod store;

use std::path::{Path, PathBuf};

use pqc_gpu_driver::{
    identity::{Identity, KeyId, PublicIdentity, PublicKey},
    sealed::RecipientKey,
};
use serde::Serialize;

use crate::{
    failure::Failure,
    files,
    output::{self, shown},
};
use store::KeyPaths;
pub(crate) use store::warn_if_exposed;

const EXAMPLES: &str = "\
Examples:
  pqc-gpu identity new alice
      Writes alice.pem (secret, readable by you alone) and alice.pub.pem (to give away).
  pqc-gpu identity show alice.pub.pem
      The DID by which others know the key.
  pqc-gpu identity import openssl.pem alice
      Makes an identity of an ML-DSA-65 key that OpenSSL 3.5 or later wrote.";
const NEW_EXAMPLES: &str = "\
Examples:
  pqc-gpu identity new alice
      Writes alice.pem (secret) and alice.pub.pem. Neither is overwritten.
  pqc-gpu identity new /etc/pqc-gpu/server --json
      The DID and both paths as one JSON object.";
const SHOW_EXAMPLES: &str = "\
Examples:
  pqc-gpu identity show alice.pub.pem
  pqc-gpu identity show alice.pem --json
      Of a secret key, too, only public facts are shown.";
const IMPORT_EXAMPLES: &str = "\
Examples:
  openssl genpkey -algorithm ML-DSA-65 -out signing.pem
  pqc-gpu identity import signing.pem alice
      The signing key is OpenSSL's; the file has no ML-KEM-768 key, so a fresh one joins it.
  cat signing.pem receiving.pem > both.pem && pqc-gpu identity import both.pem bob
      Both keys are OpenSSL's.";

/// Make, show and import key files
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a fresh identity: PATH.pem (secret, mode 0600) and PATH.pub.pem
    #[command(after_help = NEW_EXAMPLES)]
    New {
        #[command(flatten)]
        target: Target,
    },
    /// Show whose key a file holds; never a secret
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// A .pem or .pub.pem file
        file: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make an identity of another program's ML-DSA-65 private key (PKCS#8 PEM with its seed)
    #[command(after_help = IMPORT_EXAMPLES)]
    Import {
        /// The other program's key file
        #[arg(value_name = "IN.pem")]
        input: PathBuf,
        #[command(flatten)]
        target: Target,
    },
}

/// Where an identity is written.
#[derive(Debug, clap::Args)]
struct Target {
    /// Where to write, without .pem; the directory must exist
    path: PathBuf,
    /// Replace existing files; a replaced secret key is gone for good
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::New { target } => {
                let paths = target.paths()?;
                target.write(paths, &Identity::generate()?)
            }
            Command::Show { file, json } => show(&file, json),
            Command::Import { input, target } => {
                let paths = target.paths()?;
                let text = files::read_pem(&input)?;
                let identity = Identity::import_pem(&text).map_err(|error| unusable(error, &input))?;
                target.write(paths, &identity)
            }
        }
    }
}

impl Target {
    /// Judged before any key is made.
    fn paths(&self) -> Result<KeyPaths, Failure> {
        let paths = KeyPaths::new(&self.path)?;
        if !self.force {
            paths.check_absent()?;
        }
        Ok(paths)
    }

    fn write(&self, paths: KeyPaths, identity: &Identity) -> Result<(), Failure> {
        paths.write(&identity.to_pem()?, &identity.public().to_pem()?, self.force)?;
        let key_id = identity.public_key().key_id();
        if !self.json {
            return output::lines([
                format!("identity  {key_id}"),
                format!("secret    {}", shown(&paths.private)),
                format!("public    {}", shown(&paths.public)),
            ]);
        }
        #[derive(Serialize)]
        struct Written {
            did: String,
            key_id: String,
            private: String,
            public: String,
        }
        output::json(&Written {
            did: key_id.did(),
            key_id: hex(key_id),
            private: paths.private.to_string_lossy().into_owned(),
            public: paths.public.to_string_lossy().into_owned(),
        })
    }
}

/// What a key file holds, public facts only.
#[derive(Serialize)]
struct Holding {
    kind: &'static str,
    did: String,
    key_id: String,
    algorithms: &'static [&'static str],
    /// By which sealed files know it; null without an ML-KEM-768 key.
    recipient: Option<String>,
}

fn show(path: &Path, json: bool) -> Result<(), Failure> {
    const BOTH: &[&str] = &["ML-DSA-65", "ML-KEM-768"];
    let text = files::read_pem(path)?;
    let recipient = |public: &PublicIdentity| Some(RecipientKey::from(public).id().to_string());
    let (kind, algorithms, key_id, recipient) = if text.contains("PRIVATE KEY-----") {
        let identity = Identity::from_pem(&text).map_err(|error| unusable(error, path))?;
        warn_if_exposed(path);
        ("private", BOTH, identity.public_key().key_id(), recipient(identity.public()))
    } else if let Ok(public) = PublicIdentity::from_pem(&text) {
        ("public", BOTH, public.signing_key().key_id(), recipient(&public))
    } else {
        // A public key that another program wrote can be pinned without an ML-KEM key beside it.
        let key = PublicKey::from_pem(&text).map_err(|error| unusable(error, path))?;
        ("public", &BOTH[..1], key.key_id(), None)
    };
    let holding = Holding { kind, did: key_id.did(), key_id: hex(key_id), algorithms, recipient };
    match json {
        true => output::json(&holding),
        false => output::lines([
            format!("kind        {}", holding.kind),
            format!("identity    {}", holding.did),
            format!("key-id      {}", holding.key_id),
            format!("algorithms  {}", holding.algorithms.join(", ")),
            format!("recipient   {}", holding.recipient.as_deref().unwrap_or("-")),
        ]),
    }
}

fn hex(key_id: KeyId) -> String {
    key_id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unusable(error: pqc_gpu_driver::Error, path: &Path) -> Failure {
    Failure::from(error).about(format!("cannot use {}", path.display()))
}
