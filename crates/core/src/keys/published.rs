//! Recognizes what cannot be a shared secret: what everyone can read (RFC 8725 section 2.1), and
//! what only says where a key is.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

use crate::keys::curve::Curve;
use crate::keys::der;

/// Marks of texts that hold public keys, with white space removed: PEM (SSH's has four hyphens),
/// PEM without its hyphens, JWK (as JSON, as Python prints it, as JSON within JSON, as YAML), the
/// base64 of a `SubjectPublicKeyInfo` that names RSA, a curve, Ed25519 or Ed448, the words of
/// OpenSSL and XML for a key, and keys as SSH writes them (RFC 4253 section 6.6).
const PUBLIC_MARKS: [&[u8]; 25] = [
    b"----BEGIN",
    b"-----END",
    b"BEGINPUBLIC",
    b"BEGINRSA",
    b"BEGINCERT",
    b"\"kty\"",
    b"'kty'",
    b"\"kty\\\"",
    b"kty:RSA",
    b"kty:EC",
    b"kty:OKP",
    b"\"e\":\"AQAB\"",
    b"BgkqhkiG9w0BAQ",
    b"YJKoZIhvcNAQ",
    b"YHKoZIzj0CAQ",
    b"ByqGSM49AgE",
    b"MCowBQYDK2Vw",
    b"MEMwBQYDK2Vx",
    b"Public-Key:",
    b"Modulus",
    b"AAAAB3NzaC1",
    b"AAAAC3NzaC1",
    b"AAAAE2VjZHNhLXNoYTIt",
    b"AAAAGnNrLXNzaC1",
    b"AAAAInNrLWVjZHNhLXNoYTIt",
];

/// The identifiers of RSA and of curves in a `SubjectPublicKeyInfo`, in hexadecimal digits.
const PUBLIC_DIGITS: [&[u8]; 2] = [b"2a864886f70d0101", b"2a8648ce3d0201"];

/// How many layers of encoding are undone to recognize what everyone can read.
const MAX_ENCODINGS: usize = 3;

/// Names of folders that paths begin with. A random base64 text begins with the shortest name
/// between two slashes once in a billion.
const ROOTS: [&str; 22] = [
    "app", "conf", "config", "configs", "data", "dev", "etc", "home", "keys", "media", "mnt",
    "opt", "private", "proc", "root", "run", "secrets", "srv", "tmp", "usr", "var", "vault",
];

/// The endings of the names of key files.
const EXTENSIONS: [&str; 14] = [
    ".cer", ".crt", ".cert", ".conf", ".der", ".jwk", ".jwks", ".json", ".key", ".pem", ".pub",
    ".secret", ".txt", ".yaml",
];

/// Decodes the standard alphabet of base64 without padding; the caller translates the other
/// alphabet into it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// What a text evidently is, where a shared secret is expected; `None` for a text that may be a
/// secret.
///
/// A random secret is mistaken for one of these with a chance of one in millions. This includes a
/// secret in base64, which may begin with `/` and contain more slashes.
pub(crate) fn lookalike(secret: &[u8]) -> Option<&'static str> {
    let text = core::str::from_utf8(secret).ok()?.trim_start_matches('\u{feff}').trim();
    if text.chars().any(|char| char.is_control() && !char.is_whitespace()) {
        return None;
    }
    if is_url(text) {
        Some("a URL")
    } else if is_markup(text) {
        Some("HTML or XML")
    } else if is_path(text) {
        Some("the path of a file")
    } else if is_time(text) {
        Some("a time")
    } else {
        None
    }
}

/// Whether a text begins with a scheme and two slashes, or has the scheme `file` (RFC 3986 section
/// 3.1, RFC 8089).
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme =
        scheme.starts_with(|char: char| char.is_ascii_alphabetic()) && scheme.bytes().all(is_char);
    is_scheme && rest.starts_with("//") || scheme.eq_ignore_ascii_case("file")
}

/// Whether a text begins with a declaration, a comment or a common tag of HTML or XML, or begins
/// with any other tag and contains an end tag.
fn is_markup(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('<') else { return false };
    let begins =
        |name: &str| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if ["!doctype", "!--", "?xml", "html", "head", "body"].iter().any(|name| begins(name)) {
        return true;
    }
    let after_name = |text: &str| {
        let is_name = |char: char| char.is_ascii_alphanumeric() || "-_:.".contains(char);
        let has_name = text.starts_with(|char: char| char.is_ascii_alphabetic());
        has_name.then(|| text.trim_start_matches(is_name).chars().next()).flatten()
    };
    let begins = after_name(rest).is_some_and(|char| char == '>' || char.is_whitespace());
    begins && rest.split("</").skip(1).any(|end| after_name(end) == Some('>'))
}

/// Whether a text is the path of a file: it has only characters of file names, and it begins or
/// ends as only paths do, or it begins with a slash and has a character that base64 with slashes
/// does not have.
fn is_path(text: &str) -> bool {
    let is_char = |char: char| char.is_alphanumeric() || "/._-+@~ ".contains(char);
    if !text.chars().all(is_char) {
        return false;
    }
    if ["./", "../", "~/"].iter().any(|start| text.starts_with(start))
        || EXTENSIONS.iter().any(|end| text.to_ascii_lowercase().ends_with(end))
    {
        return true;
    }
    let Some(path) = text.strip_prefix('/') else { return false };
    let root = path.split_once('/').map(|(root, _)| root);
    root.is_some_and(|root| ROOTS.contains(&root)) || path.contains(['.', '_', '-', '@', '~', ' '])
}

/// Whether a text begins with a date, followed by a time of day (RFC 3339 section 5.6).
fn is_time(text: &str) -> bool {
    let has_form = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        form => byte == form,
    };
    let form = b"0000-00-00T00:00";
    text.len() >= form.len() && text.as_bytes().iter().zip(form).all(has_form)
}

/// Whether `bytes` are what everyone can read: a public key or a certificate, of any kind, in PEM,
/// in DER, as a JWK, as a point, or as SSH writes it, and perhaps in base64 or hexadecimal digits.
pub(crate) fn is_public(bytes: &[u8]) -> bool {
    is_public_encoded(bytes, MAX_ENCODINGS)
}

fn is_public_encoded(bytes: &[u8], encodings: usize) -> bool {
    if is_ssh(bytes) || der::is_der(bytes) || is_cut_der(bytes) || is_point(bytes) {
        return true;
    }
    // The text without white space, byte order marks, and the zeros of UTF-16.
    let text: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_graphic).collect();
    let has = |mark: &&[u8]| memmem::find(&text, mark).is_some();
    if PUBLIC_MARKS.iter().any(has) {
        return true;
    }
    let digits = hex_digits(&text);
    if PUBLIC_DIGITS.iter().any(|name| memmem::find(&digits, name).is_some()) {
        return true;
    }
    let Some(encodings) = encodings.checked_sub(1) else { return false };
    [from_hex(&text), from_base64(&text)]
        .into_iter()
        .flatten()
        .any(|bytes| is_public_encoded(&bytes, encodings))
}

/// The hexadecimal digits of a text, with all separators and each `0x` removed.
fn hex_digits(text: &[u8]) -> Vec<u8> {
    let after = text.iter().skip(1).chain([&b' ']);
    let digits = text.iter().zip(after).filter(|(byte, after)| {
        byte.is_ascii_hexdigit() && !(**byte == b'0' && matches!(after, b'x' | b'X'))
    });
    digits.map(|(byte, _)| byte.to_ascii_lowercase()).collect()
}

/// The bytes that hexadecimal digits encode, perhaps with colons between the digits.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b':').collect();
    let text = text.strip_prefix(b"0x").unwrap_or(&text);
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// The bytes that a base64 text encodes, in either alphabet, with padding or without, perhaps in
/// quotes or cut off at the end.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.iter().filter(|byte| !matches!(byte, b'=' | b'"' | b'\''));
    let text = text.map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => *byte,
    });
    let mut text = text.collect::<Vec<u8>>();
    // A single remaining character encodes less than a byte.
    if text.len() % 4 == 1 {
        text.pop();
    }
    LENIENT.decode(text).ok()
}

/// Whether `bytes` are a point on a curve (SEC 1 section 2.3.3), perhaps without the first octet.
/// No random secret is an uncompressed point; of the random secrets that have the length of a
/// compressed point, one in 170 is such a point.
fn is_point(bytes: &[u8]) -> bool {
    let is_on = |curve: Curve| {
        let length = curve.coordinate_len();
        let has_form = match bytes.first() {
            Some(0x04) => bytes.len() == 1 + 2 * length,
            Some(0x02 | 0x03) => bytes.len() == 1 + length,
            _ => false,
        };
        has_form && curve.holds(bytes)
            || bytes.len() == 2 * length && curve.holds(&[&[0x04], bytes].concat())
    };
    Curve::ALL.into_iter().any(is_on)
}

/// Whether `bytes` begin as a key or a certificate in DER does, of which the end may be missing.
/// One random secret in millions begins so.
fn is_cut_der(bytes: &[u8]) -> bool {
    match bytes {
        [0x30, 0x82, _, _, content @ ..] | [0x30, 0x81, _, content @ ..] => {
            matches!(content, [0x30, 0x82 | 0x81 | ..=0x40, ..] | [0x02, 0x82 | 0x81, ..])
        }
        // A sequence, the sequence of an algorithm within it, and the identifier of the algorithm.
        [0x30, _, 0x30, _, 0x06, ..] => true,
        _ => false,
    }
}

/// Whether `bytes` are a public key as SSH writes it (RFC 4253 section 6.6), a format that is not
/// supported.
fn is_ssh(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-sha2-")
}
