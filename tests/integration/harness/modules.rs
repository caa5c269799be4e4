//! The modules that are tested, and the nginx that loads them.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::{data, root};

/// Which module an nginx loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// Without an embedded key.
    Plain,
    /// With the public key of [`ISSUER`] embedded.
    Embedded,
    /// Without an embedded key, and with a panic for the token `panic`.
    Panicking,
}

/// Whether the module is linked into nginx: then what names a module names an nginx that has it.
pub(super) fn is_static() -> bool {
    env::var_os("OJWT_STATIC").is_some()
}

/// The nginx that has or loads a module.
pub(super) fn binary(which: Module) -> PathBuf {
    if is_static() {
        return module(which);
    }
    env::var_os("NGINX").unwrap_or_else(|| "nginx".into()).into()
}

/// The module to load, or the nginx that has it: built by the Makefile, or else by cargo now.
pub(super) fn module(which: Module) -> PathBuf {
    let (variable, key, features) = match which {
        Module::Plain => ("OJWT_MODULE", String::new(), ""),
        Module::Embedded => {
            ("OJWT_MODULE_EMBEDDED", data("embedded_public_key.pem").display().to_string(), "")
        }
        Module::Panicking => ("OJWT_MODULE_PANICKING", String::new(), "inject-panic"),
    };
    if let Some(module) = env::var_os(variable) {
        return module.into();
    }
    let target = root().join("target").join(variable.to_lowercase());
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "ojwt", "--features", features, "--target-dir"])
        .arg(&target)
        .current_dir(root())
        .env("OJWT_PUBLIC_KEY", key)
        .status()
        .unwrap();
    assert!(status.success(), "the module does not build");
    target.join("debug/libngx_http_ojwt_module.so")
}
