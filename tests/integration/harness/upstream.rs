//! Servers of the tests, from which nginx fetches.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{ISSUER, jwks, wait};

/// What a server of the test does with a request that it read: it answers to the stream, or not.
pub type Answer = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// A server of the test, on an address of its own, that answers each request on a new connection.
pub struct Upstream {
    address: SocketAddrV4,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Starts one.
    pub fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(own_address()).unwrap();
        let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else {
            unreachable!()
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer: Arc<Answer> = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let head = read_head(&mut stream);
                    if head.is_empty() {
                        return;
                    }
                    seen.lock().unwrap().push(head.clone());
                    answer(&head, &mut stream);
                });
            }
        });
        Self { address, requests }
    }

    /// Starts one whose answer is always the same.
    pub fn with_answer(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |_, stream| {
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// What the requests so far asked for, as it stands in their first lines.
    pub fn targets(&self) -> Vec<String> {
        let target = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
        self.requests().iter().map(target).collect()
    }

    /// The heads of the requests so far, once there are at least `count`: for those that nginx
    /// sends side by side, and whose answers it does not wait for.
    pub fn requests_once(&self, count: usize) -> Vec<String> {
        wait("the requests", || self.requests().len() >= count);
        self.requests()
    }
}

/// A server of the issuer's key.
pub fn issuer() -> Upstream {
    Upstream::with_answer(ok(&jwks(&[&ISSUER])))
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.extend_from_slice(&byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A response with the status 200 and this body.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// An address that no other test uses: the loopback network has one for each process.
pub(super) fn own_address() -> SocketAddrV4 {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(8000);
    let [_, a, b, c] = process::id().to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, a, b, c), NEXT_PORT.fetch_add(1, Ordering::Relaxed))
}
