//! `$ojwt_args` and `$ojwt_http_cookie`: what is left of a request without its token.

use crate::harness::Nginx;

fn oracle(directives: &str) -> Nginx {
    Nginx::with_server(&format!(
        "{directives} location / {{ return 200 \"[$ojwt_args] [$ojwt_http_cookie]\"; }}"
    ))
}

#[test]
fn every_occurrence_of_the_token_is_left_out_and_all_else_kept() {
    let nginx = oracle("");
    let response = nginx.get_with(
        "/?a=1&jwt=x&b=%2F&jwt=y&c",
        &["Cookie: a=1; jwtcookie=x;b=2", "Cookie: jwtcookie=y; c=3"],
    );
    assert_eq!(response.body, "[a=1&b=%2F&c] [a=1; b=2; c=3]");
    assert_eq!(nginx.get_with("/?jwt=x", &["Cookie: jwtcookie=x"]).body, "[] []");
    assert_eq!(nginx.get("/").body, "[] []");
}

/// An application decodes names, and would read a token that nobody judged.
#[test]
fn second_token_under_an_encoded_name_is_left_out_too() {
    let nginx = oracle("");
    assert_eq!(nginx.get("/?jwt=x&a=1&%6Awt=y&%6a%77%74=z").body, "[a=1] []");
}

/// Parsers of queries split at semicolons, trim, cut at a NUL, ignore case, or make arrays.
#[test]
fn arguments_that_another_parser_reads_as_the_token_are_left_out_and_all_else_is_kept() {
    let nginx = oracle("");
    for (args, left) in [
        ("a=1&%20jwt=x&b=%2F+", "a=1&b=%2F+"),
        ("+jwt=x&a=1", "a=1"),
        ("x=1;jwt=x&y=2;z", "x=1&y=2;z"),
        ("jwt%00=x&jwt[]=x&jwt%5B0%5D=x&JWT=x&a=%5b%5d", "a=%5b%5d"),
        ("a=jwt=x&jwtx=1&xjwt=2&jwt", "a=jwt=x&jwtx=1&xjwt=2&jwt"),
    ] {
        assert_eq!(nginx.get(&format!("/?{args}")).body, format!("[{left}] []"), "{args}");
    }
}

/// Parsers of cookies split at white space and at commas, trim, or decode names.
#[test]
fn cookies_that_another_parser_reads_as_the_token_are_left_out_and_all_else_is_kept() {
    let nginx = oracle("");
    for (cookies, left) in [
        ("x=1 jwtcookie=EVIL", "x=1"),
        ("x=1, jwtcookie=EVIL; y=2", "x=1; y=2"),
        ("x=a b jwtcookie = EVIL c", "x=a b c"),
        ("%6awtcookie=EVIL; a=1", "a=1"),
        ("jwtcookie\u{b}=EVIL; a=1", "a=1"),
        ("JWTcookie=EVIL; jwtcookie[]=EVIL; jwtcookiex=a b,c", "jwtcookiex=a b,c"),
    ] {
        let response = nginx.get_with("/", &[&format!("Cookie: {cookies}")]);
        // Newer versions of nginx refuse a control character.
        let is_refused = response.status == 400 && cookies.contains('\u{b}');
        assert!(is_refused || response.body == format!("[] [{left}]"), "{cookies:?} {response:?}");
    }
}

#[test]
fn names_are_those_of_ojwt_token_from() {
    let nginx = oracle("ojwt_token_from arg=t arg=u cookie=c bearer;");
    let response = nginx.get_with("/?t=1&jwt=2&u=3", &["Cookie: c=1; jwtcookie=2"]);
    assert_eq!(response.body, "[jwt=2] [jwtcookie=2]");
}

#[test]
fn names_are_also_those_that_auth_jwt_takes_a_token_from() {
    let nginx = oracle("auth_jwt realm token=$arg_t;");
    assert_eq!(nginx.get("/?t=1&jwt=2&u=3").body, "[u=3] []");
    let nginx = oracle("auth_jwt realm token=${cookie_c};");
    let response = nginx.get_with("/?c=1", &["Cookie: c=1; jwtcookie=2; d=3"]);
    assert_eq!(response.body, "[c=1] [d=3]");
}

#[test]
fn forwarded_arguments_lose_the_token_and_keep_their_encoding() {
    let nginx = Nginx::with_server(
        "listen unix:up.sock;
         location /in/ {
             if ($decoded_ojwt = x) { return 500; }
             set $args $ojwt_args;
             proxy_pass http://unix:up.sock;
             proxy_set_header X-Was-In 1;
             rewrite ^/in/(.*) /out/$1 break;
         }
         location /out/ { return 200 $request_uri; }",
    );
    assert_eq!(nginx.get("/in/a%20b?jwt=x&q=%2f").body, "/out/a%20b?q=%2f");
    assert_eq!(nginx.get("/in/a?jwt=x").body, "/out/a");
}
