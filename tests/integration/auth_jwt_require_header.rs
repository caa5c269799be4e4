//! `auth_jwt_require_header`: what the header of a token must be.

use ojwt_core::Alg;

use crate::harness::{FORGER, ISSUER, Nginx, refuses_parameters};

fn oracle(server: &str) -> Nginx {
    Nginx::builder().http("auth_jwt_key_file issuer.pem;").server(server).start()
}

fn verdict(nginx: &Nginx, target: &str, header: &str) -> String {
    let jwt = ISSUER.sign_with_header(Alg::RS256, header.as_bytes(), b"{}").unwrap();
    nginx.get_as(target, &jwt).body
}

#[test]
fn parameters_are_compared_as_claims_are() {
    let nginx = oracle(
        "location = /typ { auth_jwt_require_header typ eq at+jwt; return 200 $decoded_ojwt; }
         location = /kid { auth_jwt_require_header kid match ^prod-; return 200 $decoded_ojwt; }
         location = /not { auth_jwt_require_header kid !match ^test-; return 200 $decoded_ojwt; }
         location = /in { auth_jwt_require_header kid in 'json=[\"a\"]'; return 200 $decoded_ojwt; }
         location = /x { auth_jwt_require_header .x.y[1] ge 2; return 200 $decoded_ojwt; }
         location = /arg { auth_jwt_require_header kid eq $arg_kid; return 200 $decoded_ojwt; }
         location = /same {
             auth_jwt_require_header kid eq $jwt_header_x5t; return 200 $decoded_ojwt;
         }",
    );
    for (target, header, is_met) in [
        ("/typ", r#"{"alg":"RS256","typ":"at+jwt"}"#, true),
        ("/typ", r#"{"alg":"RS256","typ":"JWT"}"#, false),
        ("/typ", r#"{"alg":"RS256"}"#, false),
        ("/kid", r#"{"alg":"RS256","kid":"prod-1"}"#, true),
        ("/kid", r#"{"alg":"RS256","kid":"x-prod-1"}"#, false),
        ("/not", r#"{"alg":"RS256","kid":"prod-1"}"#, true),
        ("/not", r#"{"alg":"RS256","kid":"test-1"}"#, false),
        ("/not", r#"{"alg":"RS256"}"#, false),
        ("/in", r#"{"alg":"RS256","kid":"a"}"#, true),
        ("/in", r#"{"alg":"RS256","kid":"b"}"#, false),
        ("/x", r#"{"alg":"RS256","x":{"y":[1,2]}}"#, true),
        ("/x", r#"{"alg":"RS256","x":{"y":[2]}}"#, false),
        ("/arg?kid=a", r#"{"alg":"RS256","kid":"a"}"#, true),
        ("/arg?kid=b", r#"{"alg":"RS256","kid":"a"}"#, false),
        ("/arg", r#"{"alg":"RS256","kid":""}"#, false),
        ("/same", r#"{"alg":"RS256","kid":"a","x5t":"a"}"#, true),
        ("/same", r#"{"alg":"RS256","kid":"a","x5t":"b"}"#, false),
    ] {
        let expected = if is_met { "{}" } else { "failed: claim rejected" };
        assert_eq!(verdict(&nginx, target, header), expected, "{target} {header}");
    }
}

/// RFC 7515 section 4.1.9.
#[test]
fn media_types_are_the_same_with_and_without_application_in_any_case() {
    let nginx = oracle(
        "location = /eq { auth_jwt_require_header typ eq at+jwt; return 200 $decoded_ojwt; }
         location = /long {
             auth_jwt_require_header .typ eq application/AT+jwt; return 200 $decoded_ojwt;
         }
         location = /not { auth_jwt_require_header typ !eq at+jwt; return 200 $decoded_ojwt; }
         location = /in {
             auth_jwt_require_header typ in 'json=[\"JWT\",\"at+jwt\"]'; return 200 $decoded_ojwt;
         }
         location = /notin {
             auth_jwt_require_header typ !in 'json=[\"x\",\"at+jwt\"]'; return 200 $decoded_ojwt;
         }
         location = /any { auth_jwt_require_header typ any 'json=[\"at+jwt\"]'; return 200 $decoded_ojwt; }
         location = /variable { auth_jwt_require_header typ eq $arg_typ; return 200 $decoded_ojwt; }
         location = /match { auth_jwt_require_header typ match ^at; return 200 $decoded_ojwt; }
         location = /cty { auth_jwt_require_header cty eq x+json; return 200 $decoded_ojwt; }
         location = /kid { auth_jwt_require_header kid eq at+jwt; return 200 $decoded_ojwt; }
         location = /nested { auth_jwt_require_header .a.typ eq at+jwt; return 200 $decoded_ojwt; }",
    );
    let with = |name: &str, value: &str| format!(r#"{{"alg":"RS256","{name}":"{value}"}}"#);
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        for (target, is_met) in [
            ("/eq", true),
            ("/long", true),
            ("/not", false),
            ("/in", true),
            ("/notin", false),
            ("/any", true),
            ("/variable?typ=Application/at%2Bjwt", true),
            ("/variable?typ=at%2Bjwt", true),
        ] {
            let target = target.replace("%2B", "+");
            let expected = if is_met { "{}" } else { "failed: claim rejected" };
            assert_eq!(verdict(&nginx, &target, &with("typ", typ)), expected, "{target} {typ}");
        }
    }
    // Another type is another, and a type that is not there meets nothing.
    for typ in ["jwt", "text/at+jwt", "application/x/at+jwt", "applicationat+jwt", "/at+jwt", ""] {
        for target in ["/eq", "/long", "/any"] {
            let header = with("typ", typ);
            assert_eq!(verdict(&nginx, target, &header), "failed: claim rejected", "{typ}");
        }
        assert_eq!(verdict(&nginx, "/not", &with("typ", typ)), "{}", "{typ}");
    }
    for target in ["/eq", "/not", "/in", "/notin"] {
        let header = r#"{"alg":"RS256"}"#;
        assert_eq!(verdict(&nginx, target, header), "failed: claim rejected", "{target}");
    }
    for (target, name, value, is_met) in [
        ("/match", "typ", "at+jwt", true),
        ("/match", "typ", "application/at+jwt", false),
        ("/cty", "cty", "Application/X+JSON", true),
        ("/kid", "kid", "at+jwt", true),
        ("/kid", "kid", "AT+JWT", false),
        ("/kid", "kid", "application/at+jwt", false),
    ] {
        let expected = if is_met { "{}" } else { "failed: claim rejected" };
        assert_eq!(verdict(&nginx, target, &with(name, value)), expected, "{target} {value}");
    }
    let header = r#"{"alg":"RS256","a":{"typ":"AT+JWT"}}"#;
    assert_eq!(verdict(&nginx, "/nested", header), "failed: claim rejected");
}

#[test]
fn claims_do_not_pass_for_header_parameters() {
    let nginx =
        oracle("auth_jwt_require_header kid eq a; location / { return 200 $decoded_ojwt; }");
    let jwt = ISSUER.sign(Alg::RS256, None, br#"{"kid":"a"}"#).unwrap();
    assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, "failed: claim rejected");
}

#[test]
fn required_algorithm_admits_no_other_and_none_of_its_own() {
    let nginx = oracle(
        "location = /none { auth_jwt_require_header alg eq none; return 200 $decoded_ojwt; }
         location = /hs { auth_jwt_require_header alg eq HS256; return 200 $decoded_ojwt; }
         location = /rs { auth_jwt_require_header alg eq RS256; return 200 $decoded_ojwt; }",
    );
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    assert_eq!(nginx.get(&format!("/none?jwt={unsigned}")).body, "failed: unsupported algorithm");
    let header = r#"{"alg":"RS256"}"#;
    assert_eq!(verdict(&nginx, "/none", header), "failed: claim rejected");
    assert_eq!(verdict(&nginx, "/hs", header), "failed: claim rejected");
    assert_eq!(verdict(&nginx, "/rs", header), "{}");
    let forged = FORGER.sign_with_header(Alg::RS256, header.as_bytes(), b"{}").unwrap();
    assert_eq!(nginx.get(&format!("/rs?jwt={forged}")).body, "failed: signature mismatch");
}

#[test]
fn refusal_names_the_parameter_in_the_log_alone() {
    let nginx = oracle(
        "location = /a { auth_jwt_require_header kid eq a; return 200 $decoded_ojwt; }
         location = /b { auth_jwt_require_header kid eq $uri; return 200 $decoded_ojwt; }",
    );
    let header = r#"{"alg":"RS256","kid":"prod-1"}"#;
    assert_eq!(verdict(&nginx, "/a", header), "failed: claim rejected");
    assert_eq!(verdict(&nginx, "/b", header), "failed: claim rejected");
    nginx.wait("two lines", || nginx.count_in_log("claim rejected: header kid eq, client:") == 2);
    assert!(!nginx.error_log().contains("prod-1"));
}

#[test]
fn mistakes_are_refused_with_file_line_and_reason() {
    refuses_parameters(
        "auth_jwt_require_header",
        &[
            ("kid eq", "invalid number of arguments in \"auth_jwt_require_header\" directive"),
            ("[x] eq a", "invalid path \"[x]\""),
            ("kid nmatch a", "unknown operator \"nmatch\""),
            ("kid match [", "pattern \"[\": unclosed character class"),
        ],
    );
}
