//! `make_pub_key`: the public half of a key.

use ojwt_core::sign::public_pem;

use crate::Failure;
use crate::args::MakePubKey;
use crate::files::{Existing, Secrecy, failed, write};
use crate::keys;

pub(crate) fn run(args: &MakePubKey) -> Result<(), Failure> {
    let mut pem = String::new();
    for key in keys::public(&args.input)? {
        pem += &public_pem(&key.material)
            .ok_or_else(|| failed(&args.input, "a shared secret, which has no public half"))?;
    }
    write(&args.output, &pem, Secrecy::Public, Existing::Replace)
}
