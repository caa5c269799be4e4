//! Tokens in lines of logs.

use crate::lookalike::is_read_as;

/// A line for a log, in which dots replace the values of the arguments `names`, however the names
/// are spelled, and all values that begin as tokens do, in any URL within the line. The result is
/// never longer than `line`; a value that is cut off at the end of the line is replaced, too.
pub fn redacted<'n>(line: &[u8], names: &(impl Iterator<Item = &'n [u8]> + Clone)) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        text.push(*byte);
        rest = after;
        if !matches!(byte, b'?' | b'&' | b';' | b'#') {
            continue;
        }
        let end = after.iter().position(|byte| b"&;#\" \t=".contains(byte));
        let Some((spelled, [b'=', value @ ..])) = end.and_then(|end| after.split_at_checked(end))
        else {
            continue;
        };
        let is_token = value.starts_with(TOKEN_START);
        if is_token || names.clone().any(|name| is_read_as(spelled, name)) {
            let end = value.iter().position(|byte| b"&#\" \t".contains(byte));
            let (value, after_value) = value.split_at(end.unwrap_or(value.len()));
            text.extend_from_slice(spelled);
            text.push(b'=');
            text.extend(value.iter().take(3).map(|_| b'.'));
            rest = after_value;
        }
    }
    text
}

/// The beginning of a JSON object in base64url, and so of nearly every token.
const TOKEN_START: &[u8] = b"eyJ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacts_arguments_wherever_a_log_line_shows_a_url() {
        let redact = |line: &str| {
            let names = [&b"jwt"[..], b"t"].into_iter();
            String::from_utf8(redacted(line.as_bytes(), &names)).unwrap()
        };
        for (line, shown) in [
            ("request: \"GET /?jwt=abcd HTTP/1.1\"", "request: \"GET /?jwt=... HTTP/1.1\""),
            ("/a?x=1&jwt=abcd&y=2#z", "/a?x=1&jwt=...&y=2#z"),
            ("/a?jwt=abcd&t=efgh&jwt=ijkl", "/a?jwt=...&t=...&jwt=..."),
            ("referrer: \"http://a/?jwt=abcd\"", "referrer: \"http://a/?jwt=...\""),
            ("GET /?jwt=cut o", "GET /?jwt=... o"),
            ("/?jwt=cut", "/?jwt=..."),
            ("/?jwt=&jwt=a&t=bc", "/?jwt=&jwt=.&t=.."),
            ("/jwt=abcd?xjwt=1&jwtx=2", "/jwt=abcd?xjwt=1&jwtx=2"),
            ("/?%6awt=abcd&x=1;JWT=efgh&jwt[]=ijkl", "/?%6awt=...&x=1;JWT=...&jwt[]=..."),
            ("/?jwt=ab#jwt=cd&x=1#x?jwt=ef", "/?jwt=..#jwt=..&x=1#x?jwt=.."),
            ("/?x=eyJhbGciOi.e30.c2ln&y=xeyJh", "/?x=...&y=xeyJh"),
            ("/?x=1 jwt=abcd?y jwt=abcd", "/?x=1 jwt=abcd?y jwt=abcd"),
            ("", ""),
        ] {
            assert_eq!(redact(line), shown);
        }
    }
}
