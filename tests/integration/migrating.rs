//! The examples of `docs/migrating.md`: what is to be replaced is refused, by name, and what replaces
//! it works.

use std::fs;

use ojwt_core::Alg;
use ojwt_core::sign::{SigningKey, to_jwk};
use serde_json::{Value, json};

use crate::harness::{Builder, FORGER, ISSUER, Nginx, Response, now, public_pem, root, token};

/// The examples of a section: those to be replaced, and those that replace them.
fn examples(section: &str) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(root().join("docs/migrating.md")).unwrap();
    let section = text
        .split("\n## ")
        .find(|part| part.starts_with(section))
        .unwrap_or_else(|| panic!("no section {section}"));
    let blocks = |language: &str| {
        let open = format!("\n```{language}\n");
        let blocks = section.split(&open).skip(1);
        blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
    };
    (blocks("nginx-before"), blocks("nginx"))
}

fn builder(example: &str) -> Builder {
    let listening = example.replace("listen 80;", "listen ADDRESS; server_name example.com;");
    Nginx::builder()
        .whole(&format!(
            "load_module \"MODULE\"; pid nginx.pid; error_log error.log info; events {{}}
             http {{
                 access_log off; client_body_temp_path tmp/a; proxy_temp_path tmp/b;
                 fastcgi_temp_path tmp/c; uwsgi_temp_path tmp/d; scgi_temp_path tmp/e;
                 {listening}
             }}"
        ))
        .file("html/site/index.html", "site")
        .file("html/cookie/index.html", "cookie")
        .file("html/fetched/index.html", "fetched")
        .file("html/secure/index.html", "secure")
        .file("html/protected/index.html", "protected")
        .file("html/index.html", "root")
}

fn get(nginx: &Nginx, target: &str, token: &str) -> Response {
    nginx.get_with(target, &[&format!("Authorization: Bearer {token}")])
}

#[test]
fn configuration_of_the_paid_module_runs_unchanged() {
    let (before, same) = examples("From NGINX Plus");
    assert_eq!((before.len(), same.len()), (0, 1));
    let keys = json!({"keys": [to_jwk(&ISSUER.material().unwrap(), Some("1"), None)]});
    let nginx = builder(&same[0].replace("alias keys.jwks", "root .; try_files /keys.jwks =404"))
        .file("keys.jwks", keys.to_string())
        .start();
    let claims = json!({
        "iss": "https://idp.example.com", "sub": "me", "realm_access": {"roles": ["a", "b"]},
        "exp": now() - 10,
    });
    let good = token(claims.clone());
    let response = get(&nginx, "/site/", &good);
    assert_eq!((response.status, response.body.as_str()), (200, "site"));
    assert_eq!(response.header("X-Subject"), Some("me"));
    assert_eq!(response.header("X-Roles"), Some("a,b"));
    let mut stranger = claims;
    stranger["iss"] = json!("https://other.example.com");
    assert_eq!(get(&nginx, "/site/", &token(stranger)).status, 403);
    let response = nginx.get("/site/");
    assert_eq!(response.status, 401);
    assert_eq!(response.header("WWW-Authenticate"), Some("Bearer realm=\"closed site\""));
    assert_eq!(nginx.get_with("/cookie/", &[&format!("Cookie: auth_token={good}")]).body, "cookie");
    assert_eq!(get(&nginx, "/cookie/", &good).status, 401);
    assert_eq!(get(&nginx, "/fetched/", &good).body, "fetched");
    let forged = crate::harness::signed_by(&FORGER, &json!({}));
    assert_eq!(get(&nginx, "/fetched/", &forged).status, 401);
}

#[test]
fn configuration_of_kjdevs_module_runs_with_the_changes_that_are_named() {
    let (before, after) = examples("From kjdev's");
    let keys = json!({ "1": public_pem(&ISSUER) }).to_string();
    let start = |example: &str| {
        builder(example)
            .file("keys.json", keys.as_str())
            .file("revoked.json", r#"{"mallory": {"locked_reason": "left"}}"#)
    };
    let refusal = start(&before[0]).refused();
    assert!(refusal.contains("unknown directive \"auth_jwt_allow_nested\""), "{refusal}");
    let nginx = start(&after[0]).start();
    let signed =
        |claims: Value| ISSUER.sign(Alg::RS256, Some("1"), claims.to_string().as_bytes()).unwrap();
    let of = |sub: &str, roles: Value, iss: &str| {
        signed(json!({"sub": sub, "realm_access": {"roles": roles}, "iss": iss}))
    };
    for (jwt, status) in [
        (of("alice", json!(["user", "admin"]), "https://idp.example.com"), 200),
        (of("alice", json!(["user"]), "https://idp.example.com"), 401),
        (of("alice", json!(["admin"]), "https://old.example.com"), 401),
        (of("mallory", json!(["admin"]), "https://idp.example.com"), 401),
        (signed(json!({"sub": "alice", "iss": "https://idp.example.com"})), 401),
    ] {
        assert_eq!(get(&nginx, "/", &jwt).status, status, "{}", nginx.error_log());
    }
}

#[test]
fn configuration_of_teslagovs_module_runs_with_the_changes_that_are_named() {
    let (before, after) = examples("From TeslaGov's");
    let secret: Vec<u8> = (0..32).collect();
    let jwk = json!({"kty": "oct", "k": ojwt_core::base64url::encode(&secret)}).to_string();
    let refusal = builder(&before[0]).refused();
    assert!(refusal.contains("unknown directive \"auth_jwt_key\""), "{refusal}");
    let nginx = builder(&after[0]).file("secret.json", jwk.as_str()).start();
    let key = SigningKey::read(jwk.as_bytes()).unwrap();
    let cookie = |claims: Value| {
        let jwt = key.sign(Alg::HS256, None, claims.to_string().as_bytes()).unwrap();
        nginx.get_with("/secure/", &[&format!("Cookie: jwt={jwt}")])
    };
    let response = cookie(json!({"sub": "me"}));
    assert_eq!((response.status, response.body.as_str()), (200, "secure"));
    assert_eq!(response.header("sub"), Some("me"));
    let login = "https://login.example.com/?return_url=http://example.com/secure/";
    for response in [cookie(json!({})), cookie(json!({"sub": ""})), nginx.get("/secure/")] {
        assert_eq!((response.status, response.header("Location")), (302, Some(login)));
    }
}

#[test]
fn configuration_of_the_javascript_runs_with_the_changes_that_are_named() {
    let (before, after) = examples("From the JavaScript");
    let refusal = builder(&before[0]).refused();
    assert!(refusal.contains("unknown directive \"js_import\""), "{refusal}");
    let nginx = builder(&after[0]).file("public_key.pem", public_pem(&ISSUER)).start();
    let good = token(json!({"host": "example.com"}));
    assert_eq!(nginx.get(&format!("/protected/?jwt={good}")).body, "protected");
    let response = nginx.get("/protected/");
    assert_eq!((response.status, response.body.as_str()), (401, "failed: no token"));
}

/// Requirements and whether they are met here by `{"s": "a", "n": 5, "f": 5.0, "r": ["a", "b"], "t": true}`;
/// `$x` holds what follows `|`.
const OPERATORS: [(&str, bool); 38] = [
    // As there.
    ("s eq a", true),
    ("s ne a", false),
    ("s eq $x|\"a\"", true),
    ("s ne $x|\"b\"", true),
    ("n eq $x|5", true),
    ("n ne $x|6", true),
    ("n eq $x|\"5\"", false),
    ("r eq $x|  [\"a\",  \"b\"] ", true),
    ("r ne $x|[\"b\",\"a\"]", true),
    ("n gt $x|4", true),
    ("n gt $x|\"4\"", false),
    ("n !gt $x|\"4\"", false),
    ("n ge json=5", true),
    ("s in $x|[\"a\"]", true),
    ("s nin $x|[\"b\"]", true),
    ("s nin $x|\"b\"", false),
    ("s in $x|{\"a\":0}", true),
    ("r intersect $x|[\"b\",\"c\"]", true),
    ("r nintersect $x|[\"b\",\"c\"]", false),
    ("r nintersect $x|[\"c\"]", true),
    ("s nintersect $x|[\"c\"]", true),
    ("r nintersect $x|\"c\"", false),
    ("r nintersect $x|[\"c\"", false),
    ("s ne $x|[\"b\"", false),
    ("s !match ^b", true),
    ("n !match ^b", false),
    ("u ne a", false),
    // Wider.
    ("n gt 1", true),
    ("t eq true", true),
    ("r any a", true),
    ("r !any c", true),
    ("s eq $x|a", true),
    ("f eq json=5", true),
    ("s gt 0", true),
    // Stricter.
    ("n ne 5", false),
    ("s ne json=5", false),
    ("s nin json=[5]", false),
    ("n nintersect json=[\"a\"]", false),
];

#[test]
fn operators_answer_as_the_section_on_kjdevs_module_says() {
    let locations: String = OPERATORS
        .iter()
        .enumerate()
        .map(|(index, (requirement, _))| {
            let (words, x) = requirement.split_once('|').unwrap_or((requirement, ""));
            let (rest, value) = words.rsplit_once(' ').unwrap();
            format!(
                "location = /{index} {{
                     set $x '{x}'; auth_jwt_require_claim {rest} '{value}'; return 200 $ojwt_status$decoded_ojwt;
                 }}"
            )
        })
        .collect();
    let nginx = Nginx::with_server(&locations);
    let claims = r#"{"s":"a","n":5,"f":5.0,"r":["a","b"],"t":true}"#;
    let jwt = ISSUER.sign(Alg::RS256, None, claims.as_bytes()).unwrap();
    for (index, (requirement, is_met)) in OPERATORS.iter().enumerate() {
        let body = get(&nginx, &format!("/{index}"), &jwt).body;
        assert_eq!(body, if *is_met { claims } else { "failed: claim rejected" }, "{requirement}");
    }
    let refusal = |words: &str| {
        Nginx::builder().server(&format!("auth_jwt_require_claim {words};")).refused()
    };
    assert!(refusal("s match $http_x").contains("no pattern may hold a variable"));
    assert!(refusal("s in a").contains("operator \"in\" needs an array or an object"));
    assert!(refusal("s in 'json=[\"$http_x\"]'").contains("no variable may stand in \"json=\""));
}
