//! A real nginx for each test.
//!
//! ```ignore
//! let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
//! let response = nginx.get(&format!("/?jwt={}", token(json!({"sub": "me"}))));
//! assert_eq!(response.body, r#"{"sub":"me"}"#);
//! ```
//!
//! Each nginx has a folder and a loopback address of its own, so that tests run side by side.
//! It is stopped when the test ends, however that is; if the test failed, its error log is shown.

mod client;
mod configuration;
mod keys;
mod mapped_file;
mod mistakes;
mod modules;
mod nginx;
mod repository;
mod upstream;
mod versions;
mod wait;

pub use client::{HOST, Response, bearer};
pub use configuration::Builder;
pub use keys::{
    FORGER, GARBAGE, ISSUER, encrypted, jwks, jwks_with_secret, key, named_jwks, public_pem,
    secret_jwk, self_signed, signed_by, token,
};
pub use mapped_file::MappedFile;
pub use mistakes::{refuses_lines, refuses_parameters};
pub use modules::Module;
pub use nginx::{Nginx, resident};
pub use repository::{data, documents, root};
pub use upstream::{Upstream, issuer, ok};
pub use versions::{has_http_3, has_since, has_tls, is_root, skipped};
pub use wait::{now, wait};
