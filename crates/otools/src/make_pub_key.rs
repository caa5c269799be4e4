//! `otools make_pub_key`.

use ojwt_core::issue::sign::public_pem;

use crate::args::MakePubKey;
use crate::error::Error;
use crate::files::{self, Existing, Readers};
use crate::keys;

pub(crate) fn run(args: &MakePubKey) -> Result<(), Error> {
    if files::same(&args.input, &args.output) {
        return Err(Error::of(&args.output, "is the input, which is not overwritten"));
    }
    let keys = keys::public_keys(&args.input)?;
    let [key] = keys.as_slice() else {
        let what = format!("holds {} keys, not one; otools jwks takes them all", keys.len());
        return Err(Error::of(&args.input, what));
    };
    let pem = public_pem(&key.material)
        .ok_or_else(|| Error::of(&args.input, "a key that has no PEM form"))?;
    files::write(&args.output, pem.as_bytes(), Readers::Everyone, Existing::ReplacedUnlessSecret)
}
