//! Text that is safe to print on a terminal: no file name or claim can control the terminal.

use std::fmt::Write as _;

/// `text` with every character escaped, as in JSON, that a terminal would obey instead of show.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if commands(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Whether a character is a control character, or reorders or hides the characters beside it.
fn commands(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        assert_eq!(printable("\u{1b}[2J\u{7}\u{9b}31m\n\r\t"), r"\u001b[2J\u0007\u009b31m\n\r\t");
        assert_eq!(printable("\u{202e}moc.live"), r"\u202emoc.live");
        assert_eq!(printable("\u{e0041}"), r"\udb40\udc41");
    }

    #[test]
    fn leaves_every_other_character() {
        assert_eq!(printable("é 漢字 😀 \\ \""), "é 漢字 😀 \\ \"");
    }
}
