//! `auth_jwt_www_authenticate`: the header of a refusal.

use crate::harness::{Nginx, refuses_parameters};

#[test]
fn is_that_of_rfc_6750_or_none_or_ones_own() {
    let nginx = Nginx::with_server(
        "auth_jwt realm;
         location /default { }
         location /off { auth_jwt_www_authenticate off; }
         location /own { auth_jwt_www_authenticate 'Bearer scope=\"$arg_scope\"'; }
         location /off/on { auth_jwt_www_authenticate on; }",
    );
    for (target, header) in [
        ("/default", Some("Bearer realm=\"realm\"")),
        ("/off", None),
        ("/own?scope=a", Some("Bearer scope=\"a\"")),
        ("/off/on", Some("Bearer realm=\"realm\"")),
    ] {
        let response = nginx.get(target);
        assert_eq!((response.status, response.header("WWW-Authenticate")), (401, header));
    }
}

#[test]
fn own_one_that_is_empty_is_none() {
    let nginx = Nginx::with_server(
        "auth_jwt realm; auth_jwt_www_authenticate $arg_challenge; location / { }",
    );
    let value = |target: &str| nginx.get(target).headers("WWW-Authenticate").len();
    assert_eq!(value("/"), 0);
    assert_eq!(value("/?challenge="), 0);
    assert_eq!(value("/?challenge=Bearer"), 1);
}

#[test]
fn is_that_of_the_methods_that_limit_except_guards() {
    let nginx = Nginx::with_server(
        "location / {
             auth_jwt_www_authenticate off; auth_jwt outer;
             limit_except GET { auth_jwt inner; auth_jwt_www_authenticate 'Bearer scope=\"write\"'; }
         }",
    );
    assert_eq!(nginx.get("/").header("WWW-Authenticate"), None);
    let request = "DELETE / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n";
    let response = nginx.send(request.as_bytes());
    assert_eq!(response.status, 401);
    assert_eq!(response.header("WWW-Authenticate"), Some("Bearer scope=\"write\""));
}

#[test]
fn header_stays_one_line() {
    let nginx = Nginx::with_server("auth_jwt realm; auth_jwt_www_authenticate 'X $uri';");
    let response = nginx.get("/a%0d%0aSet-Cookie:%20b=c");
    assert_eq!(response.header("WWW-Authenticate"), Some("X /a  Set-Cookie: b=c"));
    assert_eq!(response.header("Set-Cookie"), None);
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "auth_jwt_www_authenticate",
        &[
            ("", "invalid number of arguments"),
            ("''", "invalid value \"\" in \"auth_jwt_www_authenticate\""),
            ("on; auth_jwt_www_authenticate off", "directive is duplicate"),
            ("$nosuch", "unknown \"nosuch\" variable"),
        ],
    );
}
