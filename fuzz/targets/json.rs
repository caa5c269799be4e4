//! JSON means the same to ojwt and to `serde_json`, and its compact text means the same as it does.
//!
//! The two differ on purpose in three things: ojwt refuses a member that occurs twice, and what
//! nests deeper than 32, and so does the reference; and it takes a number that overflows a double,
//! which `serde_json` refuses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ojwt_core::text::json::Json;
use ojwt_fuzz::heap::within;
use ojwt_fuzz::memory_for;
use ojwt_fuzz::reference::{self, Refused};
use same_json::assert_same;

#[path = "../../crates/core/tests/suite/same_json.rs"]
mod same_json;

fuzz_target!(|bytes: &[u8]| {
    let lent = within(memory_for(bytes.len()), || Json::parse(bytes));
    assert_eq!(Json::parse(bytes.to_vec()), lent);
    let expected = reference::json(bytes);
    let Ok(ours) = lent else {
        assert!(expected.is_err());
        return;
    };
    match expected {
        Ok(theirs) => assert_same(ours.root(), &theirs),
        Err(refused) => assert_eq!(refused, Refused::Unknown),
    }
    let text = ours.text();
    assert!(!text.chars().any(char::is_control));
    assert_eq!(ours.root().text(), text);
    assert_eq!(Json::parse(text.as_bytes()).as_ref(), Ok(&ours));
    assert_eq!(Json::parse(text.as_bytes().to_vec()).as_ref(), Ok(&ours));
});
