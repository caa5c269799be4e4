//! What the documentation says of the project is true.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::{ISSUER, Nginx, data, documents, issuer, jwks, public_pem, root, token};

/// The text of every file in Rust or Python below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_test_that_security_md_names_exists() {
    let tests = sources(&root().join("tests")) + &sources(&root().join("crates"));
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    // Before, the names of directives stand in the text.
    let (_, attacks) = text.split_once("## Attacks").unwrap();
    let names: Vec<&str> = attacks
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.matches('_').count() >= 3 && !code.contains(['/', ' ', '$']))
        .collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        let is_there = ["fn", "def"].iter().any(|word| tests.contains(&format!("{word} {name}(")));
        assert!(is_there, "no test is named {name}");
    }
}

#[test]
fn every_directive_and_variable_is_documented() {
    let text = fs::read_to_string(root().join("docs/directives.md")).unwrap();
    let code = sources(&root().join("src"));
    let names: Vec<&str> = code
        .split("name: ")
        .skip(1)
        .filter_map(|rest| rest.trim_start_matches('c').strip_prefix('"')?.split('"').next())
        .collect();
    assert!(names.len() >= 18, "{names:?}");
    for name in names {
        let is_documented = text.contains(&format!("### {name}\n"))
            || text
                .lines()
                .any(|line| line.starts_with("###") && line.contains(&format!("${name}")));
        assert!(is_documented, "{name}");
    }
}

#[test]
fn configuration_that_reliability_md_recommends_is_accepted_and_fetches_keys_once() {
    let text = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let upstream = issuer();
    let block = text.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
    let block = block
        .replace("/var/cache/nginx/keys", "cache")
        .replace("https://idp.example.com", &format!("http://{}", upstream.address()));
    let (http, server) = block.split_once('\n').unwrap();
    let condition = text.split("`if ($decoded_ojwt").nth(1).unwrap().split('`').next().unwrap();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http(http)
        .server(&format!(
            "{server}
             location / {{ auth_jwt realm; auth_jwt_key_request /jwks; try_files /page.html =404; }}
             location /if {{ if ($decoded_ojwt{condition} try_files /page.html =404; }}"
        ))
        .start();
    let jwt = token(json!({}));
    for _ in 0..3 {
        assert_eq!(nginx.get_as("/", &jwt).status, 200, "{}", nginx.error_log());
    }
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(nginx.get_as("/if", &jwt).status, 503, "a gate without a key");
    assert_eq!(nginx.get("/if").status, 200, "no fault of ours");
}

/// The pages of the project: path and text, without what stands in fences and in code.
fn pages() -> Vec<(PathBuf, String)> {
    let paths = documents();
    assert!(paths.len() > 12, "{paths:?}");
    let pages = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let outside = text.split("```").step_by(2).collect::<String>();
        (path, outside)
    });
    pages.collect()
}

/// What a heading is linked to by: as GitHub makes it of its text.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The headings of a page.
fn headings(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines.filter_map(|line| line.trim_start_matches('#').strip_prefix(' '))
}

/// The links of a page within the project: the path, which may be empty, and the anchor.
fn links(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let inner = links.filter(|link| !link.contains("://"));
    inner.map(|link| link.split_once('#').map_or((link, None), |(path, name)| (path, Some(name))))
}

/// And the headings in them.
#[test]
fn files_that_the_documentation_links_to_exist() {
    let pages = pages();
    for (path, text) in &pages {
        for (link, name) in links(text) {
            let target = path.parent().unwrap().join(link);
            assert!(target.exists(), "{}: {link}", path.display());
            let Some(name) = name else { continue };
            let target = if link.is_empty() { path } else { &target };
            let target = fs::read_to_string(target).unwrap();
            let is_there = headings(&target).any(|heading| anchor(heading) == name);
            assert!(is_there, "{}: {link}#{name}", path.display());
        }
    }
}

#[test]
fn long_pages_begin_with_their_contents() {
    for (path, text) in pages() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let is_known = ["README.md", "CHANGELOG.md"].iter().any(|name| path.ends_with(name));
        if lines <= 150 || is_known {
            continue;
        }
        let (before, _) = text.split_once("\n## ").unwrap();
        for heading in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            let link = format!("](#{})", anchor(heading));
            assert!(before.contains(&link), "{}: {link}", path.display());
        }
    }
}

#[test]
fn every_page_is_in_the_index_of_the_documentation() {
    let folder = root().join("docs");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    for (path, _) in pages() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.parent() == Some(&folder) && name != "README.md" {
            assert!(index.contains(&format!("]({name}")), "{name}");
        }
    }
}

#[test]
fn configurations_of_the_readme_load() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let examples = blocks(&text);
    assert_eq!(examples.len(), 2);
    for example in examples {
        let example = example
            .lines()
            .filter(|line| !line.starts_with("load_module"))
            .map(|line| line.split('#').next().unwrap())
            .collect::<Vec<_>>()
            .join("\n")
            .replace("/etc/nginx/issuer.pem", "issuer.pem");
        for example in [second_names(&example), example] {
            let accepted = accepted(&example, "");
            assert!(!accepted.contains("[warn]"), "{accepted}");
        }
    }
}

#[test]
fn figures_of_the_readme_are_those_of_performance_md() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let measured = fs::read_to_string(root().join("docs/performance.md")).unwrap();
    let (_, readme) = readme.split_once("## What it costs").unwrap();
    let table = |heading: &str| {
        let (_, rest) = measured.split_once(&format!("#### {heading}\n")).unwrap();
        rest.split("\n#").next().unwrap().to_owned()
    };
    let (again, new) = (table("The same token again and again"), table("Tokens never seen before"));
    for (ours, theirs) in [
        ("**ojwt**", "**ojwt, auth_jwt, file**"),
        ("Envoy, jwt_authn with its cache", "Envoy, jwt_authn with cache"),
        ("HAProxy, jwt_verify", "HAProxy, jwt_verify"),
        ("Apache, mod_auth_openidc", "Apache, mod_auth_openidc, file"),
        ("nginx, auth_request to PyJWT", "nginx + PyJWT, auth_request, file"),
        ("nginx, njs", "nginx + njs, WebCrypto, file"),
    ] {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {ours} |"))).unwrap();
        let figures = [&again, &new].map(|table| {
            let row =
                table.lines().find(|line| line.starts_with(&format!("| {theirs} |"))).unwrap();
            row.split(" ×").nth(1).unwrap().split(' ').next().unwrap().to_owned()
        });
        let shown: Vec<String> = row
            .split('×')
            .skip(1)
            .map(|part| part.split([' ', '*']).next().unwrap().into())
            .collect();
        assert_eq!(shown, figures, "{ours}");
    }
}

#[test]
fn every_row_of_the_matrix_is_in_compatibility_md() {
    let output =
        Command::new("scripts/matrix/run").arg("--list").current_dir(root()).output().unwrap();
    assert!(output.status.success());
    let text = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    let rows = String::from_utf8(output.stdout).unwrap();
    assert!(rows.lines().count() >= 20, "{rows}");
    for row in rows.lines() {
        assert!(text.contains(&format!("\n| {row} |")), "{row}");
    }
}

#[test]
fn make_targets_that_the_documentation_names_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut texts: Vec<String> =
        pages().iter().map(|(path, _)| fs::read_to_string(path).unwrap()).collect();
    texts.push(fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap());
    let mut names = 0;
    for text in texts {
        // In code (`make test`), in a fence, or as a step.
        let after = ["`make ", "\nmake ", "run: make "].map(|start| text.split(start).skip(1));
        for rest in after.into_iter().flatten() {
            let name = rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap();
            let is_there = makefile.contains(&format!("\n{name}:"));
            assert!(is_there || name == "install" || name.starts_with("curl"), "make {name}");
            names += 1;
        }
    }
    assert!(names > 20, "{names}");
}

/// The statements of an example, each with what is in its braces.
fn statements(example: &str) -> Vec<String> {
    let (mut statements, mut current) = (Vec::new(), String::new());
    let (mut depth, mut quote) = (0, None);
    for character in example.chars() {
        current.push(character);
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '{') => depth += 1,
            (None, '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 && quote.is_none() && matches!(character, ';' | '}') {
            statements.push(core::mem::take(&mut current));
        }
    }
    assert!(current.trim().is_empty(), "unfinished: {current}");
    statements
}

#[test]
fn every_entry_has_an_example_and_every_example_loads() {
    let text = fs::read_to_string(root().join("docs/directives.md")).unwrap();
    let keys = jwks(&[&ISSUER]);
    for entry in text.split("\n### ").skip(1) {
        let name = entry.lines().next().unwrap();
        let examples = blocks(entry);
        assert!(!examples.is_empty(), "no example: {name}");
        for example in examples {
            // nginx looks hosts up when it reads them.
            let example = example.replace("//idp.example.com", "//127.0.0.1");
            // Not every system has its certificates there.
            let example = example.replace("/etc/ssl/certs/ca-certificates.crt", "ca.pem");
            for example in [second_names(&example), example] {
                let accepted = accepted(&example, &keys);
                assert!(!accepted.contains("[warn]"), "{name}: {accepted}");
            }
        }
    }
}

#[test]
fn lines_of_the_log_that_faq_md_explains_are_written() {
    let text = fs::read_to_string(root().join("docs/faq.md")).unwrap();
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem; map $arg_none $is_admin { default 0; }")
        .server(
            "auth_jwt_require_claim aud eq https://api.example.com;
             location = /aud { return 200 $decoded_ojwt; }
             location = /level { auth_jwt_require_claim level ge json=2; return 200 $decoded_ojwt; }
             location = /roles { auth_jwt_require_claim roles any a; return 200 $decoded_ojwt; }
             location = /empty { auth_jwt_require_claim aud eq $arg_x; return 200 $decoded_ojwt; }
             location = /require {
                 auth_jwt realm; auth_jwt_require_claim aud any https://api.example.com;
                 auth_jwt_require $is_admin;
             }",
        )
        .start();
    let aud = json!(["https://api.example.com"]);
    for (target, claims) in [
        ("/aud", json!({"aud": "x"})),
        ("/aud", json!({"aud": aud})),
        ("/aud", json!({"exp": "1"})),
        ("/aud", json!({"exp": 1})),
        ("/aud", json!({"nbf": 1e10})),
        ("/aud", json!({"host": "other.example"})),
        ("/level", json!({"level": "9"})),
        ("/roles", json!({"realm_access.roles": []})),
        ("/empty", json!({"aud": "x"})),
        ("/require", json!({"aud": aud})),
    ] {
        nginx.get_as(target, &token(claims));
    }
    for token in ["", "a", "a.b.c="] {
        nginx.get_as("/aud", token);
    }
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let lines: Vec<&str> = rows.filter_map(|row| row.split(" |").next()).collect();
    assert!(lines.len() > 12, "{lines:?}");
    let log = nginx.error_log();
    // These take another set-up, and have tests of their own.
    let others =
        ["unknown key", "signature mismatch", "algorithm not allowed", "no key", "token revoked"];
    for line in lines.iter().flat_map(|line| line.split('`')).filter(|part| part.len() > 2) {
        let is_tested_elsewhere = others.contains(&line) || line == "key unavailable";
        let line = line.replace(" ...:", " claim aud eq:");
        assert!(
            is_tested_elsewhere || log.contains(&format!("ojwt: {line}, client:")),
            "{line}\n{log}"
        );
    }
}

/// The configurations in a text.
pub fn blocks(text: &str) -> Vec<String> {
    let blocks = text.split("\n```nginx\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

/// An example in which every directive and variable has its second name.
pub fn second_names(example: &str) -> String {
    example.replace("auth_jwt", "ojwt").replace("$jwt_", "$ojwt_")
}

/// What of an example stands in `http`, and what in a server.
pub fn levels(example: &str) -> (String, String) {
    let (http, server): (Vec<_>, Vec<_>) = statements(example).into_iter().partition(|statement| {
        let word = statement.split_whitespace().next().unwrap();
        let is_global = ["map", "limit_req_zone", "log_format", "server"];
        let is_of_ours = word.starts_with("auth_jwt") || word.starts_with("ojwt");
        is_global.contains(&word) || word.ends_with("_set") && is_of_ours
    });
    (http.concat(), server.concat())
}

/// What `nginx -t` says of an example.
pub fn accepted(example: &str, keys: &str) -> String {
    let (http, server) = levels(example);
    Nginx::builder()
        .file("keys.jwks", keys)
        .file("ca.pem", fs::read(data("chain.crt")).unwrap())
        .file("keys.json", json!({ "1": public_pem(&ISSUER) }).to_string())
        .file("revoked.txt", "mallory\n")
        .file("revoked.json", r#"{"mallory":{}}"#)
        // For machines whose cache lines are short.
        .http(&format!("map_hash_bucket_size 128;{http}"))
        .server(&server)
        .accepted()
}
