//! Second names: every directive `auth_jwt…` is also `ojwt…`, every variable `$jwt_…` also
//! `$ojwt_…`, for an nginx that has another module with the first ones.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use ojwt_core::Alg;
use serde_json::json;

use crate::harness::{
    Builder, ISSUER, Module, Nginx, public_pem, refuses_lines, root, skipped, token,
};

/// What the other module has besides the directives `auth_jwt` and `auth_jwt_key_file`.
const VARIABLES: [&[&str]; 3] = [&[], &["VARIABLES"], &["CLAIM"]];

/// The folders of nginx's headers.
fn includes() -> Vec<PathBuf> {
    let (source, build) = (env::var_os("NGINX_SOURCE_DIR"), env::var_os("NGINX_BUILD_DIR"));
    let (Some(source), Some(build)) = (source, build) else {
        return env::split_paths(env!("OJWT_NGINX_INCLUDE")).collect();
    };
    let folders = "core event event/modules event/quic os/unix http http/modules http/v2 http/v3";
    let folders = folders.split(' ').map(|folder| Path::new(&source).join("src").join(folder));
    folders.chain([build.into()]).collect()
}

/// Another module that has names of ours, and an nginx that has both.
struct Rival {
    object: Vec<u8>,
    /// Whether it comes before ours in nginx's list of modules.
    is_first: bool,
}

impl Rival {
    fn compile(is_first: bool, macros: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let object = folder.path().join("rival.so");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&object)
            .args(macros.iter().map(|name| format!("-D{name}")))
            .args(is_first.then_some("-DBEFORE"))
            .args(includes().iter().map(|folder| format!("-I{}", folder.display())))
            .arg(root().join("tests/rival/ngx_http_rival_module.c"))
            .output()
            .expect("a C compiler is installed, as for the module");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { object: fs::read(object).unwrap(), is_first }
    }

    /// It before ours and after, each with these things.
    fn both(macros: &[&str]) -> [Self; 2] {
        [true, false].map(|is_first| Self::compile(is_first, macros))
    }

    /// An nginx that loads both, in either order: it is nginx that puts modules in order.
    fn nginx(&self, is_loaded_first: bool, http: &str, server: &str) -> Builder {
        let mut modules = ["load_module rival.so;", "load_module \"MODULE\";"];
        if !is_loaded_first {
            modules.reverse();
        }
        Nginx::builder()
            .file("rival.so", self.object.as_slice())
            .file("html/page.html", "content")
            .whole(&format!(
                "{} pid nginx.pid; error_log error.log info; events {{}}
                 http {{
                     access_log off; client_body_temp_path tmp/a; proxy_temp_path tmp/b;
                     fastcgi_temp_path tmp/c; uwsgi_temp_path tmp/d; scgi_temp_path tmp/e;
                     {http}
                     server {{ listen ADDRESS; server_name example.com; root html; {server} }}
                 }}",
                modules.concat()
            ))
    }
}

/// Whether modules can be built here for the nginx that runs; if not, says what a test is skipped
/// for.
fn can_build() -> bool {
    let text = Rival::compile(false, &[]).nginx(true, "", "").outcome();
    let is_of_another = text.contains("is not binary compatible") || text.contains("instead of");
    if is_of_another {
        skipped("second names: the headers are those of another nginx than runs");
    }
    !is_of_another
}

#[test]
fn directive_under_a_name_that_another_module_has_is_refused_and_both_are_named() {
    if !can_build() {
        return;
    }
    for macros in [&["ONLY_AUTH_JWT"][..], &[], &["VARIABLES"]] {
        for rival in Rival::both(macros) {
            let lines = [
                ("auth_jwt_leeway 1s;", "ojwt_leeway"),
                ("ojwt realm; ojwt_leeway 1s; auth_jwt_phase preaccess;", "ojwt_phase"),
                // The first of the two gets the other's name.
                if rival.is_first {
                    (
                        "auth_jwt a; location / { auth_jwt_require_claim a eq b; }",
                        "ojwt_require_claim",
                    )
                } else {
                    ("auth_jwt a;", "ojwt")
                },
            ];
            for (server, second) in lines {
                for is_loaded_first in [true, false] {
                    let text = rival.nginx(is_loaded_first, "", server).refused();
                    assert!(text.contains("[emerg]") && text.contains("nginx.conf:"), "{text}");
                    let module = "module \"ngx_http_rival_module\" has a directive \"auth_jwt\"";
                    assert!(text.contains(module), "{macros:?} {server}: {text}");
                    assert!(text.contains(&format!("write \"{second}\"")), "{server}: {text}");
                }
            }
        }
    }
}

#[test]
fn second_names_work_beside_a_module_that_has_the_first_ones() {
    if !can_build() {
        return;
    }
    let jwt = token(json!({"sub": "me", "role": "admin"}));
    for macros in VARIABLES {
        for rival in Rival::both(macros) {
            let theirs = if rival.is_first { "location /theirs { auth_jwt realm; }" } else { "" };
            let server = format!(
                "ojwt_key_file issuer.pem;
                 location / {{
                     ojwt realm; ojwt_require_claim role eq admin; try_files /page.html =404;
                     add_header X-Claims $ojwt_claims; add_header X-Payload $ojwt_payload;
                     add_header X-Sub $ojwt_claim_sub; add_header X-Alg $ojwt_header_alg;
                     add_header X-Now $ojwt_nowtime; add_header X-Shared $jwt_claim_sub;
                     add_header X-Role $role;
                 }}
                 {theirs}"
            );
            for is_loaded_first in [true, false] {
                let nginx =
                    rival.nginx(is_loaded_first, "ojwt_claim_set $role role;", &server).start();
                assert_eq!(nginx.get("/").status, 401, "{macros:?}");
                let response = nginx.get_as("/", &jwt);
                assert_eq!((response.status, response.body.as_str()), (200, "content"));
                let claims = Some(r#"{"sub":"me","role":"admin"}"#);
                assert_eq!(response.header("X-Claims"), claims, "{macros:?}");
                assert_eq!(response.header("X-Payload"), claims, "{macros:?}");
                assert_eq!(response.header("X-Sub"), Some("me"), "{macros:?}");
                assert_eq!(response.header("X-Alg"), Some("RS256"), "{macros:?}");
                assert_eq!(response.header("X-Role"), Some("admin"), "{macros:?}");
                assert!(response.header("X-Now").unwrap().parse::<u64>().is_ok(), "{macros:?}");
                let shared = if macros.is_empty() { "me" } else { "rival" };
                assert_eq!(response.header("X-Shared"), Some(shared), "{macros:?}");
                assert!(!nginx.file("stderr.log").contains("[warn]"), "{macros:?}");
                if rival.is_first {
                    assert_eq!(nginx.get_as("/theirs", &jwt).status, 403, "{macros:?}");
                }
            }
        }
    }
}

#[test]
fn configuration_that_uses_the_other_module_alone_is_left_alone() {
    if !can_build() {
        return;
    }
    for macros in VARIABLES {
        let rival = Rival::compile(true, macros);
        let server = "auth_jwt realm; auth_jwt_key_file none; add_header X-Decoded $decoded_ojwt;";
        let nginx = rival.nginx(true, "", server).start();
        let response = nginx.get("/");
        assert_eq!(response.status, 403, "{macros:?}");
        assert!(!nginx.file("stderr.log").contains("[warn]"), "{macros:?}");
        // What the other module does not have is unknown, as if ours were not there.
        let server = "auth_jwt realm; location / { return 200 $jwt_payload; }";
        let text = rival.nginx(true, "", server).refused();
        assert!(text.contains("unknown \"jwt_payload\" variable"), "{text}");
    }
}

#[test]
fn variables_that_another_module_has_stay_its_own_where_no_directive_is_shared() {
    if !can_build() {
        return;
    }
    let jwt = token(json!({"sub": "me"}));
    for (variables, warnings) in [("VARIABLES", 3), ("CLAIM", 0)] {
        for rival in Rival::both(&["NO_DIRECTIVES", variables]) {
            let server = "auth_jwt realm; auth_jwt_key_file issuer.pem;
                add_header X-Theirs $jwt_claim_sub; add_header X-Ours $ojwt_claim_sub;
                location / { try_files /page.html =404; }";
            let nginx = rival.nginx(true, "", server).start();
            let response = nginx.get_as("/", &jwt);
            assert_eq!(response.header("X-Theirs"), Some("rival"), "{variables}");
            assert_eq!(response.header("X-Ours"), Some("me"), "{variables}");
            let text = nginx.file("stderr.log");
            assert_eq!(text.matches("[warn]").count(), warnings, "{variables}: {text}");
            let warning = "variable \"$jwt_claim_\" is defined elsewhere: what a token says is in \
                           \"$ojwt_claim_\"";
            assert_eq!(text.contains(warning), warnings > 0, "{variables}: {text}");
        }
    }
}

#[test]
fn second_names_stand_for_the_first_and_mistakes_name_the_directive_as_written() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("ojwt_key_file issuer.pem; auth_jwt_claim_set $role role;")
        .server(
            "ojwt outer; location /first { auth_jwt off; try_files /page.html =404; }
             location /second { auth_jwt_require $role error=403; ojwt_www_authenticate off;
                 try_files /page.html =404; }",
        )
        .start();
    let jwt = token(json!({}));
    assert_eq!(nginx.get("/first").status, 200);
    assert_eq!(nginx.get("/second").header("WWW-Authenticate"), None);
    assert_eq!(nginx.get_as("/second", &jwt).status, 403);
    refuses_lines(&[
        ("ojwt_leeway x;", "invalid value \"x\" in \"ojwt_leeway\""),
        ("ojwt a; auth_jwt b;", "\"auth_jwt\" directive is duplicate"),
        ("auth_jwt a; ojwt b;", "\"ojwt\" directive is duplicate"),
        ("ojwt;", "invalid number of arguments in \"ojwt\" directive"),
        ("location / { ojwt_claim_set $a a; }", "\"ojwt_claim_set\" directive is not allowed here"),
        ("ojwt_ojwt_cookie a;", "unknown directive \"ojwt_ojwt_cookie\""),
        ("ojwt_revocation_list_sub $a;", "variables in \"ojwt_revocation_list_sub\""),
    ]);
}

#[test]
fn claim_under_its_second_name_chooses_a_key_file_within_the_same_bounds() {
    let nginx = Nginx::builder()
        .file("keys/a.pem", public_pem(&ISSUER))
        .server(
            "location /name { ojwt_key_file keys/$ojwt_header_kid; return 200 $decoded_ojwt; }
             location /path { ojwt_key_file $ojwt_header_kid; return 200 $decoded_ojwt; }",
        )
        .start();
    let verdict = |target: &str, kid: &str| {
        let jwt = ISSUER.sign(Alg::RS256, Some(kid), b"{}").unwrap();
        nginx.get(&format!("{target}?jwt={jwt}")).body
    };
    assert_eq!(verdict("/name", "a.pem"), "{}");
    assert_eq!(verdict("/path", "issuer.pem"), "{}");
    let absolute = nginx.path("issuer.pem");
    for (target, kid) in
        [("/name", "../issuer.pem"), ("/name", "none"), ("/path", absolute.to_str().unwrap())]
    {
        assert_eq!(verdict(target, kid), "failed: unknown key", "{target} {kid}");
    }
}

#[test]
fn first_names_of_variables_need_no_directive_and_are_not_taken_by_set() {
    let nginx = Nginx::builder()
        .module(Module::Embedded)
        .server("location / { return 200 \"$jwt_claim_sub $jwt_claims $ojwt_header_alg\"; }")
        .start();
    let body = nginx.get(&format!("/?jwt={}", token(json!({"sub": "me"})))).body;
    assert_eq!(body, r#"me {"sub":"me"} RS256"#);

    let text = Nginx::builder().server("set $jwt_claims x;").refused();
    assert!(text.contains("the duplicate \"jwt_claims\" variable"), "{text}");
    let map = "auth_jwt_key_file issuer.pem; map $uri $jwt_claims { default mine; }";
    let nginx = Nginx::builder()
        .http(map)
        .server("location / { return 200 \"$jwt_claims $ojwt_claims\"; }")
        .start();
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "mine {}");
    let warning = "variable \"$jwt_claims\" is defined elsewhere";
    assert!(nginx.file("stderr.log").contains(warning), "{}", nginx.file("stderr.log"));
}
