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
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    assert_eq!(nginx.get("/?%6Awt=x").body, "failed: no token");
}

#[test]
fn names_are_those_of_ojwt_token_from() {
    let nginx = oracle("ojwt_token_from arg=t arg=u cookie=c bearer;");
    let response = nginx.get_with("/?t=1&jwt=2&u=3", &["Cookie: c=1; jwtcookie=2"]);
    assert_eq!(response.body, "[jwt=2] [jwtcookie=2]");
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
