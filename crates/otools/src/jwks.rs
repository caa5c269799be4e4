//! `otools jwks`.

use std::path::Path;

use ojwt_core::Alg;
use ojwt_core::issue::sign::to_jwk;
use ojwt_core::keys::jwk::Jwk;
use ojwt_core::keys::material::Material;

use crate::args::Jwks;
use crate::error::{Error, warn_of};
use crate::files::{self, Existing, Readers};
use crate::keys;

pub(crate) fn run(args: &Jwks) -> Result<(), Error> {
    if args.files.iter().filter(|file| files::is_standard(file)).count() > 1 {
        return Err(Error::Usage("standard input is given twice".to_owned()));
    }
    let mut set = Vec::new();
    for file in &args.files {
        for key in keys::public_keys(file)? {
            add(&mut set, key, file)?;
        }
    }
    let keys: Vec<_> =
        set.iter().map(|(kid, key)| to_jwk(&key.material, Some(kid), key.alg)).collect();
    let json = serde_json::json!({ "keys": keys });
    let text = format!("{json:#}\n");
    files::write(&args.output, text.as_bytes(), Readers::Everyone, Existing::ReplacedUnlessSecret)
}

/// Adds a key with its own `kid` or its thumbprint, unless the set already has the key.
fn add(set: &mut Vec<(String, Jwk)>, mut key: Jwk, file: &Path) -> Result<(), Error> {
    // A JWK names one algorithm or none; without one, this key would be valid for RS256, too.
    if let Material::RsaPss { alg, .. } = key.material
        && key.alg.is_none()
    {
        if alg.is_none() {
            warn_of(file, "a key for PS256, PS384 and PS512, which is given as one for PS256");
        }
        key.alg = alg.or(Some(Alg::PS256));
    }
    let kid = key.kid.take().unwrap_or_else(|| key.material.thumbprint());
    for (_, known) in set.iter_mut().filter(|(taken, _)| *taken == kid) {
        if known.material != key.material {
            return Err(Error::of(
                file,
                format_args!("another key has the \"kid\" \"{kid}\", too"),
            ));
        }
        // A key for one algorithm was given again for any that fits: the latter includes the
        // former.
        if known.alg.is_none() || key.alg.is_none() || known.alg == key.alg {
            known.alg = known.alg.and(key.alg);
            return Ok(());
        }
    }
    set.push((kid, key));
    Ok(())
}
