//! Warnings at `nginx -t`, of configurations that do something, but hardly what was meant.

use std::os::unix::fs::PermissionsExt as _;
use std::{env, fs};

use serde_json::json;

use crate::harness::{
    Builder, FORGER, ISSUER, Nginx, is_root, jwks, key, public_pem, skipped, token,
};

fn builder(http: &str, server: &str) -> Builder {
    Nginx::builder()
        .file("a.jwks", jwks(&[&ISSUER]))
        .file("b.jwks", jwks(&[&FORGER]))
        .file("a.pem", public_pem(&ISSUER))
        .file("b.pem", public_pem(&FORGER))
        .file("ec.pem", public_pem(&key("ec_prime256v1.pem")))
        .file("html/page.html", "content")
        .http(http)
        .server(server)
}

/// The warnings, from the time that follows their level.
fn warnings(http: &str, server: &str) -> Vec<String> {
    let text = builder(http, server).accepted();
    let lines = text.lines().filter_map(|line| line.split_once("[warn] "));
    lines.map(|(_, message)| message.to_owned()).collect()
}

/// The line of a directive of the server, counted from its first.
fn line(number: usize) -> String {
    format!("nginx.conf:{}", 15 + number)
}

#[test]
fn algorithms_that_no_key_of_the_level_is_for_are_told_once() {
    let told = warnings(
        "",
        "
         auth_jwt_algorithms RS256 EdDSA;
         location /a { auth_jwt_key_file ec.pem; }
         location /b { auth_jwt_key_file ec.pem; location /b/c { auth_jwt_leeway 1s; } }
         location /good { auth_jwt_key_file a.pem; }",
    );
    let message = format!(
        "\"auth_jwt_algorithms RS256 EdDSA\" is not met by any key of {}: every token is refused in {}",
        line(2),
        line(1)
    );
    assert_eq!(told, [message]);
    let jwk = r#"{"keys":[{"kty":"oct","alg":"HS256","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#;
    let text = builder("", "ojwt_key_file hs.jwks; ojwt_algorithms HS512;")
        .file("hs.jwks", jwk)
        .accepted();
    assert!(text.contains("\"ojwt_algorithms HS512\" is not met"), "{text}");
}

#[test]
fn algorithms_that_a_key_may_be_for_are_not_told() {
    for server in [
        "auth_jwt_key_file ec.pem; auth_jwt_algorithms RS256 ES256;",
        "auth_jwt_key_file ec.pem; auth_jwt_key_file a.pem; auth_jwt_algorithms PS256;",
        "auth_jwt_key_file ec.pem; auth_jwt_key_file $arg_k.pem; auth_jwt_algorithms RS256;",
        "auth_jwt_key_file ec.pem; auth_jwt_key_request /k; auth_jwt_algorithms RS256;",
        "auth_jwt_algorithms RS256;",
    ] {
        assert_eq!(warnings("", server), [""; 0], "{server}");
    }
    // What the level around says of algorithms is for its own levels.
    assert_eq!(warnings("auth_jwt_algorithms RS256;", "auth_jwt_key_file a.pem;"), [""; 0]);
}

#[test]
fn keys_of_several_issuers_are_told_where_nothing_looks_at_the_issuer() {
    for server in [
        "\nauth_jwt realm;\nauth_jwt_key_file a.jwks;\nauth_jwt_key_file b.jwks;",
        "\nauth_jwt realm;\nauth_jwt_key_file a.jwks;\nauth_jwt_key_request /b;
         location /inherits { } location /too { auth_jwt_require_claim aud eq me; }",
        "\nlocation / { auth_jwt realm; }\nauth_jwt_key_request /a;\nauth_jwt_key_request /b;",
    ] {
        let told = warnings("", server);
        assert_eq!(told.len(), 1, "{server}: {told:?}");
        let first =
            format!("beside the keys of {} there are others, and nothing looks at", line(2));
        assert!(told[0].starts_with(&first) && told[0].ends_with(&line(3)), "{server}: {told:?}");
    }
}

#[test]
fn keys_of_one_issuer_or_of_several_that_are_told_apart_are_not_told() {
    let two = "auth_jwt realm; auth_jwt_key_file a.jwks; auth_jwt_key_file b.jwks;";
    for (http, server) in [
        // As keys are rotated.
        ("", "auth_jwt realm; auth_jwt_key_file a.pem; auth_jwt_key_file b.pem;"),
        ("", "auth_jwt realm; auth_jwt_key_file a.pem; auth_jwt_key_request /b;"),
        ("", "auth_jwt realm; auth_jwt_key_file a.jwks; auth_jwt_key_file $jwt_header_kid.jwks;"),
        ("", "auth_jwt_key_file a.jwks; auth_jwt_key_file b.jwks;"),
        ("", &format!("{two} auth_jwt_require_claim iss in 'json=[\"a\",\"b\"]';")),
        ("", &format!("{two} auth_jwt_require_claim .iss eq a;")),
        ("map $jwt_claim_iss $is_ours { a 1; }", &format!("{two} auth_jwt_require $is_ours;")),
        ("map $ojwt_claim_iss $is_ours { a 1; }", &format!("{two} auth_jwt_require $is_ours;")),
        ("auth_jwt_claim_set $issuer iss;", &format!("{two} add_header X $issuer;")),
    ] {
        assert_eq!(warnings(http, server), [""; 0], "{http} {server}");
    }
}

#[test]
fn claim_that_is_required_as_if_it_were_a_condition_is_told() {
    let http = "auth_jwt_claim_set $flag flags beta; map $jwt_claim_admin $is_admin { true 1; }";
    for (value, shown) in [
        ("$jwt_claim_admin", "$jwt_claim_admin"),
        ("${jwt_claim_admin}", "${jwt_claim_admin}"),
        ("$ojwt_claim_admin", "$ojwt_claim_admin"),
        ("$uri $flag", "$flag"),
    ] {
        let told = warnings(http, &format!("\nauth_jwt_require {value} error=403;"));
        let message = format!(
            "\"{shown}\" in \"auth_jwt_require\" is met by the claims false, null and {{}}, too: a map or \
             \"auth_jwt_require_claim\" says which values are meant in "
        );
        assert_eq!(told.len(), 1, "{value}: {told:?}");
        assert!(told[0].starts_with(&message) && told[0].ends_with(&line(1)), "{told:?}");
    }
    // The types of these are checked.
    let server = "auth_jwt_require $is_admin $jwt_claim_exp $jwt_claim_sub $jwt_claim_jti $uri;";
    assert_eq!(warnings(http, server), [""; 0]);
}

#[test]
fn required_claim_is_met_by_false_null_and_an_empty_object_as_is_told() {
    let nginx = builder(
        "auth_jwt_key_file a.pem;",
        "auth_jwt realm; auth_jwt_require $jwt_claim_x error=403;
         location / { try_files /page.html =404; }",
    )
    .start();
    for (x, status) in [
        (json!(false), 200),
        (json!(null), 200),
        (json!({}), 200),
        (json!(0), 403),
        (json!(""), 403),
        (json!([]), 403),
        (json!("0"), 403),
    ] {
        let jwt = token(json!({"x": x.clone()}));
        assert_eq!(nginx.get_as("/", &jwt).status, status, "{x}");
    }
}

/// A configuration whose workers are another user than its master.
fn with_user(user: &str, server: &str) -> Builder {
    Nginx::builder().user(user).file("list", "mallory\n").server(server)
}

#[test]
fn files_that_workers_cannot_read_are_told_with_path_and_user() {
    if !is_root() {
        return skipped("files that workers cannot read: nginx is not started by root");
    }
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str, mode| {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(folder.path().join("keys")).unwrap();
    fs::write(folder.path().join("list"), "mallory\n").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let server = format!(
        "auth_jwt_revocation_list_sub {}; auth_jwt_revocation_list_jti {0};
         location / {{ auth_jwt_revocation_list_sub list; }}
         location /k {{ auth_jwt_key_file {}/$arg_k.pem; }}",
        path("list"),
        path("keys")
    );
    let list = format!(
        "[warn] ojwt: revocation list \"{}\" cannot be read by user \"daemon\", whom workers run as",
        path("list")
    );
    let keys = format!(
        "[warn] ojwt: folder \"{}/\" of key files is closed to user \"daemon\"",
        path("keys")
    );
    for (outer, file, inner, is_list_told, are_keys_told) in [
        (0o755, 0o644, 0o755, false, false),
        (0o755, 0o644, 0o711, false, false),
        (0o755, 0o600, 0o700, true, true),
        (0o755, 0o640, 0o644, true, true),
        (0o700, 0o644, 0o755, true, true),
    ] {
        mode("", outer);
        mode("list", file);
        mode("keys", inner);
        let text = with_user("daemon", &server).accepted();
        let modes = format!("{outer:o} {file:o} {inner:o}: {text}");
        assert_eq!(text.matches(&list).count(), usize::from(is_list_told), "{modes}");
        assert_eq!(text.matches(&keys).count(), usize::from(are_keys_told), "{modes}");
        assert!(!with_user("root", &server).accepted().contains("[warn]"), "{modes}");
    }
    // And when it starts; but AddressSanitizer writes its reports as the user who runs the tests.
    if env::var_os("ASAN_OPTIONS").is_none() {
        with_user("daemon", &server).start().wait_for_log("whom workers run as");
    }
}
