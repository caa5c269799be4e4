//! A request is one and the same for the gate and for the application behind it, or it is refused:
//! one host, and one token at a place.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;

use crate::harness::{FORGER, HOST, Nginx, Upstream, bearer, ok, public_pem, signed_by, token};

const TWO_HOSTS: &str = "wrong host: the Host field is not that of the request's host";

fn raw(nginx: &Nginx, target: &str, lines: &[&str]) -> crate::harness::Response {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    nginx.send(format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n").as_bytes())
}

#[test]
fn request_whose_host_field_is_not_that_of_its_target_is_refused_by_every_gate() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("other.pem", public_pem(&FORGER))
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "location / { return 200 \"$decoded_ojwt $ojwt_status\"; }
             location /gate { auth_jwt realm; try_files /page.html =404; }
             location /preaccess { auth_jwt realm; auth_jwt_phase preaccess; try_files /page.html =404; }
             location /other { auth_jwt_key_file other.pem; return 200 $decoded_ojwt; }",
        )
        .start();
    for claims in [json!({}), json!({"host": HOST}), json!({"host": "evil.example"})] {
        let authorization = bearer(&token(claims));
        let lines = ["Host: evil.example", authorization.as_str()];
        let body = raw(&nginx, &format!("http://{HOST}/"), &lines).body;
        assert_eq!(body, "failed: wrong host wrong_host");
        let body = raw(&nginx, &format!("http://{HOST}/other"), &lines).body;
        assert_eq!(body, "failed: wrong host");
        for path in ["/gate", "/preaccess"] {
            let response = raw(&nginx, &format!("http://{HOST}{path}"), &lines);
            assert_eq!(response.status, 401, "{path}");
            let challenge = "Bearer realm=\"realm\", error=\"invalid_token\"";
            assert_eq!(response.header("WWW-Authenticate"), Some(challenge));
        }
    }
    assert!(nginx.error_log().contains(TWO_HOSTS), "{}", nginx.error_log());
    // What no gate guards is none of its business.
    let nginx = Nginx::with_location("/", "return 204;");
    assert_eq!(raw(&nginx, "http://a/", &["Host: b"]).status, 204);
}

#[test]
fn host_may_be_written_in_any_case_with_a_port_and_a_final_period() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    let authorization = bearer(&token(json!({"host": HOST})));
    for (target, host) in [
        ("/", "example.com"),
        ("/", "EXAMPLE.com:80"),
        ("/", "example.com:"),
        ("/", "example.com."),
        ("/", "example.com.:65535"),
        ("http://example.com/", "example.com"),
        ("http://example.com:80/", "Example.com:8080"),
        ("http://EXAMPLE.com./", "example.com"),
    ] {
        let response = raw(&nginx, target, &[&format!("Host: {host}"), &authorization]);
        assert!(response.body.starts_with('{'), "{target} {host} {response:?}");
    }
    let literal = bearer(&token(json!({"host": "[::1]"})));
    assert!(raw(&nginx, "/", &["Host: [::1]:8089", &literal]).body.starts_with('{'));
    // HTTP/1.0 needs no host.
    let old = format!("GET / HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n", token(json!({})));
    assert_eq!(nginx.send(old.as_bytes()).body, "{}");
    let absolute = old.replacen("GET /", &format!("GET http://{HOST}/"), 1);
    assert_eq!(nginx.send(absolute.as_bytes()).body, "{}");
}

/// nginx before 1.29.4 takes anything for a port.
#[test]
fn host_with_a_port_that_is_none_is_refused() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    let authorization = bearer(&token(json!({"host": ["victim.example", "[::1]"]})));
    for host in [
        "victim.example:x",
        "victim.example:80:90",
        "victim.example:80@evil.example",
        "victim.example:80,evil.example",
        "victim.example:65536",
        "victim.example:-1",
        "[::1]evil.example",
        "[::1]:80x",
    ] {
        let response = raw(&nginx, "/", &[&format!("Host: {host}"), &authorization]);
        let is_refused = response.status == 400 || response.body == "failed: wrong host";
        assert!(is_refused, "{host}: {response:?}");
    }
}

#[test]
fn no_key_is_fetched_for_a_request_that_names_two_hosts_or_holds_two_tokens() {
    let keys = Upstream::with_answer(ok("{\"keys\":[]}"));
    let nginx = Nginx::with_server(&format!(
        "location / {{ auth_jwt realm; auth_jwt_key_request /keys; ojwt_token_from arg=jwt; }}
         location = /keys {{ proxy_pass http://{}; }}",
        keys.address()
    ));
    let jwt = token(json!({}));
    assert_eq!(raw(&nginx, &format!("http://a/?jwt={jwt}"), &["Host: b"]).status, 401);
    assert_eq!(raw(&nginx, &format!("/?jwt={jwt}&jwt=a.b.c"), &["Host: b"]).status, 400);
    assert_eq!(keys.requests(), Vec::<String>::new());
}

/// The frames of a request of its own making, and what nginx answers until it ends the stream.
fn over_http_2(nginx: &Nginx, fields: &[(&str, &str)]) -> String {
    let mut block = Vec::new();
    for (name, value) in fields {
        // Literals that nobody is to index, without Huffman codes (RFC 7541 section 6.2.2).
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    request.extend_from_slice(&length[1..]);
    // HEADERS with END_HEADERS and END_STREAM, of stream 1.
    request.extend_from_slice(b"\x01\x05\0\0\0\x01");
    request.extend_from_slice(&block);
    let mut stream = UnixStream::connect(nginx.path("h2.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).unwrap();
        let (kind, ends_stream) = (head[3], head[4] & 1 == 1);
        answer.extend_from_slice(&payload);
        if kind <= 1 && ends_stream {
            return String::from_utf8_lossy(&answer).into_owned();
        }
    }
}

#[test]
fn authority_of_http_2_and_a_host_field_that_differ_are_refused() {
    let nginx = Nginx::with_server(
        "listen unix:h2.sock http2; location / { return 200 \"verdict $decoded_ojwt\"; }",
    );
    let ask = |authority: &str, host: Option<&str>| {
        let mut fields = vec![(":method", "GET"), (":scheme", "http"), (":path", "/")];
        fields.push((":authority", authority));
        fields.extend(host.map(|host| ("host", host)));
        over_http_2(&nginx, &fields)
    };
    assert!(ask(HOST, None).ends_with("verdict failed: no token"));
    for (authority, host) in
        [(HOST, Some("evil.example")), ("example.com:x", None), ("example.com:80:90", None)]
    {
        let answer = ask(authority, host);
        // nginx refuses the first itself, and from 1.29.4 on the others.
        let is_refused =
            answer.contains("400 Bad Request") || answer.ends_with("verdict failed: wrong host");
        assert!(is_refused, "{authority} {host:?}: {answer:?}");
    }
}

fn several(jwt: &str, other: &str) -> Vec<(String, Vec<String>)> {
    vec![
        (format!("/?jwt={jwt}&jwt={other}"), vec![]),
        (format!("/?jwt={jwt}&a=b&jwt={jwt}&jwt={other}"), vec![]),
        (format!("/?%6awt={other}&jwt={jwt}"), vec![]),
        (format!("/?jwt={jwt}&j%77t={other}"), vec![]),
        ("/".into(), vec![format!("Cookie: jwtcookie={jwt}; jwtcookie={other}")]),
        (
            "/".into(),
            vec![
                format!("Cookie: jwtcookie={jwt}"),
                format!("Cookie: a=b;jwtcookie = \"{other}\""),
            ],
        ),
        ("/".into(), vec![format!("Api-Key: {jwt}"), format!("api-key: Bearer {other}")]),
    ]
}

#[test]
fn different_tokens_at_one_place_are_refused_as_an_invalid_request() {
    let nginx = Nginx::with_server(
        "location / { return 200 \"$decoded_ojwt $ojwt_status\"; }
         location /gate/ {
             auth_jwt realm; ojwt_token_from arg=jwt cookie=jwtcookie header=Api-Key bearer;
             location /gate/off/ { auth_jwt_www_authenticate off; }
             location /gate/own/ { auth_jwt_www_authenticate 'Own'; }
         }",
    );
    let jwt = token(json!({"sub": "me"}));
    for other in [token(json!({"sub": "other"})), signed_by(&FORGER, &json!({})), "x".to_owned()] {
        for (target, lines) in several(&jwt, &other).into_iter().chain(several(&other, &jwt)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let body = nginx.get_with(&target, &lines).body;
            assert_eq!(body, "failed: several tokens several_tokens", "{target} {lines:?}");
            let invalid = "Bearer realm=\"realm\", error=\"invalid_request\"";
            for (path, challenge) in [("", Some(invalid)), ("/off", None), ("/own", Some("Own"))] {
                let response = nginx.get_with(&format!("/gate{path}{target}"), &lines);
                assert_eq!(response.status, 400, "{path}{target} {lines:?}");
                assert_eq!(response.header("WWW-Authenticate"), challenge);
            }
        }
    }
    assert!(!nginx.error_log().contains(&jwt));
}

#[test]
fn one_token_twice_at_a_place_or_another_at_a_later_one_is_one() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    let (jwt, other) = (token(json!({"sub": "me"})), token(json!({"sub": "other"})));
    for (target, lines) in several(&jwt, &jwt).into_iter().chain(several(&jwt, "")) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(nginx.get_with(&target, &lines).body, r#"{"sub":"me"}"#, "{target} {lines:?}");
    }
    let later = format!("Cookie: jwtcookie={other}; jwtcookie=x");
    assert_eq!(nginx.get_with(&format!("/?jwt={jwt}"), &[&later]).body, r#"{"sub":"me"}"#);
    let escaped = jwt.replace('.', "%2E");
    assert_eq!(nginx.get(&format!("/?jwt={jwt}&jwt={escaped}")).body, r#"{"sub":"me"}"#);
}

/// Percent-encoding changes no name (RFC 3986 section 6.2.2.2), and an application decodes it.
#[test]
fn argument_under_an_encoded_name_is_the_argument() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    let jwt = token(json!({"sub": "me"}));
    assert_eq!(nginx.get(&format!("/?%6Awt={jwt}")).body, r#"{"sub":"me"}"#);
    assert_eq!(nginx.get_as("/?%6awt=x", &jwt).body, "failed: malformed token");
    assert_eq!(nginx.get_as("/?%256awt=x", &jwt).body, r#"{"sub":"me"}"#);
}

#[test]
fn variable_that_shows_an_argument_a_cookie_or_a_header_holds_one_token_too() {
    let nginx = Nginx::with_server(
        "location /arg { auth_jwt realm token=$arg_t; return 200 $jwt_claims; }
         location /cookie { auth_jwt realm token=${cookie_t}; return 200 $jwt_claims; }
         location /header { auth_jwt realm token=$http_x_t; return 200 $jwt_claims; }
         location /gate { auth_jwt realm token=$arg_t; try_files /none =404; }",
    );
    let (jwt, other) = (token(json!({"sub": "me"})), token(json!({"sub": "other"})));
    let [good, bad] = [(&jwt, r#"{"sub":"me"}"#), (&other, "")];
    for (second, body) in [good, bad] {
        for (target, lines) in [
            (format!("/arg?t={jwt}&t={second}"), vec![]),
            (format!("/arg?T={jwt}&x=1&t={second}"), vec![]),
            (format!("/cookie?t={jwt}&t=x"), vec![format!("Cookie: t={jwt}; T={second}")]),
            ("/header".into(), vec![format!("X-T: {jwt}")]),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let body = if target == "/header" { good.1 } else { body };
            assert_eq!(nginx.get_with(&target, &lines).body, body, "{target} {lines:?}");
        }
    }
    let twice = [format!("X-T: {jwt}"), format!("X-T: {other}")];
    assert_eq!(nginx.get_with("/header", &[&twice[0], &twice[1]]).body, "");
    assert_eq!(nginx.get(&format!("/gate?t={jwt}&t={other}")).status, 400);
    assert_eq!(nginx.get(&format!("/gate?t={jwt}")).status, 404);
    assert_eq!(nginx.get("/gate?x=y").status, 401);
}

#[test]
fn token_that_a_rewrite_puts_in_place_of_the_clients_is_the_one() {
    let nginx = Nginx::with_server(
        "location /replaces { set $args jwt=$arg_t; return 200 $decoded_ojwt; }
         location /adds { rewrite ^ /end?jwt=$arg_t; }
         location /drops { rewrite ^ /end?; }
         location /end { return 200 $decoded_ojwt; }",
    );
    let (jwt, other) = (token(json!({"sub": "me"})), token(json!({"sub": "other"})));
    let target = |path: &str| format!("/{path}?t={jwt}&jwt={other}");
    assert_eq!(nginx.get(&target("replaces")).body, r#"{"sub":"me"}"#);
    // nginx appends the client's arguments: an application may read either.
    assert_eq!(nginx.get(&target("adds")).body, "failed: several tokens");
    assert_eq!(nginx.get(&target("drops")).body, r#"{"sub":"other"}"#);
}

#[test]
fn token_behind_a_fragment_is_none_and_no_other_token_hides_there() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem;")
        .file("html/page.html", "content")
        .server(
            "location / { return 200 $decoded_ojwt; }
             location /variable { auth_jwt realm token=$arg_jwt; try_files /page.html =404; }",
        )
        .start();
    let (good, other) = (token(json!({"sub": "a"})), token(json!({"sub": "b"})));
    for target in [
        format!("/?jwt={good}#&jwt={other}"),
        format!("/?jwt={good}#jwt={other}"),
        format!("/?x=1#&jwt={other}"),
        format!("/#?jwt={other}"),
    ] {
        let authorization = bearer(&good);
        let body = raw(&nginx, &target, &["Host: example.com", &authorization]).body;
        assert_eq!(body, "failed: several tokens", "{target}");
    }
    for end in ["#", "#top", "#?x", &format!("#&jwt={good}")] {
        let target = format!("?jwt={good}{end}");
        assert_eq!(
            raw(&nginx, &format!("/{target}"), &["Host: example.com"]).body,
            r#"{"sub":"a"}"#
        );
        let response = raw(&nginx, &format!("/variable{target}"), &["Host: example.com"]);
        assert_eq!(response.status, 200, "{target}");
    }
    let target = format!("/variable?jwt={good}#&JWT={other}");
    assert_eq!(raw(&nginx, &target, &["Host: example.com"]).status, 400);
    assert!(!nginx.error_log().contains("alert"));
}

/// Servers of applications by CGI and its kin make one variable of both.
#[test]
fn two_fields_that_differ_in_a_dash_and_an_underscore_are_one_place() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem; underscores_in_headers on;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    let fields = [("Api-Key", "a"), ("API_KEY", "b")];
    let lines = fields.map(|(name, sub)| format!("{name}: {}", token(json!({"sub": sub}))));
    let [dash, underscore] = [lines[0].as_str(), lines[1].as_str()];
    assert_eq!(nginx.get_with("/", &[dash, underscore]).body, "failed: several tokens");
    let same = underscore.replacen("API_KEY", "api-key", 1);
    assert_eq!(nginx.get_with("/", &[&same, underscore]).body, r#"{"sub":"b"}"#);
    assert_eq!(nginx.get_with("/", &[dash]).body, r#"{"sub":"a"}"#);
}
