//! `make_priv_key`: a new private key.

use ojwt_core::sign::{SignError, SigningKey};

use crate::Failure;
use crate::args::MakePrivKey;
use crate::files::{Existing, Secrecy, write};

pub(crate) fn run(args: &MakePrivKey) -> Result<(), Failure> {
    let key = SigningKey::generate(args.alg.into(), args.bits).map_err(|error| match error {
        SignError::RsaBits { .. } => Failure::usage(error.to_string()),
        SignError::NotForAlgorithm { .. } | SignError::NoPem | SignError::Crypto => {
            Failure::failed(error.to_string())
        }
    })?;
    let pem = key.to_pkcs8_pem().map_err(|error| Failure::failed(error.to_string()))?;
    let existing = if args.force { Existing::Force } else { Existing::Keep };
    write(&args.output, &pem, Secrecy::Secret, existing)
}
