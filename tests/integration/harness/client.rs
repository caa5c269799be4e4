//! Requests to an nginx, and its answers.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use super::Nginx;
use super::wait::PATIENCE;

/// The host that requests are for unless they say otherwise.
pub const HOST: &str = "example.com";

/// The header line that carries a token.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

impl Nginx {
    /// `GET target`, with header lines such as `Api-Key: x`.
    pub fn get_with(&self, target: &str, headers: &[&str]) -> Response {
        let mut request = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
            write!(request, "Host: {HOST}\r\n").unwrap();
        }
        for line in headers {
            write!(request, "{line}\r\n").unwrap();
        }
        self.send(format!("{request}\r\n").as_bytes())
    }

    /// `GET target`.
    pub fn get(&self, target: &str) -> Response {
        self.get_with(target, &[])
    }

    /// `GET target`, with a token in `Authorization`.
    pub fn get_as(&self, target: &str, token: &str) -> Response {
        self.get_with(target, &[&bearer(token)])
    }

    /// Sends bytes as they are, and reads the answer until nginx closes the connection.
    pub fn send(&self, request: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address).expect("nginx accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // nginx may answer, and close, before it has read the whole of a bad request.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        Response::parse(&answer)
    }

    /// Sends requests at once, of which the last closes the connection; the statuses of the
    /// answers.
    pub fn send_all(&self, requests: &[u8]) -> Vec<u16> {
        let mut stream = TcpStream::connect(self.address).expect("nginx accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let reading = thread::spawn(move || {
            let mut answers = Vec::new();
            reader.read_to_end(&mut answers).unwrap();
            String::from_utf8_lossy(&answers).into_owned()
        });
        stream.write_all(requests).unwrap();
        let answers = reading.join().unwrap();
        let starts = answers.split("HTTP/1.1 ").skip(1);
        starts.map(|answer| answer[..3].parse().unwrap()).collect()
    }
}

/// An answer of nginx.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// The value of a header field that occurs once or not at all.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.headers(name);
        assert!(values.len() <= 1, "{name} occurs more than once: {values:?}");
        values.first().copied()
    }

    /// All values of a header field.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn parse(answer: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answer);
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let is_chunked = headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked"
        });
        let body = if is_chunked { unchunked(body) } else { body.to_owned() };
        Self { status, headers, body }
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
        if size == 0 {
            break;
        }
    }
    whole
}
