//! What a text evidently is instead of a shared secret: the name of a file, a URL, a page, a public
//! key.
//!
//! No rule here may match a random secret: for a secret of 32 bytes or more, in any encoding, each
//! rule matches less than once in a million, and most rules never match. A value that is as random
//! as a secret, such as the 32 bytes of an Ed25519 public key or the modulus of an RSA key, cannot
//! be distinguished from a secret.

use core::fmt;

use ojwt_core::keys::Curve;
use ojwt_core::keys::KeyError;
use ojwt_core::keys::material::Material;
use ojwt_core::text::base64url;

/// What a text looks like, where it would otherwise be taken for a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    Path,
    Url,
    Page,
    PublicKey,
    /// Another form that the core refuses.
    Other(&'static str),
}

impl Likeness {
    /// What `bytes` look like; `None` where they look like a secret. Whether a file exists is not
    /// checked.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        if let Some(text) = text(bytes) {
            if is_page(text) {
                return Some(Self::Page);
            }
            if is_url(text) {
                return Some(Self::Url);
            }
            if is_path(text) {
                return Some(Self::Path);
            }
        }
        if is_public_key(bytes) {
            return Some(Self::PublicKey);
        }
        match Material::secret(bytes.to_vec()) {
            Err(KeyError::NotSecret(what)) => Some(Self::Other(what)),
            _ => None,
        }
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other(what) => return write!(f, "looks like {what}"),
            Self::Path => "looks like a path to a file: give what the file holds",
            Self::Url => "looks like a URL: give what is there",
            Self::Page => "looks like HTML or XML",
            Self::PublicKey => {
                "looks like a public key or a part of one: give it as PEM, DER or JWK"
            }
        })
    }
}

/// Text that someone wrote, without white space and quotes around it; `None` for other bytes.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(bytes).ok()?;
    let around = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\'');
    let text = text.trim_matches(around);
    let is_written = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    text.chars().all(is_written).then_some(text)
}

/// The beginnings of HTML and XML, in lower case.
const PAGE_BEGINS: [&str; 6] = ["<!doctype", "<!--", "<?xml", "<html", "<head", "<body"];

/// Whether a text is HTML or XML, or a placeholder for a secret in angle brackets. A password may
/// begin with `<`, too.
fn is_page(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('<') else { return false };
    let begins = text.chars().take(9).collect::<String>().to_ascii_lowercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
    let name = inner.split(|c| !is_name(c)).next().unwrap_or_default();
    let has_end = !name.is_empty() && inner.contains(&format!("</{name}"));
    let are_words = |inner: &str| inner.chars().all(|c| is_name(c) || matches!(c, ' ' | '.'));
    PAGE_BEGINS.iter().any(|begin| begins.starts_with(begin))
        || has_end
        || inner.contains('\n')
        || inner.strip_suffix('>').is_some_and(are_words)
}

/// Whether a text begins with a scheme of letters and `://` (RFC 3986 section 3), where the scheme
/// is not `file`.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        (2..=16).contains(&scheme.len())
            && scheme.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !scheme.eq_ignore_ascii_case("file")
    })
}

/// The endings of the names of key files.
const KEY_FILES: [&str; 11] =
    [".pem", ".key", ".pub", ".crt", ".cer", ".cert", ".der", ".jwk", ".jwks", ".json", ".txt"];

/// The folders of files on Linux and macOS.
const ROOTS: [&str; 18] = [
    "/app/",
    "/data/",
    "/dev/",
    "/etc/",
    "/home/",
    "/keys/",
    "/mnt/",
    "/opt/",
    "/private/",
    "/proc/",
    "/root/",
    "/run/",
    "/secrets/",
    "/srv/",
    "/tmp/",
    "/usr/",
    "/var/",
    "/Users/",
];

/// Whether a text is a path. Base64 may begin with `/`, but contains capital letters.
fn is_path(text: &str) -> bool {
    let begins =
        |begin: &str| text.get(..begin.len()).is_some_and(|text| text.eq_ignore_ascii_case(begin));
    if text.contains('\n') {
        return false;
    }
    if begins("file:") || KEY_FILES.iter().any(|end| text.ends_with(end)) {
        return true;
    }
    let is_of_paths =
        |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b" ._-/\\:~".contains(&byte);
    if !text.bytes().all(is_of_paths) {
        return false;
    }
    let is_of_windows = matches!(text.as_bytes(), [b'\\', b'\\', ..])
        || matches!(text.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    let is_small = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let has_root = ["./", "../", "~/"].iter().any(|root| text.starts_with(root))
        || text.starts_with('/') && text.matches('/').count() >= 2 && !text.contains("//");
    is_of_windows || ROOTS.iter().any(|root| text.starts_with(root)) || has_root && is_small
}

/// Marks of PEM with incomplete lines, and of the keys that `openssl` prints, with white space
/// removed.
const KEY_MARKS: [&str; 8] = [
    "BEGINPUBLIC",
    "BEGINRSA",
    "BEGINEC",
    "BEGINCERT",
    "KEY--",
    "CERTIFICATE--",
    "Public-Key:",
    "Modulus=",
];

/// Whether the bytes are a public key or a part of one, in a format that is not supported.
fn is_public_key(bytes: &[u8]) -> bool {
    let hex = from_hex(bytes);
    let is_raw = |bytes: &Vec<u8>| is_raw_key(bytes);
    is_raw_key(bytes)
        || hex.as_ref().is_some_and(|bytes| is_raw_key(bytes) || is_compressed_point(bytes))
        || from_base64(bytes).as_ref().is_some_and(is_raw)
        || from_base64(whole_groups(&bare(bytes))).as_ref().is_some_and(is_raw)
        || has_mark(bytes)
}

fn has_mark(bytes: &[u8]) -> bool {
    let text = bare(bytes);
    let has = |mark: &&str| text.windows(mark.len()).any(|bytes| bytes == mark.as_bytes());
    KEY_MARKS.iter().any(has)
}

fn is_raw_key(bytes: &[u8]) -> bool {
    matches!(Material::secret(bytes.to_vec()), Err(KeyError::PublicKeyAsSecret))
        || begins_as_der(bytes)
        || are_coordinates(bytes)
}

/// Whether the bytes begin like a key or a certificate in DER: a sequence that names an algorithm
/// (1.2.840, Ed25519 or Ed448), or an RSA key in PKCS#1 (RFC 8017 appendix A.1.1).
fn begins_as_der(bytes: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] =
        [&[0x2a, 0x86, 0x48], &[0x06, 0x03, 0x2b, 0x65, 0x70], &[0x06, 0x03, 0x2b, 0x65, 0x71]];
    let start = bytes.get(..64).unwrap_or(bytes);
    let names = |name: &&[u8]| start.windows(name.len()).any(|bytes| bytes == *name);
    start.first() == Some(&0x30) && NAMES.iter().any(names)
        || matches!(start, [0x30, 0x82, _, _, 0x02, 0x82, ..] | [0x30, 0x81, _, 0x02, 0x81, ..])
}

/// Whether the bytes are the two coordinates of a point on a curve, without the first octet of a
/// point.
fn are_coordinates(bytes: &[u8]) -> bool {
    is_point(&[&[0x04], bytes].concat())
}

/// Whether the bytes are a compressed point (SEC 1 section 2.3.3). One in 256 secrets of exactly 33
/// or 49 bytes is such a point, so only hexadecimal digits are checked, the usual form of such
/// keys.
fn is_compressed_point(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x02 | 0x03)) && is_point(bytes)
}

fn is_point(point: &[u8]) -> bool {
    let is_on = |curve: Curve| {
        let length = curve.coordinate_len();
        let has_length = point.len() == 1 + length || point.len() == 1 + 2 * length;
        let key = || Material::Ec { curve, point: point.to_vec() };
        has_length && key().verifier(curve.alg()).is_ok()
    };
    Curve::ALL.into_iter().any(is_on)
}

/// The bytes that hexadecimal digits encode, perhaps after `0x` and with colons between the digits.
fn from_hex(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = bare(bytes);
    let text = text.strip_prefix(b"0x").unwrap_or(&text);
    let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b':').collect();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.chunks(2).map(|pair| match *pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// The bytes that a base64 text encodes, in either alphabet, with padding or without, over any
/// number of lines.
pub(crate) fn from_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = bare(bytes)
        .iter()
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            byte => *byte,
        })
        .collect();
    let end = text.iter().rposition(|byte| *byte != b'=')?;
    base64url::decode(text.get(..=end)?)
}

/// The part of a base64 text that encodes whole groups of bytes, wherever the text was cut off.
fn whole_groups(text: &[u8]) -> &[u8] {
    text.get(..text.len() / 4 * 4).unwrap_or_default()
}

/// The text without white space and quotes.
fn bare(bytes: &[u8]) -> Vec<u8> {
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && !is_quote(byte)).collect()
}
