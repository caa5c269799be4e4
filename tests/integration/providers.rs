//! The configurations of `docs/providers.md`: each is loaded, and asked for a page with tokens as
//! that issuer makes them.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use ojwt_core::Alg;
use ojwt_core::issue::sign::to_jwk;
use serde_json::{Map, Value, json};

use crate::documentation::{accepted, blocks, levels, second_names};
use crate::harness::{FORGER, ISSUER, Nginx, Upstream, data, has_tls, key, now, ok, root};

/// The name of the key that signs the tokens of these tests.
const KID: &str = "2026-11/key+1=";

/// An issuer: where its keys are, what a token of its looks like, and which changes have it
/// refused.
struct Provider {
    section: &'static str,
    host: &'static str,
    path: &'static str,
    /// What its JWK has besides the numbers of the key.
    jwk: fn() -> Value,
    claims: fn() -> Value,
    /// Claims that refuse a token, each by another value or, if `null`, by not being there.
    wrong: &'static [(&'static str, &'static str)],
    /// A request for the guarded location, with `TOKEN` for the token.
    request: (&'static str, &'static str),
}

const BEARER: &str = "Authorization: Bearer TOKEN";

fn named() -> Value {
    json!({"kid": KID, "alg": "RS256", "use": "sig"})
}

/// With its certificate, as Entra ID, Auth0 and GitHub have it.
fn certified() -> Value {
    let der = openssl(&["-outform", "DER"]);
    let x5c = ojwt_core::text::base64url::encode(&der).replace('-', "+").replace('_', "/");
    let x5c = format!("{x5c}{}", "=".repeat((4 - x5c.len() % 4) % 4));
    json!({"kid": KID, "use": "sig", "x5t": KID, "x5c": [x5c]})
}

/// A certificate of the issuer's key.
fn openssl(form: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-new", "-subj", "/CN=issuer", "-key"])
        .arg(data("rsa.pem"))
        .args(form)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const POOL: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example01";

fn cognito_claims() -> Value {
    json!({
        "sub": "me", "iss": POOL, "client_id": "1example23456789", "token_use": "access",
        "scope": "openid orders/read", "cognito:groups": ["staff"], "jti": "1", "username": "me",
    })
}

const PROVIDERS: [Provider; 11] = [
    Provider {
        section: "Keycloak",
        host: "keycloak.example.com",
        path: "/realms/shop/protocol/openid-connect/certs",
        jwk: certified,
        claims: || {
            json!({
                "sub": "me", "iss": "https://keycloak.example.com/realms/shop", "typ": "Bearer",
                "aud": ["shop-api", "account"], "azp": "shop-web", "scope": "openid email",
                "realm_access": {"roles": ["offline_access", "editor"]},
                "resource_access": {"account": {"roles": ["manage-account"]}},
            })
        },
        wrong: &[
            ("iss", "\"https://keycloak.example.com/realms/master\""),
            ("aud", "\"account\""),
            ("aud", "null"),
            ("realm_access", "{\"roles\":[\"viewer\"]}"),
        ],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "Microsoft Entra ID",
        host: "login.microsoftonline.com",
        path: "/11111111-2222-3333-4444-555555555555/discovery/v2.0/keys",
        jwk: certified,
        claims: || {
            json!({
                "sub": "pairwise", "oid": "me", "tid": TENANT, "ver": "2.0", "azp": "client",
                "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
                "aud": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "scp": "Orders.Read Orders.Write",
            })
        },
        wrong: &[
            ("iss", "\"https://sts.windows.net/11111111-2222-3333-4444-555555555555/\""),
            ("aud", "\"00000003-0000-0000-c000-000000000000\""),
            ("scp", "\"Orders.ReadAll\""),
            ("scp", "null"),
        ],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "Auth0",
        host: "example.eu.auth0.com",
        path: "/.well-known/jwks.json",
        jwk: certified,
        claims: || {
            json!({
                "sub": "auth0|me", "iss": "https://example.eu.auth0.com/", "azp": "client",
                "aud": ["https://api.example.com", "https://example.eu.auth0.com/userinfo"],
                "scope": "openid profile", "permissions": ["read:orders"],
            })
        },
        wrong: &[
            ("iss", "\"https://example.eu.auth0.com\""),
            ("aud", "[\"https://example.eu.auth0.com/userinfo\"]"),
            ("permissions", "[]"),
        ],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "Okta",
        host: "example.okta.com",
        path: "/oauth2/default/v1/keys",
        jwk: named,
        claims: || {
            json!({
                "sub": "me@example.com", "iss": "https://example.okta.com/oauth2/default",
                "aud": "api://default", "cid": "client", "uid": "1", "ver": 1, "jti": "AT.1",
                "scp": ["orders.read", "openid"],
            })
        },
        wrong: &[
            ("iss", "\"https://example.okta.com\""),
            ("aud", "\"https://example.okta.com\""),
            ("scp", "[\"openid\"]"),
        ],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "Google",
        host: "www.googleapis.com",
        path: "/oauth2/v3/certs",
        jwk: named,
        claims: || {
            json!({
                "sub": "1", "iss": "https://accounts.google.com", "azp": "client",
                "aud": "1234567890-abc.apps.googleusercontent.com", "hd": "example.com",
                "email": "me@example.com", "email_verified": true,
            })
        },
        wrong: &[
            ("iss", "\"https://accounts.google.com.example\""),
            ("aud", "\"another.apps.googleusercontent.com\""),
            ("hd", "\"example.org\""),
            ("hd", "null"),
        ],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "Google",
        host: "www.googleapis.com",
        path: "/oauth2/v3/certs",
        jwk: named,
        claims: || {
            json!({
                "sub": "1", "iss": "accounts.google.com", "hd": "example.com",
                "aud": "1234567890-abc.apps.googleusercontent.com",
            })
        },
        wrong: &[],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "Firebase",
        host: "www.googleapis.com",
        path: "/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
        jwk: named,
        claims: || {
            json!({
                "sub": "me", "user_id": "me", "iss": "https://securetoken.google.com/example-project",
                "aud": "example-project", "auth_time": 1_700_000_000,
                "firebase": {"identities": {}, "sign_in_provider": "password"},
            })
        },
        wrong: &[
            ("iss", "\"https://securetoken.google.com/another-project\""),
            ("aud", "\"another-project\""),
            ("sub", "\"\""),
        ],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "Amazon Cognito",
        host: "cognito-idp.eu-central-1.amazonaws.com",
        path: "/eu-central-1_Example01/.well-known/jwks.json",
        jwk: named,
        claims: cognito_claims,
        wrong: &[
            ("iss", "\"https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other\""),
            ("token_use", "\"id\""),
            ("client_id", "\"another\""),
            ("client_id", "null"),
            ("scope", "\"orders/reader\""),
        ],
        request: ("/api/", BEARER),
    },
    Provider {
        section: "AWS Application Load Balancer",
        host: "cognito-idp.eu-central-1.amazonaws.com",
        path: "/eu-central-1_Example01/.well-known/jwks.json",
        jwk: named,
        claims: cognito_claims,
        wrong: &[
            ("iss", "\"https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other\""),
            ("token_use", "\"id\""),
            ("client_id", "\"another\""),
        ],
        request: ("/app/", "x-amzn-oidc-accesstoken: TOKEN"),
    },
    Provider {
        section: "GitHub Actions",
        host: "token.actions.githubusercontent.com",
        path: "/.well-known/jwks",
        jwk: certified,
        claims: || {
            json!({
                "iss": "https://token.actions.githubusercontent.com",
                "aud": "https://deploy.example.com", "ref": "refs/heads/main",
                "sub": "repo:octo-org@123456/octo-repo@123456789:ref:refs/heads/main",
                "repository": "octo-org/octo-repo", "repository_id": "123456789",
                "repository_owner_id": "123456", "event_name": "push", "ref_protected": "true",
            })
        },
        wrong: &[
            ("iss", "\"https://github.example.com/_services/token\""),
            ("aud", "\"https://github.com/octo-org\""),
            ("repository_id", "\"987654321\""),
            ("ref", "\"refs/heads/feature\""),
            ("event_name", "\"pull_request_target\""),
        ],
        request: ("/deploy/", BEARER),
    },
    Provider {
        section: "Kubernetes service accounts",
        host: "kubernetes.default.svc",
        path: "/openid/v1/jwks",
        jwk: named,
        claims: || {
            json!({
                "iss": "https://kubernetes.default.svc.cluster.local", "jti": "1",
                "aud": ["https://api.example.com"], "sub": "system:serviceaccount:shop:worker",
                "kubernetes.io": {
                    "namespace": "shop", "serviceaccount": {"name": "worker", "uid": "1"},
                },
            })
        },
        wrong: &[
            ("iss", "\"kubernetes/serviceaccount\""),
            ("aud", "[\"https://kubernetes.default.svc.cluster.local\"]"),
            ("aud", "null"),
            ("sub", "\"system:serviceaccount:default:default\""),
        ],
        request: ("/api/", BEARER),
    },
];

/// The examples of a section.
fn examples(section: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/providers.md")).unwrap();
    let section = text
        .split("\n## ")
        .find(|part| part.starts_with(&format!("{section}\n")))
        .unwrap_or_else(|| panic!("no section {section}"));
    blocks(section)
}

/// An nginx with an example, whose issuers and applications are one upstream.
fn start(example: &str, upstream: &Upstream) -> Nginx {
    let shared = examples("For all of them").concat();
    let address = upstream.address().to_string();
    let example: Vec<String> = example
        .lines()
        .map(|line| match line.trim().strip_prefix("set        $idp ") {
            Some(_) => format!("set $idp {address};"),
            None => line.replace("https://$idp", "http://$idp"),
        })
        .collect();
    let example = example
        .join("\n")
        .replace("127.0.0.1:8080", &address)
        .replace("https://kubernetes.default.svc/", &format!("http://{address}/"));
    let certificate = fs::read(data("chain.crt")).unwrap();
    let (http, server) = levels(&local(&(shared + &example)));
    // For machines whose cache lines are short.
    let http = format!("map_hash_bucket_size 128;{http}");
    Nginx::builder().file("ca.pem", certificate).http(&http).server(&server).start()
}

/// An example without what only other machines have.
fn local(example: &str) -> String {
    example
        .replace("/etc/ssl/certs/ca-certificates.crt", "ca.pem")
        .replace("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", "ca.pem")
        // nginx looks hosts up when it reads them.
        .replace("//kubernetes.default.svc/", "//127.0.0.1/")
}

/// A server that has these answers at these paths, and is the application everywhere else.
fn upstream(answers: &[(&str, String)]) -> Upstream {
    let answers: Vec<(String, String)> =
        answers.iter().map(|(path, answer)| (format!("GET {path} "), ok(answer))).collect();
    Upstream::start(move |head, stream| {
        let answer = answers.iter().find(|(start, _)| head.starts_with(start));
        let application = ok("application");
        let answer = answer.map_or(&application, |(_, answer)| answer);
        let _ = stream.write_all(answer.as_bytes());
    })
}

fn key_set(members: Value) -> String {
    let mut jwk = to_jwk(&ISSUER.material().unwrap(), None, None);
    jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    // Keycloak's set has one for encryption, too.
    let other = to_jwk(&FORGER.material().unwrap(), Some("other"), None);
    let mut other: Map<String, Value> = other.as_object().unwrap().clone();
    other.insert("use".into(), json!("enc"));
    other.insert("alg".into(), json!("RSA-OAEP"));
    json!({"keys": [other, jwk]}).to_string()
}

fn signed(mut claims: Value) -> String {
    for (name, time) in [("iat", now() - 1), ("nbf", now() - 1), ("exp", now() + 300)] {
        claims[name] = json!(time);
    }
    ISSUER.sign(Alg::RS256, Some(KID), claims.to_string().as_bytes()).unwrap()
}

#[test]
fn every_example_loads_without_a_warning() {
    if !has_tls() {
        return;
    }
    let text = fs::read_to_string(root().join("docs/providers.md")).unwrap();
    let examples = blocks(&text);
    assert!(examples.len() >= 13, "{}", examples.len());
    let shared = &examples[0];
    for example in &examples[1..] {
        let example = local(&(shared.clone() + example));
        for example in [second_names(&example), example] {
            let accepted = accepted(&example, "");
            assert!(!accepted.contains("[warn]"), "{example}\n{accepted}");
        }
    }
}

#[test]
fn every_section_is_asked_for_pages() {
    let text = fs::read_to_string(root().join("docs/providers.md")).unwrap();
    let others = ["For all of them", "Several issuers in one location", "When a token is refused"];
    for section in text.split("\n## ").skip(1).map(|part| part.lines().next().unwrap()) {
        let is_tested = PROVIDERS.iter().any(|provider| provider.section == section);
        assert!(is_tested || others.contains(&section), "{section}");
    }
}

#[test]
fn token_of_each_provider_passes_and_one_that_is_not_meant_is_refused() {
    if !has_tls() {
        return;
    }
    for Provider { section, host, path, jwk, claims, wrong, request } in PROVIDERS {
        let example = examples(section).swap_remove(0);
        let is_named = example.contains(&format!("set        $idp {host};"))
            || example.contains(&format!("https://{host}/"));
        assert!(is_named, "{section}: {host}");
        let upstream = upstream(&[(path, key_set(jwk()))]);
        let nginx = start(&example, &upstream);
        let (target, header) = request;
        let get = |token: &str| nginx.get_with(target, &[&header.replace("TOKEN", token)]);

        let response = get(&signed(claims()));
        assert_eq!(response.status, 200, "{section}: {}", nginx.error_log());
        assert_eq!(response.body, "application", "{section}");
        assert_eq!(nginx.get(target).status, 401, "{section}");
        let forged = claims().to_string();
        let forged = FORGER.sign(Alg::RS256, Some(KID), forged.as_bytes()).unwrap();
        assert_eq!(get(&forged).status, 401, "{section}");
        for (name, value) in wrong {
            let mut claims = claims();
            claims[name] = serde_json::from_str(value).unwrap();
            if claims[name].is_null() {
                claims.as_object_mut().unwrap().remove(*name);
            }
            let before = nginx.count_in_log("claim rejected");
            assert_eq!(get(&signed(claims)).status, 401, "{section}: {name}: {value}");
            nginx.wait("a refusal", || nginx.count_in_log("claim rejected") > before);
        }
        let requests = upstream.requests();
        let fetches = requests.iter().filter(|head| head.starts_with(&format!("GET {path} ")));
        assert_eq!(fetches.count(), 1, "{section}: {requests:?}");
    }
}

#[test]
fn users_of_several_entra_tenants_pass_and_those_of_others_are_refused() {
    if !has_tls() {
        return;
    }
    let example = examples("Microsoft Entra ID").swap_remove(1);
    let upstream = upstream(&[("/common/discovery/v2.0/keys", key_set(certified()))]);
    let nginx = start(&example, &upstream);
    let get = |tenant: &str, issuer: &str| {
        let token = signed(json!({
            "iss": format!("https://login.microsoftonline.com/{issuer}/v2.0"), "tid": tenant,
            "aud": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        }));
        nginx.get_as("/api/", &token).status
    };
    let other = "66666666-7777-8888-9999-000000000000";
    let stranger = "99999999-7777-8888-9999-000000000000";
    assert_eq!(get(TENANT, TENANT), 200, "{}", nginx.error_log());
    assert_eq!(get(other, other), 200, "{}", nginx.error_log());
    assert_eq!(get(stranger, stranger), 401);
    assert_eq!(get(TENANT, stranger), 401, "an issuer that is not that of the tenant");
}

#[test]
fn certificates_by_name_of_firebase_are_taken_as_well() {
    if !has_tls() {
        return;
    }
    let text = fs::read_to_string(root().join("docs/providers.md")).unwrap();
    let path = "/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com";
    assert!(text.contains(&format!("https://www.googleapis.com{path}")));
    let certificate = String::from_utf8(openssl(&[])).unwrap();
    let upstream = upstream(&[(path, json!({ KID: certificate }).to_string())]);
    let keys = "/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
    let nginx = start(&examples("Firebase")[0].replace(keys, path), &upstream);
    let token = signed(json!({
        "sub": "me", "iss": "https://securetoken.google.com/example-project", "aud": "example-project",
    }));
    let response = nginx.get_as("/api/", &token);
    assert_eq!(response.body, "application", "{}", nginx.error_log());
}

/// The load balancer pads each part, the signature of 64 bytes always.
#[test]
fn padded_token_of_the_load_balancer_is_refused_as_the_page_says() {
    if !has_tls() {
        return;
    }
    let text = fs::read_to_string(root().join("docs/providers.md")).unwrap();
    let line = "malformed token: a part is not unpadded base64url";
    assert!(text.contains(line));
    let upstream = upstream(&[]);
    let nginx = start(&examples("AWS Application Load Balancer")[0], &upstream);
    let header = json!({
        "typ": "JWT", "kid": "12345678-1234-1234-1234-123456789012", "alg": "ES256",
        "signer": "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/a/1",
        "client": "1example23456789", "iss": POOL, "exp": now() + 120,
    });
    let claims = json!({"sub": "me", "exp": now() + 120, "iss": POOL});
    let elliptic = key("ec_prime256v1.pem");
    let token = elliptic
        .sign_with_header(Alg::ES256, header.to_string().as_bytes(), claims.to_string().as_bytes())
        .unwrap();
    let header = format!("x-amzn-oidc-accesstoken: {token}==");
    assert_eq!(nginx.get_with("/app/", &[&header]).status, 401);
    nginx.wait_for_log(line);
    assert!(upstream.requests().is_empty(), "keys of what is no token");
}

#[test]
fn each_of_several_issuers_signs_for_itself_alone() {
    if !has_tls() {
        return;
    }
    let example = examples("Several issuers in one location").swap_remove(0);
    let example = example.split_once("server {\n").unwrap();
    let (inner, _) = example.1.rsplit_once('}').unwrap();
    let other = to_jwk(&FORGER.material().unwrap(), Some(KID), Some(Alg::RS256));
    let upstream = upstream(&[
        ("/.well-known/jwks.json", key_set(named())),
        ("/realms/partners/protocol/openid-connect/certs", json!({"keys": [other]}).to_string()),
    ]);
    let nginx = start(&format!("{}{inner}", example.0), &upstream);
    let (auth0, keycloak) =
        ("https://example.eu.auth0.com/", "https://keycloak.example.com/realms/partners");
    let get = |by_other: bool, iss: &str, aud: &str| {
        let claims = json!({"iss": iss, "aud": aud, "exp": now() + 60}).to_string();
        let key = if by_other { &*FORGER } else { &*ISSUER };
        let token = key.sign(Alg::RS256, Some(KID), claims.as_bytes()).unwrap();
        nginx.get_as("/api/", &token).status
    };
    assert_eq!(get(false, auth0, "https://api.example.com"), 200, "{}", nginx.error_log());
    assert_eq!(get(true, keycloak, "partner-api"), 200, "{}", nginx.error_log());
    assert_eq!(get(true, auth0, "https://api.example.com"), 401, "signed by the other issuer");
    assert_eq!(get(false, keycloak, "partner-api"), 401, "signed by the other issuer");
    assert_eq!(get(false, auth0, "partner-api"), 401, "the audience of the other issuer");
    assert_eq!(get(false, "https://stranger.example", "partner-api"), 401);
    nginx.wait_for_log("unknown key");
}
