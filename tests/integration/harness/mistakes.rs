//! Configurations that `nginx -t` refuses.

use super::configuration::{HTTP, SERVER};
use super::{Builder, Nginx};

/// Each of these lines of a server is refused with the message beside it.
pub fn refuses_lines(mistakes: &[(&str, &str)]) {
    for (line, message) in mistakes {
        Nginx::builder().server(line).refuses(message);
    }
}

/// A directive is refused with each of these parameters, with the message beside them.
pub fn refuses_parameters(directive: &str, mistakes: &[(&str, &str)]) {
    for (parameters, message) in mistakes {
        Nginx::builder().server(&format!("{directive} {parameters};")).refuses(message);
    }
}

impl Builder {
    /// `nginx -t` refuses it with this message, and says where the one line of the server is, or,
    /// if there is none, that of `http`.
    pub fn refuses(self, message: &str) {
        let (mistake, line) = match self.server.as_str() {
            "" => (self.http.clone(), HTTP),
            server => (server.to_owned(), SERVER),
        };
        let text = self.refused();
        assert!(text.contains("[emerg]") && text.contains(message), "{mistake}: {text}");
        // nginx does not say where it has read of a variable that is unknown.
        let is_variable = message.starts_with("unknown \"") && message.ends_with("\" variable");
        let has_place = text.contains(&format!("in nginx.conf:{line}\n"));
        assert!(is_variable || has_place, "{mistake}: {text}");
    }
}
