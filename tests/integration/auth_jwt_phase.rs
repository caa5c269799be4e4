//! `auth_jwt_phase`: when `auth_jwt` answers. And `auth_jwt_type`, which has one value so far.

use serde_json::json;

use crate::harness::{Nginx, token};

fn gate(server: &str) -> Nginx {
    Nginx::builder()
        .file("html/page.html", "content")
        .http("auth_jwt_key_file issuer.pem; limit_req_zone $uri zone=all:1m rate=1r/m;")
        .server(server)
        .start()
}

fn status(nginx: &Nginx, target: &str, jwt: &str) -> u16 {
    nginx.get_with(target, &[&format!("Authorization: Bearer {jwt}")]).status
}

#[test]
fn in_preaccess_a_request_without_a_token_uses_up_no_limit() {
    let nginx = gate(
        "auth_jwt realm; limit_req zone=all;
         location /early { auth_jwt_phase preaccess; try_files /page.html =404; }
         location /late { try_files /page.html =404; }",
    );
    let jwt = token(json!({}));
    assert_eq!(nginx.get("/early").status, 401);
    assert_eq!(nginx.get("/early").status, 401);
    assert_eq!(status(&nginx, "/early", &jwt), 200);
    // The limit still has its say on what passes.
    assert_eq!(status(&nginx, "/early", &jwt), 503);
    assert_eq!(nginx.get("/late").status, 401);
    assert_eq!(nginx.get("/late").status, 503);
}

#[test]
fn in_preaccess_satisfy_any_lets_no_one_around_the_gate() {
    let nginx = gate(
        "satisfy any; allow all; auth_jwt realm; auth_jwt_phase preaccess;
         location / { try_files /page.html =404; }
         location /access { auth_jwt_phase access; try_files /page.html =404; }",
    );
    assert_eq!(nginx.get("/").status, 401);
    assert_eq!(status(&nginx, "/", &token(json!({}))), 200);
    assert_eq!(nginx.get("/access").status, 200);
}

#[test]
fn in_either_phase_subrequests_pass_and_requirements_count() {
    for phase in ["preaccess", "access"] {
        let nginx = gate(&format!(
            "auth_jwt_phase {phase};
             location / {{ auth_request /check; try_files /page.html =404; }}
             location /check {{ auth_jwt realm; try_files /page.html =404; }}
             location /never {{
                 auth_jwt realm; auth_jwt_require $arg_never error=403; try_files /page.html =404;
             }}"
        ));
        assert_eq!(nginx.get("/").status, 200, "{phase}");
        assert_eq!(nginx.get("/check").status, 401, "{phase}");
        assert_eq!(status(&nginx, "/never", &token(json!({}))), 403, "{phase}");
    }
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    for (line, message) in [
        ("auth_jwt_phase;", "invalid number of arguments"),
        ("auth_jwt_phase rewrite;", "invalid value \"rewrite\" in \"auth_jwt_phase\""),
        ("auth_jwt_phase access; auth_jwt_phase access;", "directive is duplicate"),
    ] {
        let text = Nginx::builder().server(line).refused();
        assert!(text.contains(message) && text.contains("nginx.conf:"), "{line}: {text}");
    }
}
