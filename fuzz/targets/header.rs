//! Headers say what the reference reads in them, however they are handed over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ojwt_core::Alg;
use ojwt_core::jose::header::{Header, JweHeader};
use ojwt_core::text::base64url;
use ojwt_fuzz::reference::{self, Refused};

fuzz_target!(|bytes: &[u8]| {
    let lent = Header::parse(bytes);
    let said = |header: Header| {
        (header.alg(), header.kid().map(String::from), header.json().text().to_owned())
    };
    let header = lent.map(said);
    assert_eq!(Header::parse(bytes.to_vec()).map(said), header);
    assert_eq!(Header::decode(base64url::encode(bytes).as_bytes()).map(said), header);
    match (reference::header(bytes), header) {
        (Ok((alg, kid)), Ok(header)) => {
            assert_eq!((alg.as_str(), kid), (header.0.name(), header.1))
        }
        (Ok((alg, _)), Err(_)) => assert_eq!(Alg::from_name(&alg), None),
        (Err(refused), Ok(_)) => assert_eq!(refused, Refused::Unknown),
        (Err(_), Err(_)) => {}
    }
    if let Ok(header) = JweHeader::parse(bytes) {
        match reference::json(bytes) {
            Ok(json) => {
                assert_eq!(json["alg"], header.alg().name());
                assert_eq!(json["enc"], header.enc().name());
                assert_eq!(json.get("kid").map(|kid| kid.as_str()), header.kid().map(Some));
                assert!(json.get("crit").or(json.get("zip")).is_none());
            }
            Err(refused) => assert_eq!(refused, Refused::Unknown),
        }
    }
});
