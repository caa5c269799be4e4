//! JSON as ours and as `serde_json` has it: for the fuzz target, too.

use ojwt_core::text::json;
use serde_json::Value;

/// Every value of ours is that of `serde_json`: names, order, strings, numbers as written.
pub(crate) fn assert_same(ours: json::Value<'_>, theirs: &Value) {
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
