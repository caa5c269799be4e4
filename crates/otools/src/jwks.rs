//! `jwks`: public keys gathered into a JWK Set (RFC 7517 section 5).

use ojwt_core::material::Material;
use ojwt_core::sign::to_jwk;
use serde_json::{Value, json};

use crate::args::Jwks;
use crate::files::{Existing, Secrecy, failed, write};
use crate::{Failure, keys};

pub(crate) fn run(args: &Jwks) -> Result<(), Failure> {
    let mut set: Vec<Value> = Vec::new();
    for path in &args.files {
        for key in keys::public(path)? {
            if matches!(key.material, Material::Secret(_)) {
                return Err(failed(path, "a shared secret, which is not to be published"));
            }
            key.material.algs().map_err(|error| failed(path, &error.to_string()))?;
            let kid = key.kid.unwrap_or_else(|| key.material.thumbprint());
            let jwk = to_jwk(&key.material, Some(&kid), key.alg);
            match set.iter().find(|other| other.get("kid") == jwk.get("kid")) {
                None => set.push(jwk),
                Some(same) if *same == jwk => {}
                Some(_) => {
                    return Err(failed(path, &format!("two keys have the kid \"{kid}\"")));
                }
            }
        }
    }
    let text = format!("{:#}\n", json!({ "keys": set }));
    write(&args.output, &text, Secrecy::Public, Existing::Replace)
}
