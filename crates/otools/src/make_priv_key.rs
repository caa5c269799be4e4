//! `otools make_priv_key`.

use ojwt_core::issue::sign::{SignError, SigningKey};

use crate::args::MakePrivKey;
use crate::error::Error;
use crate::files::{self, Existing, Readers};

pub(crate) fn run(args: &MakePrivKey) -> Result<(), Error> {
    let existing = if args.force { Existing::Replaced } else { Existing::Stays };
    if existing == Existing::Stays {
        files::refuse_existing(&args.output)?;
    }
    let pem = SigningKey::generate(args.alg, args.bits)
        .and_then(|key| key.to_pkcs8_pem())
        .map_err(|error| match error {
            SignError::RsaBits { .. } => Error::Usage(format!("--bits: {error}")),
            SignError::NotForAlgorithm { .. }
            | SignError::NotForEncryption { .. }
            | SignError::NoPem
            | SignError::Crypto => Error::Failed(error.to_string()),
        })?;
    files::write(&args.output, pem.as_bytes(), Readers::Owner, existing)
}
