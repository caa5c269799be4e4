//! The subrequest of `auth_jwt_key_request` and the request that makes it do not get in each
//! other's way, whatever else nginx does with either.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    FORGER, GARBAGE, HOST, ISSUER, Nginx, Upstream, bearer, issuer, jwks, ok, signed_by, token,
};

#[test]
fn rules_of_the_server_see_the_clients_headers_before_and_after_a_fetch() {
    let keys = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("map $http_x_role $role { default none; bad bad; } log_format s $jwt_claim_sub; access_log access.log s;")
        .server(&format!(
            "auth_jwt_key_request /keys;
             if ($http_x_role = bad) {{ return 403; }}
             if ($role = bad) {{ return 403; }}
             location / {{ try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start();
    for jwt in [GARBAGE.to_owned(), token(json!({})), signed_by(&FORGER, &json!({}))] {
        let bad = nginx.get_with("/", &["X-Role: bad", &bearer(&jwt)]);
        assert_eq!(bad.status, 403, "{jwt}");
        assert_eq!(nginx.get_with("/", &["X-Role: good", &bearer(&jwt)]).status, 200, "{jwt}");
    }
    assert_eq!(keys.requests().len(), 6);
}

#[test]
fn application_gets_the_clients_headers_and_the_key_server_does_not() {
    let (keys, application) = (issuer(), Upstream::with_answer(ok("application")));
    let nginx = Nginx::with_server(&format!(
        "auth_jwt_key_request /keys;
         proxy_set_header X-Token $http_x_token; proxy_set_header X-Cookie $cookie_a;
         if ($jwt_claim_sub = nobody) {{ return 403; }}
         location / {{
             auth_jwt realm token=$http_x_token; proxy_pass http://{};
         }}
         location = /keys {{ internal; proxy_pass http://{}; }}",
        application.address(),
        keys.address()
    ));
    let jwt = token(json!({}));
    let response = nginx.get_with("/", &[&format!("X-Token: {jwt}"), "Cookie: a=secret"]);
    assert_eq!(response.body, "application", "{}", nginx.error_log());
    let head = &application.requests()[0];
    assert!(head.contains(&format!("X-Token: {jwt}\r\n")), "{head}");
    assert!(head.contains("X-Cookie: secret\r\n"), "{head}");
    for head in keys.requests() {
        assert!(!head.contains(&jwt) && !head.contains("secret"), "{head}");
    }
}

#[test]
fn variables_that_directives_set_choose_keys_in_the_uri_alone() {
    let keys = Upstream::start(|head, stream| {
        thread::sleep(Duration::from_millis(300));
        let key = if head.starts_with("GET /keys/a") { &ISSUER } else { &FORGER };
        let _ = stream.write_all(ok(&jwks(&[key])).as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys/$t;
             location /a {{ set $t a; try_files /page.html =404; }}
             location /b {{ set $t b; try_files /page.html =404; }}
             location /keys {{ internal; proxy_pass http://{}; proxy_set_header X-T $t; }}",
            keys.address()
        ))
        .start();
    let a = token(json!({}));
    thread::scope(|scope| {
        let on_a = scope.spawn(|| nginx.get_as("/a", &a).status);
        let on_b = scope.spawn(|| nginx.get_as("/b", &a).status);
        assert_eq!((on_a.join().unwrap(), on_b.join().unwrap()), (200, 401));
    });
    assert!(keys.requests().iter().all(|head| !head.contains("X-T:")), "{:?}", keys.requests());
}

#[test]
fn token_stands_in_no_log_line_of_a_fetch_that_fails() {
    let nginx = Nginx::builder()
        .server(
            "auth_jwt realm; ojwt_token_from arg=jwt;
             location /refused { auth_jwt_key_request /down; }
             location /missing { auth_jwt_key_request /none.json; }
             location /file { auth_jwt_key_file none/$arg_k; }
             location = /down { internal; proxy_pass http://127.0.0.1:1; }
             location = /none.json { internal; }",
        )
        .start();
    let jwt = token(json!({}));
    for path in ["/refused", "/missing", "/file"] {
        assert_eq!(nginx.get(&format!("{path}?jwt={jwt}")).status, 500, "{path}");
    }
    let log = nginx.error_log();
    assert!(log.contains("connect() failed") && log.contains("open() "), "{log}");
    assert!(!log.contains(&jwt) && !log.contains(jwt.split('.').nth(2).unwrap()), "{log}");
}

#[test]
fn mirrored_requests_fetch_and_end_as_others_do() {
    let keys = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(100));
        let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
    });
    let mirrored = Upstream::with_answer(ok("mirrored"));
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt_key_request /keys;
             location / {{ mirror /m1; mirror /m2; try_files /page.html =404; }}
             location ~ ^/m(1|2) {{
                 internal; if ($decoded_ojwt ~ ^fail) {{ return 401; }} proxy_pass http://{};
             }}
             location /guarded {{
                 mirror /m1; auth_jwt realm; try_files /page.html =404;
             }}
             location /gone {{ mirror /m1; error_page 404 = /guarded; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            mirrored.address(),
            keys.address()
        ))
        .start();
    let good = token(json!({}));
    // On one connection, so that a request that never ends would hold up the next.
    let mut stream = TcpStream::connect(nginx.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut all = String::new();
    for path in ["/", "/guarded", "/gone", "/"] {
        let line = bearer(&good);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{line}\r\n\r\n").unwrap();
        let mut answer = String::new();
        while !answer.ends_with("content") {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).expect("an answer in time");
            assert_ne!(read, 0, "{path}: {answer}");
            answer += core::str::from_utf8(&bytes[..read]).unwrap();
        }
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        all += &answer;
    }
    assert_eq!(all.matches("content").count(), 4);
    nginx.wait("all mirrors", || mirrored.requests().len() >= 6);
    // Nothing is left behind, with a bad token either.
    for _ in 0..5 {
        assert_eq!(nginx.get_as("/", GARBAGE).status, 200);
    }
    drop(stream);
    nginx.signal("QUIT");
    nginx.wait("the end of the worker", || nginx.workers().is_empty());
}

#[test]
fn branches_of_one_request_that_want_the_same_keys_all_go_on() {
    let keys = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(200));
        let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
    });
    let includes = (1..=4).map(|index| format!("<!--# include virtual=\"/part/{index}\" -->"));
    let nginx = Nginx::builder()
        .file("html/page.shtml", includes.collect::<String>())
        .file("html/index.html", "")
        .server(&format!(
            "location / {{ ssi on; ssi_types *; }}
             location /part {{ auth_jwt_key_request /keys; return 200 [$jwt_claim_sub]; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start();
    let response = nginx.get_as("/page.shtml", &token(json!({"sub": "me"})));
    assert_eq!(response.body, "[me][me][me][me]");
    assert_eq!(keys.targets(), ["/keys"]);
}

#[test]
fn keys_are_not_chosen_by_what_a_map_said_before() {
    let keys = Upstream::start(|head, stream| {
        let key = if head.starts_with("GET /keys/a") { &ISSUER } else { &FORGER };
        let _ = stream.write_all(ok(&jwks(&[key])).as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("map $jwt_claim_iss $tenant { default a; a a; b b; }")
        .server(&format!(
            "auth_jwt_key_request /keys/$tenant; set $seen $tenant;
             location / {{ auth_jwt realm; try_files /page.html =404; }}
             location /keys {{ internal; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start();
    let of_b = json!({"iss": "b"});
    assert_eq!(nginx.get_as("/", &token(json!({"iss": "a"}))).status, 200);
    assert_eq!(nginx.get_as("/", &token(of_b.clone())).status, 401);
    assert_eq!(nginx.get_as("/", &signed_by(&FORGER, &of_b)).status, 200);
}

#[test]
fn keys_may_be_chosen_by_what_a_regular_expression_or_a_directive_set() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("keys/a.json", jwks(&[&ISSUER]))
        .file("keys/b.json", jwks(&[&FORGER]))
        .server(
            "server_name ~^(?<tenant>[a-z])\\.example$;
             auth_jwt realm;
             location /named { auth_jwt_key_file keys/$tenant.json; try_files /page.html =404; }
             location ~ ^/numbered/(.) { auth_jwt_key_file keys/$1.json; try_files /page.html =404; }
             location /set { set $t $arg_t; auth_jwt_key_file keys/$t.json; try_files /page.html =404; }",
        )
        .start();
    let (a, b) = (token(json!({})), signed_by(&FORGER, &json!({})));
    for (host, target) in
        [("X.example", "/named"), ("q.example", "/numbered/X"), ("q.example", "/set?t=X")]
    {
        for (tenant, with_a, with_b) in [("a", 200, 401), ("b", 401, 200)] {
            let host = format!("Host: {}", host.replace('X', tenant));
            let target = target.replace('X', tenant);
            let status = |jwt| nginx.get_with(&target, &[&host, &bearer(jwt)]).status;
            assert_eq!((status(&a), status(&b)), (with_a, with_b), "{host} {target}");
        }
    }
}

#[test]
fn locator_that_is_never_the_same_ends_in_an_answer() {
    let keys = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm;
             location /id {{ auth_jwt_key_request /keys?$request_id; try_files /page.html =404; }}
             location /msec {{ auth_jwt_key_request /keys?$msec; try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start();
    assert_eq!(nginx.get_as("/id", &token(json!({}))).status, 200);
    assert_eq!(keys.requests().len(), 1);
    let status = nginx.get_as("/msec", &token(json!({}))).status;
    assert!([200, 500].contains(&status), "{status}");
    assert!(keys.requests().len() <= 33, "{}", keys.requests().len());
}

#[test]
fn captures_of_the_location_outlive_the_choice_of_keys() {
    let (keys, application) = (issuer(), Upstream::with_answer(ok("application")));
    let nginx = Nginx::builder()
        .http("map $jwt_claim_iss $tenant { default x; ~^(t)(e)n $1; }")
        .server(&format!(
            "location ~ ^/app/(.*)$ {{
                 auth_jwt realm; auth_jwt_key_request /keys/$tenant;
                 proxy_pass http://{}/app/$1;
             }}
             location /keys {{ internal; proxy_pass http://{}; }}",
            application.address(),
            keys.address()
        ))
        .start();
    assert_eq!(nginx.get_as("/app/wanted", &token(json!({"iss": "tenant"}))).body, "application");
    assert_eq!(application.targets(), ["/app/wanted"]);
    assert_eq!(keys.targets(), ["/keys/t"]);
}

/// nginx shares them between the copies that it makes of a request, here for each slice of a file,
/// and notes that whoever matches next is to have room of their own.
#[test]
fn choice_of_keys_does_not_let_copies_of_a_request_write_to_the_captures_of_each_other() {
    let keys = issuer();
    let application = Upstream::start(|head, stream| {
        let range = head.lines().find_map(|line| line.strip_prefix("Range: bytes=")).unwrap();
        let (start, _) = range.split_once('-').unwrap();
        let start: usize = start.parse().unwrap();
        let part = &"0123456789"[start..(start + 4).min(10)];
        let end = start + part.len() - 1;
        let _ = write!(
            stream,
            "HTTP/1.1 206 Part\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{end}/10\r\n\
             ETag: \"a\"\r\nConnection: close\r\n\r\n{part}",
            part.len()
        );
    });
    let nginx = Nginx::builder()
        .http(
            "map $jwt_claim_iss $tenant { default x; ~^(t)(e)n $1; }
             map $slice_range $matched { volatile; bytes=0-3 first; ~(b)(y) $2; }",
        )
        .server(&format!(
            "auth_jwt_key_request /keys/$tenant; proxy_http_version 1.1; slice 4;
             location ~ ^/(w.*)$ {{
                 proxy_set_header Range $slice_range; proxy_set_header X-Sub $jwt_claim_sub;
                 proxy_set_header X-Matched $matched;
                 proxy_pass http://{0}/$1;
             }}
             location /keys {{ internal; proxy_pass http://{1}; }}",
            application.address(),
            keys.address()
        ))
        .start();
    let jwt = token(json!({"iss": "tenant", "sub": "me"}));
    nginx.get_as("/wanted", &jwt);
    assert_eq!(application.targets(), ["/wanted"; 3]);
    assert!(application.requests()[0].contains("X-Sub: me\r\n"));
}

#[test]
fn keys_of_files_may_be_read_by_threads_and_from_a_cache() {
    let keys = issuer();
    for (lines, location) in [
        ("sendfile off; aio threads;", String::new()),
        ("aio threads; directio 1;", String::new()),
        (
            "sendfile off; aio threads;",
            format!("proxy_cache keys; proxy_pass http://{};", keys.address()),
        ),
    ] {
        let nginx = Nginx::builder()
            .file("html/page.html", "content")
            .file("html/keys.json", jwks(&[&ISSUER]))
            .http("proxy_cache_path cache keys_zone=keys:1m; proxy_cache_valid 200 1h;")
            .server(&format!(
                "auth_jwt realm; auth_jwt_key_request /keys.json; {lines}
                 location / {{ try_files /page.html =404; }}
                 location = /keys.json {{ internal; {location} }}"
            ))
            .start();
        for _ in 0..3 {
            let status = nginx.get_as("/", &token(json!({}))).status;
            assert_eq!(status, 200, "{lines} {location} {}", nginx.error_log());
        }
    }
}

#[test]
fn claims_do_not_vanish_when_kept_keys_grow_old_in_the_middle_of_a_request() {
    let (keys, application) = (issuer(), Upstream::with_answer(ok("application")));
    let nginx = Nginx::builder()
        .server(&format!(
            "auth_jwt_key_request /keys; auth_jwt_key_cache 1s;
             location / {{ proxy_pass http://{}; proxy_set_header X-Sub $jwt_claim_sub; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            application.address(),
            keys.address()
        ))
        .start();
    let line = bearer(&token(json!({"sub": "me"})));
    nginx.get_with("/", &[&line]);
    let mut stream = TcpStream::connect(nginx.address()).unwrap();
    let head = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 4\r\n";
    write!(stream, "{head}Host: {HOST}\r\n{line}\r\n\r\nab").unwrap();
    thread::sleep(Duration::from_millis(2500));
    write!(stream, "cd").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("application"));
    assert!(application.requests()[1].contains("X-Sub: me\r\n"), "{:?}", application.requests());
}

/// A gate whose keys are fetched and kept.
fn with_kept_keys(keys: &Upstream) -> Nginx {
    Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys; auth_jwt_key_cache 1h;
             location / {{ try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start()
}

#[test]
fn made_up_hosts_displace_no_keys_that_are_in_use() {
    let keys = issuer();
    let nginx = with_kept_keys(&keys);
    let good = token(json!({}));
    assert_eq!(nginx.get_as("/", &good).status, 200);
    for index in 0..300 {
        let host = format!("Host: h{index}.example");
        assert_eq!(nginx.get_with("/", &[&host, &bearer(GARBAGE)]).status, 401);
    }
    let before = keys.requests().len();
    assert_eq!(nginx.get_as("/", &good).status, 200);
    assert_eq!(keys.requests().len(), before);
}

/// A good token that names no host is good for any number of hosts, all of which prove it right.
#[test]
fn made_up_hosts_for_which_a_token_is_good_displace_no_keys_of_others() {
    let keys = Upstream::start(|head, stream| {
        let key = if head.contains("X-Host: tenant.example\r\n") { &FORGER } else { &ISSUER };
        let _ = stream.write_all(ok(&jwks(&[key])).as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys; auth_jwt_key_cache 1h;
             location / {{ try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; proxy_set_header X-Host $host; }}",
            keys.address()
        ))
        .start();
    let (good, of_tenant) = (token(json!({})), signed_by(&FORGER, &json!({})));
    let tenant = || nginx.get_with("/", &["Host: tenant.example", &bearer(&of_tenant)]).status;
    // One is a name of the server, the other has keys of its own.
    assert_eq!((nginx.get_as("/", &good).status, tenant()), (200, 200));
    for index in 0..300 {
        let host = format!("Host: h{index}.example");
        assert_eq!(nginx.get_with("/", &[&host, &bearer(&good)]).status, 200);
    }
    let before = keys.requests().len();
    assert_eq!((nginx.get_as("/", &good).status, tenant()), (200, 200));
    assert_eq!(keys.requests().len(), before);
    // Those of the last made-up host are kept as well.
    assert_eq!(nginx.get_with("/", &["Host: h299.example", &bearer(&good)]).status, 200);
    assert_eq!(keys.requests().len(), before);
}

/// A key server that has keys for `victim.example` and for `evil.example`, and calls any other
/// request a bad one; by the field that an application may be given.
fn by_host(lines: &str) -> (Upstream, Nginx) {
    let keys = Upstream::start(|head, stream| {
        let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default();
        let answer = match host {
            "victim.example" => ok(&jwks(&[&ISSUER])),
            "evil.example" => ok(&jwks(&[&FORGER])),
            _ => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys; auth_jwt_key_cache 1h; {lines}
             location / {{ try_files /page.html =404; }}
             location = /keys {{
                 internal; proxy_pass http://{}; proxy_set_header Host $http_host;
                 proxy_set_header X-Host $host; proxy_pass_request_headers off;
             }}",
            keys.address()
        ))
        .start();
    (keys, nginx)
}

#[test]
fn keys_are_asked_for_by_the_host_that_they_are_kept_for() {
    let (keys, nginx) = by_host("");
    let (good, of_evil) = (token(json!({})), signed_by(&FORGER, &json!({})));
    let ask = |target: &str, host: &str, jwt: &str| {
        let line = bearer(jwt);
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        nginx.send(format!("{head}{line}\r\n\r\n").as_bytes()).status
    };
    // Two hosts in one request, and a port that is none.
    ask("http://victim.example/", "evil.example", &of_evil);
    ask("/", "victim.example:x", GARBAGE);
    assert_eq!(ask("/", "victim.example", &good), 200, "{}", nginx.error_log());
    assert_eq!(ask("/", "victim.example", &of_evil), 401);
    assert_eq!(ask("/", "VICTIM.example:8080", &good), 200);
    let heads = keys.requests();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].contains("\r\nHost: victim.example\r\n"), "{heads:?}");
    assert!(heads[0].contains("\r\nX-Host: victim.example\r\n"), "{heads:?}");
}

#[test]
fn request_without_a_host_has_keys_fetched_as_nginx_has_it() {
    let (keys, nginx) = by_host("");
    let head = format!("GET / HTTP/1.0\r\n{}\r\n\r\n", bearer(GARBAGE));
    assert_eq!(nginx.send(head.as_bytes()).status, 500);
    let heads = keys.requests();
    assert!(heads[0].contains(&format!("\r\nX-Host: {HOST}\r\n")), "{heads:?}");
    assert!(!heads[0].contains(&format!("\r\nHost: {HOST}\r\n")), "{heads:?}");
    // It says nothing of the host that the server is named after.
    assert_eq!(nginx.get_as("/", GARBAGE).status, 500);
    assert_eq!(keys.requests().len(), 2);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let text = text.to_owned();
    let writing = thread::spawn(move || input.write_all(text.as_bytes()));
    let output = gzip.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    output.stdout
}

/// A server that compresses whether it is asked to or not.
fn compressing(text: &str) -> Upstream {
    let body = gzip(text);
    Upstream::start(move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ";
        let head = format!("{head}{}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    })
}

#[test]
fn answer_that_is_compressed_is_inflated_where_gunzip_is_on() {
    let keys = compressing(&jwks(&[&ISSUER]));
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("html/gzip.json", gzip(&jwks(&[&ISSUER])))
        .http("proxy_cache_path cache keys_zone=keys:1m;")
        .server(&format!(
            "auth_jwt realm;
             location /on {{ auth_jwt_key_request /1; try_files /page.html =404; }}
             location /unbuffered {{ auth_jwt_key_request /2; try_files /page.html =404; }}
             location /kept {{ auth_jwt_key_request /3; try_files /page.html =404; }}
             location /off {{ auth_jwt_key_request /4; try_files /page.html =404; }}
             location /file {{ auth_jwt_key_request /gzip.json; try_files /page.html =404; }}
             location = /1 {{ internal; gunzip on; proxy_pass http://{0}; }}
             location = /2 {{ internal; gunzip on; proxy_buffering off; proxy_pass http://{0}; }}
             location = /3 {{
                 internal; gunzip on; proxy_pass http://{0};
                 proxy_cache keys; proxy_cache_valid 1h;
             }}
             location = /4 {{ internal; proxy_pass http://{0}; }}
             location = /gzip.json {{ internal; }}",
            keys.address()
        ))
        .start();
    let (good, bad) = (token(json!({})), signed_by(&FORGER, &json!({})));
    for path in ["/on", "/unbuffered", "/kept", "/kept"] {
        assert_eq!(nginx.get_as(path, &good).status, 200, "{path}: {}", nginx.error_log());
        assert_eq!(nginx.get_as(path, &bad).status, 401, "{path}");
    }
    for (path, uri) in [("/off", "/4"), ("/file", "/gzip.json")] {
        assert_eq!(nginx.get_as(path, &good).status, 500, "{path}");
        let line = format!("key request \"{uri}\": the response is compressed");
        assert!(nginx.error_log().contains(&line), "{}", nginx.error_log());
    }
}

#[test]
fn answer_that_inflates_without_end_is_given_up() {
    let keys = compressing(&" ".repeat(64 * 1024 * 1024));
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ try_files /page.html =404; }}
             location = /keys {{ internal; gunzip on; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start();
    let start = Instant::now();
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 500);
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    let line = "key request \"/keys\": the response exceeds 1048576 bytes";
    assert!(nginx.error_log().contains(line), "{}", nginx.error_log());
}

/// What else nginx can be told to do with a request does not keep its answer from the gate.
#[test]
fn keys_arrive_whatever_else_their_location_does() {
    let keys = Upstream::start(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
        let body = jwks(&[&ISSUER]);
        let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
    });
    let pass = format!("proxy_pass http://{};", keys.address());
    let locations = [
        format!("auth_request /denied; mirror /denied; {pass}"),
        format!("satisfy any; deny all; auth_basic b; auth_basic_user_file none; {pass}"),
        format!("limit_rate 1; limit_conn one 1; limit_req zone=few; {pass}"),
        format!("ssi on; add_before_body /page.html; add_after_body /page.html; {pass}"),
        format!("sub_filter keys none; charset utf-8; {pass}"),
        "try_files /none @named;".to_owned(),
        "rewrite ^ /other last;".to_owned(),
        "error_page 404 = @named; return 404;".to_owned(),
        "index other; root html/none; error_page 403 404 = /other;".to_owned(),
        format!("post_action /denied; {pass}"),
        format!("proxy_limit_rate 4k; proxy_buffering off; {pass}"),
        format!("auth_jwt realm; auth_jwt_phase preaccess; {pass}"),
        format!("auth_jwt realm token=$arg_t; if ($jwt_claim_a = b) {{ return 403; }} {pass}"),
        format!("lingering_close always; reset_timedout_connection on; {pass}"),
        format!("proxy_cache kept; proxy_cache_lock on; proxy_cache_valid 1h; {pass}"),
        format!("proxy_bind 127.0.0.1; proxy_set_header X-Real-IP $remote_addr; {pass}"),
        format!("set $to {}; proxy_pass http://$to/x;", keys.address()),
        "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass http://pool;"
            .to_owned(),
        format!("set_real_ip_from all; set_real_ip_from unix:; real_ip_header X-IP; {pass}")
            .replace(
                "set_real_ip_from all; set_real_ip_from unix:;",
                "set_real_ip_from 0.0.0.0/0;",
            ),
        format!("proxy_pass_request_headers on; proxy_method POST; {pass}"),
    ];
    let mut server = format!(
        "auth_jwt realm; post_action /denied;
         location = /denied {{ return 403; }}
         location @named {{ {pass} }}
         location = /other {{ internal; {pass} }}"
    );
    for (index, location) in locations.iter().enumerate() {
        let gate = format!(
            "location /{index} {{ auth_jwt_key_request /k{index}; try_files /page.html =404; }}
             location /k{index} {{ internal; auth_jwt_key_request /k{index}; {location} }}\n"
        );
        server.push_str(&gate);
    }
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http(&format!(
            "limit_conn_zone $server_name zone=one:1m; proxy_cache_path cache keys_zone=kept:1m;
             limit_req_zone $server_name zone=few:1m rate=1r/m; lingering_close always;
             upstream pool {{ server {}; keepalive 2; }}",
            keys.address()
        ))
        .server(&server)
        .start();
    let (good, bad) = (token(json!({})), signed_by(&FORGER, &json!({})));
    for (index, location) in locations.iter().enumerate() {
        let start = Instant::now();
        let ask = |jwt| nginx.get_as(&format!("/{index}"), jwt).status;
        let statuses = (ask(&good), ask(&bad), ask(&good));
        assert_eq!(statuses, (200, 401, 200), "{location}: {}", nginx.error_log());
        assert!(start.elapsed() < Duration::from_secs(3), "{location}");
    }
    nginx.quit();
}

#[test]
fn failure_is_not_repeated_for_every_request_where_answers_are_kept() {
    let keys = Upstream::with_answer("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n");
    let nginx = with_kept_keys(&keys);
    for _ in 0..20 {
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 500);
    }
    assert!(keys.requests().len() <= 2, "{}", keys.requests().len());
}

#[test]
fn worker_without_keys_tries_again_within_a_second_or_two() {
    let count = AtomicUsize::new(0);
    let keys = Upstream::start(move |_, stream| {
        let answer = match count.fetch_add(1, Ordering::SeqCst) {
            0 => "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n".to_owned(),
            _ => ok(&jwks(&[&ISSUER])),
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let nginx = with_kept_keys(&keys);
    let good = token(json!({}));
    assert_eq!(nginx.get_as("/", &good).status, 500);
    let start = Instant::now();
    nginx.wait("keys", || nginx.get_as("/", &good).status == 200);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(keys.requests().len(), 2);
}

#[test]
fn redirect_that_chooses_other_keys_is_judged_by_them() {
    let keys = Upstream::start(|head, stream| {
        let key = if head.starts_with("GET /keys/a") { &ISSUER } else { &FORGER };
        let _ = stream.write_all(ok(&jwks(&[key])).as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys/$t;
             location /a/ {{ set $t a; error_page 404 = /b/x; }}
             location /b/ {{ set $t b; try_files /page.html =404; }}
             location /keys {{ internal; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start();
    let (a, b) = (token(json!({})), signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get_as("/b/x", &a).status, 401);
    assert_eq!(nginx.get_as("/b/x", &b).status, 200);
    assert_eq!(nginx.get_as("/a/none", &a).status, 401);
}

#[test]
fn statuses_that_close_connections_are_failures_of_the_fetch_alone() {
    for status in ["408", "444", "499"] {
        let nginx = Nginx::builder()
            .file("html/page.html", "content")
            .server(&format!(
                "auth_jwt realm; auth_jwt_key_request /keys;
                 location / {{ try_files /page.html =404; }}
                 location = /keys {{ internal; return {status}; }}"
            ))
            .start();
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 500, "{status}");
        assert!(nginx.error_log().contains(&format!("the status is {status}, not 200")));
    }
}

#[test]
fn other_modules_may_change_the_subrequests_headers() {
    // `more_set_input_headers`, where Debian's module is installed, pushes onto its list of
    // headers; so does nginx itself for a location that sets `$http_...` by `proxy_set_header`
    // alone.
    let heads = Mutex::new(Vec::new());
    let keys = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ try_files /page.html =404; }}
             location = /keys {{
                 internal; proxy_pass http://{}; proxy_set_header X-Key secret;
                 proxy_set_header X-Uri $request_uri; proxy_set_header X-Line $request;
             }}",
            keys.address()
        ))
        .start();
    assert_eq!(nginx.get_as("/?page=1", &token(json!({}))).status, 200);
    heads.lock().unwrap().extend(keys.requests());
    let head = &heads.lock().unwrap()[0];
    assert!(head.contains("X-Key: secret\r\n") && head.contains("X-Uri: /keys\r\n"), "{head}");
    assert!(!head.contains("page=1") && !head.contains("X-Line"), "{head}");
}

#[test]
fn limits_are_for_the_clients_request_and_not_for_its_fetches() {
    let keys = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http(
            "limit_req_zone $server_name zone=slow:1m rate=2r/s;
             limit_req_zone $server_name zone=strict:1m rate=1r/m;
             log_format sub $jwt_claim_sub; access_log access.log sub;",
        )
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys; limit_req zone=slow burst=50;
             location / {{ try_files /page.html =404; }}
             location /early {{ auth_jwt_phase preaccess; try_files /page.html =404; }}
             location /strict {{ limit_req zone=strict; try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            keys.address()
        ))
        .start();
    let good = token(json!({}));
    // A fetch that is delayed would never end.
    for path in ["/", "/early", "/", "/early"] {
        assert_eq!(nginx.get_as(path, &good).status, 200, "{path}");
    }
    // A fetch that passes a lax limit does not spare its request a strict one.
    let statuses: Vec<u16> = (0..3).map(|_| nginx.get_as("/strict", &good).status).collect();
    assert_eq!(statuses, [200, 503, 503]);
}
