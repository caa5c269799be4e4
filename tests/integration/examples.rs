//! Every file of `nginx-conf/`, loaded as its users load it.

use std::fs;

use serde_json::json;

use crate::harness::{FORGER, Module, Nginx, bearer, now, root, signed_by, token};

/// `nginx.conf` with one example in `conf.d`, made to listen where the test does.
fn example(name: &str) -> Nginx {
    let read = |file: &str| fs::read_to_string(root().join("nginx-conf").join(file)).unwrap();
    let listen = |text: &str| {
        let lines = text.lines().map(|line| match line.trim().strip_prefix("listen 80") {
            Some(rest) if rest.starts_with("89;") => "listen ADDRESS;".to_owned(),
            Some(_) => "listen unix:upstream.sock;".to_owned(),
            None => line.replace("http://127.0.0.1:8091", "http://unix:upstream.sock"),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    // The places that were compiled in belong to the nginx of this machine.
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path tmp/{kind};\n"))
        .concat();
    let main = read("nginx.conf");
    assert!(main.contains("include conf.d/*.conf;"));
    let main = main
        .replace("modules/ngx_http_ojwt_module.so", "\"MODULE\"")
        .replace("error_log stderr notice;", "error_log error.log info; pid nginx.pid;")
        .replace("/dev/stdout", "access.log")
        .replace("include conf.d/*.conf;", &(temporary + &listen(&read(name))));
    Nginx::builder()
        .module(Module::Embedded)
        .file("html/index.html", read("html/index.html"))
        .file("html/protected/hello_world.txt", read("html/protected/hello_world.txt"))
        .whole(&main)
        .start()
}

#[test]
fn example_conf_protects_a_location() {
    let nginx = example("example.conf");
    let valid = token(json!({"message": "hi", "host": "example.com", "exp": now() + 60}));
    let target = format!("/protected/hello_world.txt?jwt={valid}");
    let response = nginx.get(&target);
    assert_eq!((response.status, response.body.as_str()), (200, "Hello world.\n"));
    for (target, verdict) in [
        ("/protected/hello_world.txt".to_owned(), "failed: no token"),
        (
            format!("/protected/?jwt={}", signed_by(&FORGER, &json!({}))),
            "failed: signature mismatch",
        ),
        (format!("/protected/?jwt={}", token(json!({"exp": now() - 1}))), "failed: token expired"),
    ] {
        let response = nginx.get(&target);
        assert_eq!((response.status, response.body.as_str()), (401, verdict));
    }
    assert_eq!(nginx.get("/").status, 200);
    let elsewhere = nginx.get_with(&target, &["Host: localhost"]);
    assert_eq!((elsewhere.status, elsewhere.body.as_str()), (401, "failed: wrong host"));
}

#[test]
fn health_check_shows_the_claims_in_a_response_header() {
    let nginx = example("example.conf");
    let jwt = token(json!({"message": "hi"}));
    let response = nginx.get(&format!("/token-health-check?jwt={jwt}"));
    assert_eq!((response.status, response.body.as_str()), (200, "token validated"));
    assert_eq!(response.header("X-decoded-ojwt"), Some(r#"{"message":"hi"}"#));
    let refused = nginx.get("/token-health-check");
    assert_eq!((refused.status, refused.body.as_str()), (401, "failed: no token"));
}

#[test]
fn access_log_of_nginx_conf_tells_the_status_and_never_the_token() {
    let nginx = example("example.conf");
    let jwt = token(json!({}));
    nginx.get(&format!("/protected/hello_world.txt?jwt={jwt}"));
    nginx.get("/protected/");
    nginx.wait("two lines", || nginx.file("access.log").lines().count() == 2);
    let log = nginx.file("access.log");
    assert!(log.contains("\"GET /protected/hello_world.txt\" 200 ojwt=ok\n"), "{log}");
    assert!(log.contains("\"GET /protected/\" 401 ojwt=no_token\n"), "{log}");
    assert!(!log.contains(&jwt));
}

#[test]
fn proxy_conf_hands_on_the_claims_and_keeps_the_token() {
    let nginx = example("proxy.conf");
    let jwt = token(json!({"sub": "me"}));
    let show = |target: &str, headers: &[&str]| nginx.get_with(target, headers);
    let response = show(
        &format!("/app/a%20b?x=1&jwt={jwt}&y=%2F"),
        &["X-Ojwt-Claims: {\"sub\":\"admin\"}", "Cookie: jwtcookie=x; theme=dark"],
    );
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(
        response.body,
        "uri=/app/a%20b?x=1&y=%2F\nclaims={\"sub\":\"me\"}\ncookie=theme=dark\n\
         authorization=\napi-key=\n"
    );
    for header in [bearer(&jwt), format!("Api-Key: {jwt}"), format!("Cookie: jwtcookie={jwt}")] {
        let response = show("/app/", &[&header]);
        assert_eq!(
            response.body,
            "uri=/app/\nclaims={\"sub\":\"me\"}\ncookie=\nauthorization=\napi-key=\n"
        );
    }
    let refused = show("/app/", &["X-Ojwt-Claims: {\"sub\":\"admin\"}"]);
    assert_eq!((refused.status, refused.body.as_str()), (401, "failed: no token"));
}

#[test]
fn every_file_of_the_folder_is_loaded_by_a_test() {
    let mut names: Vec<String> = fs::read_dir(root().join("nginx-conf"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // Each is named in a test above, flask.conf in one of the Python package; a new one wants its
    // own.
    assert_eq!(names, ["example.conf", "flask.conf", "html", "nginx.conf", "proxy.conf"]);
}
