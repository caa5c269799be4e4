//! Where versions and builds of nginx differ in memory or in protocol: bit-fields, lists of header
//! fields, cookies, HTTP/2 and HTTP/3. `scripts/matrix/run` runs this, and all else, in many of
//! them.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{
    FORGER, HOST, ISSUER, Nginx, Upstream, bearer, has_http_3, has_since, issuer, jwks, ok,
    public_pem, self_signed, signed_by, token,
};

/// What curl shows of an answer: its head and its body.
fn curl(arguments: &[&str]) -> String {
    let output =
        Command::new("curl").args(["-sSi", "--max-time", "20"]).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Asks over HTTP/2 without TLS.
fn http_2(socket: &Path, target: &str, headers: &[&str]) -> String {
    let socket = socket.display().to_string();
    let url = format!("http://{HOST}{target}");
    let mut arguments = vec!["--http2-prior-knowledge", "--unix-socket", &socket, &url];
    arguments.extend(headers.iter().flat_map(|line| ["-H", line]));
    curl(&arguments)
}

/// Asks over HTTP/3.
fn http_3(nginx: &Nginx, target: &str, headers: &[&str]) -> String {
    let address = nginx.address();
    let place = format!("{HOST}:{}:{}", address.port(), address.ip());
    let url = format!("https://{HOST}:{}{target}", address.port());
    let mut arguments = vec!["--http3-only", "-k", "--resolve", &place, &url];
    arguments.extend(headers.iter().flat_map(|line| ["-H", line]));
    curl(&arguments)
}

/// An nginx that speaks HTTP/3 beside HTTP/1, at a gate that trusts the issuer.
fn over_quic(server: &str) -> Nginx {
    let (key, certificate) = self_signed();
    Nginx::builder()
        .file("tls.key", key)
        .file("tls.pem", certificate)
        .file("html/page.html", "content")
        .http("auth_jwt_key_file issuer.pem; ssl_certificate tls.pem; ssl_certificate_key tls.key;")
        .server(&format!("listen ADDRESS quic; {server}"))
        .start()
}

fn count(text: &str, what: &str) -> usize {
    text.to_ascii_lowercase().matches(&what.to_ascii_lowercase()).count()
}

#[test]
fn lengths_and_flags_of_variables_are_those_of_nginx() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem; auth_jwt_max_token_size 256k;
             large_client_header_buffers 4 512k;
             log_format claims '[$jwt_claim_long][$jwt_claim_empty][$jwt_claim_none][$jwt_claim_quoted]';
             access_log access.log claims;",
        )
        .server("location / { return 200 $jwt_claim_long; }")
        .start();
    // Lengths have 28 bits; the flags behind them say whether there is a value at all.
    let long = "x".repeat(100_001);
    let jwt = token(json!({"long": long, "empty": "", "quoted": "a\"b"}));
    let header = format!("Api-Key: {jwt}");
    assert_eq!(nginx.get_with("/", &[&header]).body, long);
    nginx.get("/");
    nginx.wait("two lines", || nginx.file("access.log").lines().count() == 2);
    assert_eq!(nginx.file("access.log"), format!("[{long}][][-][a\\x22b]\n[-][-][-][-]\n"));
}

#[test]
fn value_is_asked_for_anew_after_each_internal_redirect() {
    // A flag that says that a value may be kept would be wrong for the second gate.
    let nginx = Nginx::builder()
        .file("other.pem", public_pem(&FORGER))
        .http("map $decoded_ojwt $map { volatile; default $decoded_ojwt; }")
        .server(
            "location /a { auth_jwt_key_file issuer.pem; set $first $map; rewrite ^ /b last; }
             location /b { auth_jwt_key_file other.pem; return 200 \"$first $map\"; }",
        )
        .start();
    let jwt = signed_by(&FORGER, &json!({"sub": "me"}));
    let body = nginx.get(&format!("/a?jwt={jwt}")).body;
    assert_eq!(body, r#"failed: signature mismatch {"sub":"me"}"#);
}

#[test]
fn path_with_variables_is_relative_to_the_folder_of_the_configuration_file() {
    let nginx = Nginx::builder()
        .configuration_file("conf.d/nginx.conf")
        .file("conf.d/keys/a.pem", public_pem(&ISSUER))
        .file("keys/a.pem", public_pem(&FORGER))
        .http("auth_jwt_key_file keys/$arg_key.pem;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    assert_eq!(nginx.get(&format!("/?key=a&jwt={}", token(json!({})))).body, "{}");
    let other = signed_by(&FORGER, &json!({}));
    assert_eq!(nginx.get(&format!("/?key=a&jwt={other}")).body, "failed: signature mismatch");
}

#[test]
fn keys_are_taken_from_memory_from_a_file_and_from_an_upstream() {
    let keys = jwks(&[&ISSUER]);
    let upstream = issuer();
    for (kind, location) in [
        ("memory", format!("return 200 '{keys}';")),
        ("file, mapped by the kernel", "sendfile on;".to_owned()),
        ("file, read", "sendfile off; output_buffers 1 64;".to_owned()),
        ("upstream", format!("proxy_pass http://{};", upstream.address())),
        (
            "upstream, as it comes",
            format!("proxy_buffering off; proxy_pass http://{};", upstream.address()),
        ),
        (
            "upstream, by a temporary file",
            format!(
                "proxy_buffer_size 256; proxy_buffers 2 256; proxy_busy_buffers_size 256; \
                 proxy_temp_file_write_size 256; proxy_pass http://{};",
                upstream.address()
            ),
        ),
    ] {
        let nginx = Nginx::builder()
            .file("html/page.html", "content")
            .file("html/keys", keys.as_str())
            .server(&format!(
                "auth_jwt realm; auth_jwt_key_request /keys;
                 location / {{ try_files /page.html =404; }}
                 location = /keys {{ internal; {location} }}"
            ))
            .start();
        let header = bearer(&token(json!({})));
        let response = nginx.get_with("/", &[&header]);
        assert_eq!((response.status, response.body.as_str()), (200, "content"), "{kind}");
        let jwt = signed_by(&FORGER, &json!({}));
        assert_eq!(nginx.get_as("/", &jwt).status, 401, "{kind}");
    }
}

#[test]
fn token_is_found_at_every_place_of_a_long_list_of_header_fields() {
    let nginx =
        Nginx::with_server("listen unix:h2.sock http2; location / { return 200 $decoded_ojwt; }");
    let api_key = format!("Api-Key: {}", token(json!({"sub": "me"})));
    // nginx keeps twenty fields in each part of a list.
    for place in [0, 1, 17, 18, 19, 20, 21, 38, 39, 40, 41, 59, 60] {
        let mut lines: Vec<String> = (0..60).map(|i| format!("X-Filler-{i}: y")).collect();
        lines.insert(place, api_key.clone());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(nginx.get_with("/", &lines).body, r#"{"sub":"me"}"#, "{place}");
        let answer = http_2(&nginx.path("h2.sock"), "/", &lines);
        assert!(answer.ends_with(r#"{"sub":"me"}"#), "{place}: {answer}");
    }
}

#[test]
fn cookie_and_challenge_are_added_to_a_long_list_of_header_fields() {
    for fields in [0, 18, 19, 20, 21, 45] {
        let upstream = Upstream::with_answer(format!(
            "HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n\
             WWW-Authenticate: Basic realm=a\r\nWWW-Authenticate: Negotiate\r\n\
             Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n{}\r\n",
            (0..fields).map(|i| format!("X-Field-{i}: y\r\n")).collect::<String>()
        ));
        let nginx = Nginx::builder()
            .http("auth_jwt_key_file issuer.pem;")
            .server(&format!(
                "ojwt_cookie jwtcookie; add_header X-Sub $jwt_claim_sub always;
                 location / {{ proxy_pass http://{}; }}
                 location /gate {{ auth_jwt realm; proxy_pass http://{0}; }}",
                upstream.address()
            ))
            .start();
        let response = nginx.get(&format!("/?jwt={}", token(json!({"sub": "me"}))));
        let challenges = response.headers("WWW-Authenticate");
        assert_eq!(challenges, ["Basic realm=a", "Negotiate"], "{fields}");
        assert_eq!(response.header("X-Sub"), Some("me"), "{fields}");
        let cookies = response.headers("Set-Cookie");
        assert_eq!(cookies.len(), 3, "{fields}: {cookies:?}");
        assert_eq!(cookies[..2], ["a=1", "b=2"], "{fields}");
        assert!(cookies[2].starts_with("jwtcookie="), "{fields}: {cookies:?}");
        for i in 0..fields {
            assert_eq!(response.header(&format!("X-Field-{i}")), Some("y"), "{fields}");
        }
        let refused = nginx.get("/gate");
        assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer realm=\"realm\""));
    }
}

#[test]
fn challenges_of_several_modules_stand_side_by_side_and_go_if_one_is_met() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("users", "me:{PLAIN}secret\n")
        .http("auth_jwt_key_file issuer.pem; auth_basic_user_file users;")
        .server(
            "satisfy any; auth_basic basic; auth_jwt realm token=$cookie_token;
             location / { try_files /page.html =404; }",
        )
        .start();
    let refused = nginx.get("/");
    assert_eq!(refused.status, 401);
    let mut challenges = refused.headers("WWW-Authenticate");
    challenges.sort_unstable();
    assert_eq!(challenges, ["Basic realm=\"basic\"", "Bearer realm=\"realm\""]);
    let cookie = format!("Cookie: token={}", token(json!({})));
    // me:secret
    for header in [cookie.as_str(), "Authorization: Basic bWU6c2VjcmV0"] {
        let response = nginx.get_with("/", &[header]);
        assert_eq!((response.status, response.header("WWW-Authenticate")), (200, None), "{header}");
    }
}

#[test]
fn cookies_in_several_fields_are_all_read_over_http_1_and_2() {
    let nginx = Nginx::with_server(
        "listen unix:h2.sock http2;
         location / { return 200 \"$decoded_ojwt $cookie_first $cookie_last\"; }",
    );
    let jwt = format!("cookie: jwtcookie={}", token(json!({"sub": "me"})));
    for place in 0..3 {
        let mut lines = vec!["cookie: first=1; x=y", "cookie: z=; last=2"];
        lines.insert(place, &jwt);
        let expected = r#"{"sub":"me"} 1 2"#;
        assert_eq!(nginx.get_with("/", &lines).body, expected, "{place}");
        let answer = http_2(&nginx.path("h2.sock"), "/", &lines);
        assert!(
            answer.starts_with("HTTP/2 200") && answer.ends_with(expected),
            "{place}: {answer}"
        );
    }
}

#[test]
fn gate_works_over_http_3() {
    if !has_http_3() {
        return;
    }
    let nginx = over_quic(
        "location / { return 200 \"$server_protocol $decoded_ojwt $cookie_first $cookie_last\"; }
         location /gate { auth_jwt realm; try_files /page.html =404; }",
    );
    let jwt = token(json!({"sub": "me", "host": HOST}));
    let expected = r#"HTTP/3.0 {"sub":"me","host":"example.com"}  "#;
    for (target, headers) in [
        (format!("/?jwt={jwt}"), vec![]),
        ("/".to_owned(), vec![bearer(&jwt)]),
        ("/".to_owned(), vec![format!("Api-Key: {jwt}")]),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = http_3(&nginx, &target, &headers);
        assert!(answer.ends_with(expected), "{answer}");
    }
    let answer = http_3(&nginx, "/", &[]);
    assert!(answer.ends_with("HTTP/3.0 failed: no token  "), "{answer}");
    // The host that the token is for is the one that QUIC's client asks for.
    let elsewhere = token(json!({"host": "other.example"}));
    let answer = http_3(&nginx, &format!("/?jwt={elsewhere}"), &[]);
    assert!(answer.ends_with("failed: wrong host  "), "{answer}");

    let refused = http_3(&nginx, "/gate", &[]);
    assert!(refused.starts_with("HTTP/3 401"), "{refused}");
    assert_eq!(count(&refused, "\nwww-authenticate: Bearer realm=\"realm\"\n"), 1, "{refused}");
    let authorization = bearer(&jwt);
    let answer = http_3(&nginx, "/gate", &[&authorization]);
    assert!(answer.starts_with("HTTP/3 200") && answer.ends_with("content"), "{answer}");
}

#[test]
fn cookies_and_long_lists_of_header_fields_work_over_http_3() {
    if !has_http_3() {
        return;
    }
    let nginx = over_quic(
        "ojwt_cookie jwtcookie;
         location / { return 200 \"$decoded_ojwt $cookie_first $cookie_last\"; }",
    );
    let jwt = token(json!({"sub": "me"}));
    let cookie = format!("cookie: jwtcookie={jwt}");
    for place in 0..3 {
        let mut lines = vec!["cookie: first=1; x=y", "cookie: z=; last=2"];
        lines.insert(place, &cookie);
        let answer = http_3(&nginx, "/", &lines);
        assert!(answer.ends_with(r#"{"sub":"me"} 1 2"#), "{place}: {answer}");
    }
    let api_key = format!("Api-Key: {jwt}");
    for place in [0, 19, 20, 40] {
        let mut lines: Vec<String> = (0..40).map(|i| format!("X-Filler-{i}: y")).collect();
        lines.insert(place, api_key.clone());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = http_3(&nginx, "/", &lines);
        assert!(answer.ends_with(r#"{"sub":"me"}  "#), "{place}: {answer}");
    }
    // It came over TLS, which QUIC has built in.
    let answer = http_3(&nginx, &format!("/?jwt={jwt}"), &[]);
    assert_eq!(count(&answer, "\nset-cookie: jwtcookie="), 1, "{answer}");
    assert!(answer.contains("; Secure; HttpOnly; SameSite="), "{answer}");
}

#[test]
fn tunnel_opens_for_a_good_token_alone() {
    if !has_since("tunnels (CONNECT)", [1, 31, 0]) {
        return;
    }
    let upstream = Upstream::with_answer(ok("far end"));
    let nginx = Nginx::with_server(&format!(
        "auth_jwt tunnel; location / {{ tunnel_pass {}; }}",
        upstream.address()
    ));
    let connect = |header: &str| {
        nginx.send(
            format!(
                "CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n{header}\r\n\
                 GET /through HTTP/1.0\r\n\r\n"
            )
            .as_bytes(),
        )
    };
    let forged = signed_by(&FORGER, &json!({}));
    for header in [String::new(), format!("Authorization: Bearer {forged}\r\n")] {
        let refused = connect(&header);
        assert_eq!(refused.status, 401, "{header}");
        assert!(!refused.body.contains("far end"), "{header}");
    }
    assert!(upstream.requests().is_empty());
    let good = token(json!({"host": HOST}));
    let opened = connect(&format!("Authorization: Bearer {good}\r\n"));
    assert_eq!(opened.status, 200);
    assert!(opened.body.ends_with("far end"), "{}", opened.body);
    assert!(upstream.requests()[0].starts_with("GET /through "));
    let elsewhere = token(json!({"host": "other.example"}));
    assert_eq!(connect(&format!("Authorization: Bearer {elsewhere}\r\n")).status, 401);
}

#[test]
fn body_that_nginx_read_early_reaches_the_application_past_a_gate_that_fetches_keys() {
    if !has_since("bodies that are read early", [1, 31, 5]) {
        return;
    }
    let upstream = Upstream::start(|head, stream| {
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        let answer = ok(&String::from_utf8(body).unwrap());
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let keys = jwks(&[&ISSUER]);
    // What asks before keys can be fetched gets none, and spoils nothing.
    for early in ["1", "$is_good"] {
        let nginx = Nginx::builder()
            .http("map $decoded_ojwt $is_good { ~^failed 0; default 1; }")
            .server(&format!(
                "client_body_early_read {early}; auth_jwt realm; auth_jwt_key_request /keys;
                 location / {{ proxy_pass http://{}; }}
                 location = /keys {{ internal; auth_jwt off; return 200 '{keys}'; }}",
                upstream.address()
            ))
            .start();
        let post = |jwt: &str| {
            let body = "x".repeat(30_000);
            let request = format!(
                "POST / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\
                 Authorization: Bearer {jwt}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            nginx.send(request.as_bytes())
        };
        let response = post(&token(json!({})));
        assert_eq!((response.status, response.body.len()), (200, 30_000), "{early}");
        assert_eq!(post(&signed_by(&FORGER, &json!({}))).status, 401, "{early}");
    }
}
