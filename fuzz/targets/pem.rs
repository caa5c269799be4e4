//! PEM, X.509 and DER: nothing upsets the readers, and a key that was read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ojwt_core::issue::sign::{self, SigningKey};
use ojwt_core::keys::material::Material;
use ojwt_core::keys::{pem, spki};
use ojwt_fuzz::line;

fuzz_target!(|data: &[u8]| {
    let mut keys = pem::parse(data).unwrap_or_default();
    keys.extend(spki::from_der(data));
    keys.extend(spki::from_spki_der(data));
    keys.extend(Material::rsa_from_der(data));
    // A label, and the DER of its block.
    let (label, der) = line(data);
    if let Ok(label) = str::from_utf8(label) {
        let block = sign_pem(label, der);
        keys.extend(pem::parse(block.as_bytes()).unwrap_or_default());
    }
    for key in &keys {
        check(key);
    }
    let _ = SigningKey::read(data);
    let _ = SigningKey::from_der(data);
});

fn check(key: &Material) {
    if let Ok(algs) = key.algs() {
        for alg in algs {
            let _ = key.verifier(*alg);
        }
    }
    let _ = key.jwk_members();
    let _ = key.thumbprint();
    if let Some(der) = key.to_spki_der() {
        assert_eq!(spki::from_spki_der(&der).as_ref(), Ok(key));
    }
    if let Some(text) = sign::public_pem(key) {
        assert_eq!(pem::parse(text.as_bytes()).as_deref(), Ok(std::slice::from_ref(key)));
    }
}

fn sign_pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
