//! A JWK Set whose keys are parsed one by one, so that a key which is not JSON, or not accepted
//! here, leaves the other keys usable.

use crate::text::json::Json;

/// The texts of the keys of a set; `None` where the JSON around the keys is broken.
pub(crate) fn keys(set: &[u8]) -> Option<Vec<&[u8]>> {
    let (before, rest) = set.split_at_checked(start_of_keys(set)?)?;
    let (keys, length) = elements(rest)?;
    let numbers = vec!["0"; keys.len()].join(",");
    let outline = [before, numbers.as_bytes(), rest.get(length..)?].concat();
    let outline = Json::parse_object(outline).ok()?;
    let count = outline.member("keys")?.as_array()?.count();
    (count == keys.len()).then_some(keys)
}

/// Where the elements of the array `keys` begin, which is a member of the outermost object.
fn start_of_keys(set: &[u8]) -> Option<usize> {
    let mut last = [(0, 0); 3];
    for (index, byte, depth) in marks(set) {
        if byte == b'['
            && depth == 1
            && let [(start, b'"'), (end, b'"'), (_, b':')] = last
            && set.get(start..=end) == Some(b"\"keys\"")
        {
            return Some(index + 1);
        }
        last = [last[1], last[2], (index, byte)];
    }
    None
}

/// The elements of an array, and where they end; `array` is the text after the opening bracket.
/// `None` where an element is blank.
fn elements(array: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let (mut elements, mut start) = (Vec::new(), 0);
    for (index, byte, depth) in marks(array) {
        let is_end = depth == 0 && byte == b']';
        if is_end || depth == 0 && byte == b',' {
            let element = array.get(start..index)?.trim_ascii();
            if element.is_empty() {
                return None;
            }
            elements.push(element);
            start = index + 1;
        }
        if is_end {
            return Some((elements, index));
        }
    }
    None
}

/// The characters that structure JSON, each with its index and its depth.
fn marks(text: &[u8]) -> impl Iterator<Item = (usize, u8, usize)> {
    let (mut depth, mut is_in_string, mut is_escaped) = (0_usize, false, false);
    text.iter().enumerate().filter_map(move |(index, byte)| {
        if is_in_string {
            is_in_string = *byte != b'"' || is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            return (!is_in_string).then_some((index, *byte, depth));
        }
        let before = depth;
        match byte {
            b'"' => is_in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b':' => {}
            _ => return None,
        }
        Some((index, *byte, before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(set: &str) -> Option<Vec<&str>> {
        let keys = keys(set.as_bytes())?;
        keys.into_iter().map(|key| core::str::from_utf8(key).ok()).collect()
    }

    #[test]
    fn finds_each_key_whatever_stands_in_others() {
        let set = r#" { "a" : ["keys", {"keys":[1]}], "keys" : [ {"a":"]}\"\\"} , {"b":1,"b":[2]},nonsense ] , "z":0 } "#;
        assert_eq!(texts(set).unwrap(), [r#"{"a":"]}\"\\"}"#, r#"{"b":1,"b":[2]}"#, "nonsense"]);
    }

    #[test]
    fn finds_none_where_what_is_around_them_is_broken() {
        for set in [
            "",
            "{}",
            r#"{"keys":"#,
            r#"{"keys":[]}"#,
            r#"{"keys":[{},]}"#,
            r#"{"keys":[{}"#,
            r#"{"keys":[{}]"#,
            r#"{"keys":[{"a":"]}"#,
            r#"{"keys":[{}]}]"#,
            r#"{"keys":[{}],"keys":[{}]}"#,
            r#"{"keys":[{}],"a":1,"a":2}"#,
            r#"{"a":{"keys":[{}]}}"#,
            r#"{"keys" [{}]}"#,
            r#"{"keys":{"a":[{}]}}"#,
            r#"["keys":[{}]]"#,
            r#"{"a":"keys":[{}]}"#,
        ] {
            assert_eq!(texts(set), None, "{set}");
        }
    }
}
