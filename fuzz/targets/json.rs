//! JSON means the same to ojwt and to `serde_json`, and its compact text means the same as it does.
//!
//! The two differ on purpose in three things: ojwt refuses a member that occurs twice, and what nests
//! deeper than 32, and so does the reference; and it takes a number that overflows a double, which
//! `serde_json` refuses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ojwt_core::json::{self, Json};
use ojwt_fuzz::reference::{self, Refused};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let lent = Json::parse(bytes);
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

/// Names, order, strings and numbers are the same.
fn assert_same(ours: json::Value<'_>, theirs: &Value) {
    match theirs {
        Value::Null => assert_eq!(ours.text(), "null"),
        Value::Bool(value) => assert_eq!(ours.as_bool(), Some(*value)),
        Value::Number(_) => {
            let number: Value = serde_json::from_str(ours.as_number().unwrap()).unwrap();
            assert_eq!(&number, theirs);
        }
        Value::String(text) => assert_eq!(ours.as_str().unwrap(), text.as_str()),
        Value::Array(values) => {
            let elements: Vec<_> = ours.as_array().unwrap().collect();
            assert_eq!(elements.len(), values.len());
            elements.into_iter().zip(values).for_each(|(ours, theirs)| assert_same(ours, theirs));
        }
        Value::Object(members) => {
            let object = ours.as_object().unwrap();
            assert_eq!(object.members().count(), members.len());
            for ((name, value), (their_name, theirs)) in object.members().zip(members) {
                assert_eq!(name, their_name.as_str());
                assert_same(value, theirs);
                assert_eq!(object.member(their_name).unwrap().text(), value.text());
            }
        }
    }
}
