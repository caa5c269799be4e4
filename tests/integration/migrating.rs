//! The examples of `docs/migrating.md`: what is to be replaced is refused, by name, and what
//! replaces it works.

use std::fs;

use ojwt_core::Alg;
use ojwt_core::issue::sign::{SigningKey, to_jwk};
use serde_json::{Value, json};

use crate::harness::{
    Builder, FORGER, ISSUER, Nginx, Upstream, now, ok, public_pem, refuses_parameters, root, token,
};

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
    let response = nginx.get_as("/site/", &good);
    assert_eq!((response.status, response.body.as_str()), (200, "site"));
    assert_eq!(response.header("X-Subject"), Some("me"));
    assert_eq!(response.header("X-Roles"), Some("a,b"));
    let mut stranger = claims;
    stranger["iss"] = json!("https://other.example.com");
    assert_eq!(nginx.get_as("/site/", &token(stranger)).status, 403);
    let response = nginx.get("/site/");
    assert_eq!(response.status, 401);
    assert_eq!(response.header("WWW-Authenticate"), Some("Bearer realm=\"closed site\""));
    assert_eq!(nginx.get_with("/cookie/", &[&format!("Cookie: auth_token={good}")]).body, "cookie");
    assert_eq!(nginx.get_as("/cookie/", &good).status, 401);
    assert_eq!(nginx.get_as("/fetched/", &good).body, "fetched");
    let forged = crate::harness::signed_by(&FORGER, &json!({}));
    assert_eq!(nginx.get_as("/fetched/", &forged).status, 401);
}

#[test]
fn configuration_of_kjdevs_module_runs_with_the_changes_that_are_named() {
    let (before, after) = examples("From kjdev's");
    let keys = json!({ "1": public_pem(&ISSUER) }).to_string();
    let start = |example: &str| {
        builder(example)
            .file("keys.json", keys.as_str())
            .file("revoked.json", r#"{"mallory": {"locked_reason": "stolen"}}"#)
            .file("left.json", r#"{"trudy": {"locked_reason": "left"}}"#)
    };
    let refusal = start(&before[0]).refused();
    assert!(refusal.contains("unknown directive \"auth_jwt_allow_nested\""), "{refusal}");
    let nginx = start(&after[0]).start();
    let signed =
        |claims: Value| ISSUER.sign(Alg::RS256, Some("1"), claims.to_string().as_bytes()).unwrap();
    let good = json!({
        "sub": "alice", "realm_access": {"roles": ["user", "admin"]},
        "iss": "https://idp.example.com", "exp": now() + 60,
    });
    let but = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(claims)
    };
    assert_eq!(nginx.get_as("/", &signed(good.clone())).status, 200);
    for jwt in [
        but("realm_access", json!({"roles": ["user"]})),
        but("realm_access", Value::Null),
        but("iss", json!("https://old.example.com")),
        but("sub", json!("mallory")),
        but("sub", json!("trudy")),
        but("exp", json!(now() - 60)),
        signed(json!({
            "sub": "alice", "realm_access": {"roles": ["admin"]}, "iss": "https://idp.example.com",
        })),
        ISSUER.sign(Alg::PS256, Some("1"), good.to_string().as_bytes()).unwrap(),
    ] {
        assert_eq!(nginx.get_as("/", &jwt).status, 401, "{}", nginx.error_log());
    }
}

#[test]
fn configuration_of_teslagovs_module_runs_with_the_changes_that_are_named() {
    let (before, after) = examples("From TeslaGov's");
    let secret: Vec<u8> = (0..32).collect();
    let jwk = json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(&secret)}).to_string();
    let refusal = builder(&before[0]).refused();
    assert!(refusal.contains("unknown directive \"auth_jwt_key\""), "{refusal}");
    let upstream = Upstream::with_answer(ok("application"));
    let nginx = builder(&after[0].replace("127.0.0.1:8080", &upstream.address().to_string()))
        .file("secret.json", jwk.as_str())
        .start();
    let key = SigningKey::read(jwk.as_bytes()).unwrap();
    let cookie = |claims: Value, more: &[&str]| {
        let jwt = key.sign(Alg::HS256, None, claims.to_string().as_bytes()).unwrap();
        let cookie = format!("Cookie: jwt={jwt}");
        nginx.get_with("/secure/?a=b", &[&[cookie.as_str()], more].concat())
    };
    let claimed = ["JWT-sub: admin", "JWT-firstName: Mallory", "jwt-FIRSTNAME: Mallory"];

    let response = cookie(json!({"sub": "me", "firstName": "Ada", "exp": now() + 60}), &claimed);
    assert_eq!((response.status, response.body.as_str()), (200, "application"));
    assert_eq!(response.header("JWT-sub"), Some("me"));
    assert_eq!(claims_headers(&upstream), ["JWT-sub: me", "JWT-firstName: Ada"]);
    // What the client says is believed neither where the claim is missing nor anywhere else.
    assert_eq!(cookie(json!({"sub": "me", "exp": now() + 60}), &claimed).status, 200);
    assert_eq!(claims_headers(&upstream), ["JWT-sub: me"]);

    let login = "https://login.example.com/";
    let port = nginx.address().port();
    let back = format!("{login}?return_url=http://example.com:{port}/secure/?a=b");
    for response in [
        cookie(json!({"exp": now() + 60}), &[]),
        cookie(json!({"sub": "", "exp": now() + 60}), &[]),
        cookie(json!({"sub": "me"}), &[]),
        nginx.get("/secure/?a=b"),
    ] {
        assert_eq!((response.status, response.header("Location")), (302, Some(back.as_str())));
    }
    let request =
        "POST /secure/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let response = nginx.send(request.as_bytes());
    assert_eq!((response.status, response.header("Location")), (302, Some(login)));

    assert_eq!(nginx.get("/preview/").status, 302);
    let public = [&["X-Preview: public"], &claimed[..]].concat();
    assert_eq!(nginx.get_with("/preview/", &public).body, "application");
    assert_eq!(claims_headers(&upstream), [""; 0]);
}

/// The headers for claims in the last request that an application got.
fn claims_headers(upstream: &Upstream) -> Vec<String> {
    let request = upstream.requests().pop().unwrap();
    let lines = request.lines().filter(|line| line.to_ascii_lowercase().starts_with("jwt-"));
    lines.map(str::to_owned).collect()
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

/// Requirements and whether they are met here by `{"s": "a", "n": 5, "f": 5.0, "r": ["a", "b"],
/// "t": true}`; `$x` holds what follows `|`.
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
        let body = nginx.get_as(&format!("/{index}"), &jwt).body;
        assert_eq!(body, if *is_met { claims } else { "failed: claim rejected" }, "{requirement}");
    }
    refuses_parameters(
        "auth_jwt_require_claim",
        &[
            ("s match $http_x", "no pattern may hold a variable"),
            ("s in a", "operator \"in\" needs an array or an object"),
            ("s in 'json=[\"$http_x\"]'", "no variable may stand in \"json=\""),
        ],
    );
}
