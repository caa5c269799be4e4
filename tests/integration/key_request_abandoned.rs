//! A fetch of `auth_jwt_key_request` belongs to nobody: whoever leaves, it goes on, and all who
//! want its keys get them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    FORGER, GARBAGE, HOST, ISSUER, Nginx, Upstream, bearer, issuer, jwks, ok, self_signed,
    signed_by, token,
};

/// A key server that takes its time.
fn slow(time: Duration) -> Upstream {
    Upstream::start(move |_, stream| {
        thread::sleep(time);
        let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
    })
}

/// A gate with keys of `upstream`, also over HTTP/2.
fn gate(upstream: &Upstream, lines: &str) -> Nginx {
    gate_with(upstream, lines, "")
}

fn gate_with(upstream: &Upstream, lines: &str, keys_location: &str) -> Nginx {
    Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "listen unix:h2.sock http2;
             auth_jwt realm; auth_jwt_key_request /keys; {lines}
             location / {{ try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; {keys_location} }}",
            upstream.address()
        ))
        .start()
}

/// Asks, and leaves when the fetch has begun, or at once.
fn ask_and_leave(nginx: &Nginx, host: &str, token: &str) -> TcpStream {
    let mut client = TcpStream::connect(nginx.address()).unwrap();
    write!(client, "GET / HTTP/1.1\r\nHost: {host}\r\n{}\r\n\r\n", bearer(token)).unwrap();
    client
}

/// A client that speaks HTTP/2, as little of it as will do.
struct Http2 {
    stream: UnixStream,
    /// The stream of the last request.
    last: u32,
}

impl Http2 {
    fn connect(nginx: &Nginx) -> Self {
        let mut stream = UnixStream::connect(nginx.path("h2.sock")).unwrap();
        let mut reader = stream.try_clone().unwrap();
        thread::spawn(move || {
            let mut answers = [0; 4096];
            while matches!(reader.read(&mut answers), Ok(1..)) {}
        });
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&frame(4, 0, 0, &[])).unwrap();
        Self { stream, last: 0 }
    }

    /// `HEADERS` of a new request; behind `RST_STREAM` of the last, in one segment.
    fn ask_anew(&mut self, token: &str) {
        let mut frames = Vec::new();
        let next = if self.last == 0 {
            1
        } else {
            frames.extend(frame(3, 0, self.last, &8_u32.to_be_bytes()));
            self.last + 2
        };
        // GET, http and / by their index; the authority and Authorization as they are (RFC 7541).
        let mut block = vec![0x82, 0x86, 0x84, 0x01];
        push_text(&mut block, HOST);
        block.extend([0x0f, 23 - 15]);
        push_text(&mut block, &format!("Bearer {token}"));
        frames.extend(frame(1, 0x5, next, &block));
        self.stream.write_all(&frames).unwrap();
        self.last = next;
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A string literal of HPACK, of less than 127 bytes.
fn push_text(block: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 127);
    block.push(length);
    block.extend(text.as_bytes());
}

/// Has somebody make trouble while users ask, and says how their requests ended.
fn under_attack(nginx: &Nginx, trouble: impl Fn(&AtomicBool) + Sync) -> Vec<u16> {
    let (is_over, good) = (AtomicBool::new(false), token(json!({})));
    thread::scope(|scope| {
        let attacker = scope.spawn(|| trouble(&is_over));
        thread::sleep(Duration::from_millis(250));
        let users: Vec<_> = (0..20)
            .map(|number| {
                let good = &good;
                scope.spawn(move || {
                    thread::sleep(Duration::from_millis(40 * number));
                    nginx.get_as("/", good).status
                })
            })
            .collect();
        let statuses = users.into_iter().map(|user| user.join().unwrap()).collect();
        is_over.store(true, Ordering::Relaxed);
        attacker.join().unwrap();
        statuses
    })
}

fn again_and_again(is_over: &AtomicBool, mut act: impl FnMut()) {
    while !is_over.load(Ordering::Relaxed) {
        act();
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn client_that_resets_its_streams_again_and_again_keeps_nobody_out() {
    for cache in ["10m", "0"] {
        let upstream = slow(Duration::from_millis(300));
        let nginx = gate(&upstream, &format!("auth_jwt_key_cache {cache};"));
        let start = Instant::now();
        let statuses = under_attack(&nginx, |is_over| {
            let mut client = Http2::connect(&nginx);
            again_and_again(is_over, || client.ask_anew(GARBAGE));
        });
        let fetches = upstream.requests().len();
        assert_eq!(statuses, [200; 20], "cache {cache}: {fetches} fetches");
        // One after the other, whoever asks.
        let most = if cache == "0" { start.elapsed().as_millis() / 300 + 1 } else { 1 };
        assert!(fetches as u128 <= most, "cache {cache}: {fetches} fetches");
    }
}

#[test]
fn clients_that_close_at_once_keep_nobody_out() {
    for cache in ["10m", "0"] {
        let upstream = slow(Duration::from_millis(300));
        let nginx = gate(&upstream, &format!("auth_jwt_key_cache {cache};"));
        let start = Instant::now();
        let statuses = under_attack(&nginx, |is_over| {
            again_and_again(is_over, || drop(ask_and_leave(&nginx, HOST, GARBAGE)));
        });
        let fetches = upstream.requests().len();
        assert_eq!(statuses, [200; 20], "cache {cache}: {fetches} fetches");
        let most = if cache == "0" { start.elapsed().as_millis() / 300 + 1 } else { 1 };
        assert!(fetches as u128 <= most, "cache {cache}: {fetches} fetches");
    }
}

#[test]
fn fetch_goes_on_when_all_who_wanted_it_have_left_and_its_answer_is_kept() {
    let upstream = slow(Duration::from_millis(400));
    let nginx = gate(&upstream, "auth_jwt_key_cache 10m;");
    let mut client = Http2::connect(&nginx);
    client.ask_anew(GARBAGE);
    let impatient = ask_and_leave(&nginx, HOST, GARBAGE);
    nginx.wait("the fetch", || upstream.requests().len() == 1);
    drop((client, impatient));
    thread::sleep(Duration::from_millis(700));
    let start = Instant::now();
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
    assert!(start.elapsed() < Duration::from_millis(300), "{:?}", start.elapsed());
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn nothing_is_fetched_for_what_is_no_token() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "location / {{ auth_jwt_key_request /keys; auth_jwt realm; try_files /page.html =404; }}
             location /es {{
                 auth_jwt_key_request /keys; auth_jwt realm; auth_jwt_algorithms ES256;
                 try_files /page.html =404;
             }}
             location /nested {{
                 auth_jwt_key_request /keys; auth_jwt realm; auth_jwt_type nested;
                 try_files /page.html =404;
             }}
             location /oracle {{
                 auth_jwt_key_request /keys;
                 if ($decoded_ojwt = x) {{ return 400; }} return 200 $decoded_ojwt;
             }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    let none = "eyJhbGciOiJub25lIn0.e30.";
    let crit = "eyJhbGciOiJSUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AA";
    for (path, jwt) in [
        ("/", "a"),
        ("/", "a.b"),
        ("/", "a.b.c"),
        ("/", "e30.e30.AA"),
        ("/", "eyJhbGciOiJSUzI1NiJ9.e30.AA.AA"),
        ("/", "eyJhbGciOiJSUzI1NiJ9.e30.A"),
        ("/", "eyJhbGciOiJYWCJ9.e30.AA"),
        ("/", none),
        ("/", crit),
        ("/es", GARBAGE),
        ("/nested", GARBAGE),
        ("/nested", "eyJhbGciOiJSU0EtT0FFUCJ9.AA.AA.AA.AA"),
    ] {
        assert_eq!(nginx.get_as(path, jwt).status, 401, "{path} {jwt}");
    }
    assert_eq!(nginx.get_as("/oracle", "a.b.c").body, "failed: malformed token");
    assert_eq!(nginx.get_as("/oracle", none).body, "failed: unsupported algorithm");
    assert_eq!(nginx.get_as("/oracle", crit).body, "failed: unsupported critical header");
    assert_eq!(upstream.requests(), [""; 0]);
    assert!(nginx.error_log().contains("ojwt: algorithm not allowed"), "{}", nginx.error_log());
    assert_eq!(nginx.get_as("/", GARBAGE).status, 401);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn keys_serve_for_seconds_and_no_longer_while_a_fetch_is_under_way() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_, stream| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        if !is_first {
            thread::sleep(Duration::from_secs(8));
        }
        let key = if is_first { &*ISSUER } else { &*FORGER };
        let _ = stream.write_all(ok(&jwks(&[key])).as_bytes());
    });
    let nginx = gate(&upstream, "auth_jwt_key_cache 1s;");
    let old = token(json!({}));
    assert_eq!(nginx.get_as("/", &old).status, 200);
    thread::sleep(Duration::from_millis(1500));
    let _fetching = ask_and_leave(&nginx, HOST, GARBAGE);
    nginx.wait("the second fetch", || upstream.requests().len() == 2);
    let start = Instant::now();
    let mut last = start;
    // What was withdrawn serves while the answer is awaited, but for no more than five seconds of
    // it.
    while nginx.get_as("/", &old).status == 200 {
        last = Instant::now();
        thread::sleep(Duration::from_millis(50));
    }
    let served = last - start;
    assert!(served > Duration::from_secs(4), "{served:?}");
    assert!(served < Duration::from_millis(5500), "{served:?}");
    assert!(start.elapsed() > Duration::from_secs(7), "{:?}", start.elapsed());
    assert_eq!(nginx.get_as("/", &old).status, 401);
    assert_eq!(nginx.get_as("/", &signed_by(&FORGER, &json!({}))).status, 200);
}

#[test]
fn worker_ends_with_the_fetch_that_nobody_waits_for() {
    let upstream = slow(Duration::from_millis(900));
    let nginx = gate(&upstream, "");
    let client = ask_and_leave(&nginx, HOST, GARBAGE);
    nginx.wait("the fetch", || upstream.requests().len() == 1);
    drop(client);
    let start = Instant::now();
    nginx.quit();
    assert!(start.elapsed() > Duration::from_millis(300), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn fetch_ends_when_the_shutdown_of_its_worker_times_out() {
    let upstream = slow(Duration::from_secs(15));
    let nginx = Nginx::builder()
        .whole(&format!(
            "load_module \"MODULE\"; worker_processes 1; worker_shutdown_timeout 1s;
             pid nginx.pid; error_log error.log info;
             events {{ worker_connections 64; }}
             http {{
                 access_log off; client_body_temp_path tmp/body; proxy_temp_path tmp/proxy;
                 fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
                 server {{
                     listen ADDRESS; root html; auth_jwt realm; auth_jwt_key_request /keys;
                     location = /keys {{ internal; proxy_pass http://{}; }}
                 }}
             }}",
            upstream.address()
        ))
        .start();
    let _waiting = ask_and_leave(&nginx, HOST, &token(json!({})));
    nginx.wait("the fetch", || upstream.requests().len() == 1);
    let start = Instant::now();
    nginx.quit();
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn fetch_is_seen_by_no_log_and_no_counter_but_what_is_asked_for() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http(
            "log_format all '$status $uri $scheme $host $http_host $remote_addr $server_addr '
                 '$server_port $request_id $connection $request_uri';
             access_log access.log all;",
        )
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ try_files /page.html =404; }}
             location = /status {{ auth_jwt off; access_log off; stub_status; }}
             location = /keys {{ internal; proxy_pass http://{}; log_subrequest on; }}",
            upstream.address()
        ))
        .start();
    let figures = || nginx.get("/status").body;
    let requests = |text: &str| -> u64 {
        let line = text.lines().nth(2).unwrap();
        line.split_whitespace().nth(2).unwrap().parse().unwrap()
    };
    let before = figures();
    for _ in 0..5 {
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
    }
    let after = figures();
    assert_eq!(requests(&after), requests(&before) + 6, "{before} {after}");
    for text in [&before, &after] {
        assert!(text.contains("Active connections: 1 \n"), "{text}");
        assert!(text.contains("Reading: 0 Writing: 1 Waiting: 0"), "{text}");
    }
    nginx.wait("all lines", || nginx.file("access.log").lines().count() == 10);
    let log = nginx.file("access.log");
    let fetches: Vec<&str> = log.lines().filter(|line| line.starts_with("200 /keys ")).collect();
    assert_eq!(fetches.len(), 5, "{log}");
    let address = nginx.address();
    let start =
        format!("200 /keys http {HOST} {HOST} 127.0.0.1 {} {} ", address.ip(), address.port());
    for line in fetches {
        assert!(line.replace(&address.ip().to_string(), "IP").len() > 60, "{line}");
        assert!(line.contains(&start) || line.contains(&start.replace("127.0.0.1", "")), "{line}");
        assert!(line.ends_with(" /keys"), "{line}");
    }
}

#[test]
fn rules_on_the_connection_hold_for_its_fetch_as_well() {
    let (key, certificate) = self_signed();
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("tls.key", key)
        .file("tls.pem", certificate)
        .file("html/page.html", "content")
        .server(&format!(
            "listen unix:tls.sock ssl; ssl_certificate tls.pem; ssl_certificate_key tls.key;
             if ($scheme = http) {{ return 301 https://$host$request_uri; }}
             if ($ssl_protocol !~ TLS) {{ return 403; }}
             auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ try_files /page.html =404; }}
             location = /keys {{
                 internal; proxy_pass http://{}; proxy_set_header X-Scheme $scheme:$https;
             }}",
            upstream.address()
        ))
        .start();
    let curl = std::process::Command::new("curl")
        .args(["-sk", "--unix-socket", nginx.path("tls.sock").to_str().unwrap()])
        .args(["-H", &bearer(&token(json!({}))), "https://example.com/"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "content", "{}", nginx.error_log());
    assert!(upstream.requests()[0].contains("X-Scheme: https:on\r\n"), "{:?}", upstream.requests());
}

#[test]
fn update_of_the_cache_goes_on_when_the_fetch_has_its_answer() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let upstream = Upstream::start(move |_, stream| {
        let is_first = seen.fetch_add(1, Ordering::SeqCst) == 0;
        if !is_first {
            thread::sleep(Duration::from_millis(500));
        }
        let key = if is_first { &*ISSUER } else { &*FORGER };
        let _ = stream.write_all(ok(&jwks(&[key])).as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("proxy_cache_path cache keys_zone=keys:1m;")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ try_files /page.html =404; }}
             location = /keys {{
                 internal; proxy_pass http://{};
                 proxy_cache keys; proxy_cache_key k; proxy_cache_valid 200 1s;
                 proxy_cache_use_stale updating; proxy_cache_background_update on;
             }}",
            upstream.address()
        ))
        .start();
    let old = token(json!({}));
    assert_eq!(nginx.get_as("/", &old).status, 200);
    thread::sleep(Duration::from_millis(2100));
    let start = Instant::now();
    assert_eq!(nginx.get_as("/", &old).status, 200);
    assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
    nginx.wait("the new keys", || nginx.get_as("/", &old).status == 401);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    nginx.quit();
}

#[test]
fn fetches_for_hosts_that_are_made_up_leave_connections_for_others() {
    let hosts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&hosts);
    let upstream = Upstream::start(move |head, stream| {
        let is_made_up = !head.contains("Host: example.com\r\n");
        seen.lock().unwrap().push(is_made_up);
        if is_made_up {
            thread::sleep(Duration::from_secs(2));
        }
        let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
    });
    // Of 512 connections.
    let nginx =
        gate_with(&upstream, "auth_jwt_key_cache 10m;", "proxy_set_header Host $http_host;");
    let good = token(json!({}));
    for index in 0..600 {
        drop(ask_and_leave(&nginx, &format!("h{index}.example"), GARBAGE));
    }
    let start = Instant::now();
    assert_eq!(nginx.get_as("/", &good).status, 200, "{}", nginx.error_log());
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    let made_up = hosts.lock().unwrap().iter().filter(|is_made_up| **is_made_up).count();
    assert!((8..=32).contains(&made_up), "{made_up}");
    // Those that nobody made up, but that no server has the name of, have their turn.
    let ask = &|number: usize| {
        let host = format!("Host: tenant{number}.example");
        nginx.get_with("/", &[&host, &bearer(&good)]).status
    };
    thread::scope(|scope| {
        let users: Vec<_> = (0..50).map(|number| scope.spawn(move || ask(number))).collect();
        for user in users {
            assert_eq!(user.join().unwrap(), 200, "{}", nginx.error_log());
        }
    });
    assert!(!nginx.error_log().contains("worker_connections are not enough"));
}
