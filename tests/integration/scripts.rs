//! The scripts and the Makefile: what they say, and how they exit.

use std::process::{Command, Output};

use serde_json::json;

use crate::harness::{Module, Nginx, root, token};

fn run(command: &mut Command) -> (Output, String) {
    let output = command.current_dir(root()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}

/// Builds a module that claims to be for another nginx.
fn foreign_module(version: &str, signature: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let source = format!(
        r#"typedef unsigned long u;
           struct module {{ u ctx_index, index; const char *name; u spare0, spare1, version;
                            const char *signature; u rest[18]; }};
           struct module foreign = {{ -1, -1, 0, 0, 0, {version}, "{signature}" }};
           struct module *ngx_modules[] = {{ &foreign, 0 }};
           const char *ngx_module_names[] = {{ "foreign", 0 }};"#
    );
    let file = directory.path().join("foreign.c");
    std::fs::write(&file, source).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-w", "-o"]).arg(directory.path().join("foreign.so")).arg(file);
    assert!(cc.status().unwrap().success());
    directory
}

#[test]
fn module_for_another_version_of_nginx_is_explained_in_a_sentence() {
    let directory = foreign_module("1002003", "");
    let (output, text) =
        run(Command::new("scripts/check-module").arg(directory.path().join("foreign.so")));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("ojwt: the module was built for nginx 1.2.3, but the nginx that is"));
    assert!(text.contains("run make build again"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn module_for_an_nginx_configured_otherwise_is_explained_in_a_sentence() {
    let (_, version) = run(Command::new("nginx").arg("-v"));
    let number = version.trim().rsplit('/').next().unwrap().split(' ').next().unwrap();
    let parts: Vec<u32> = number.split('.').map(|part| part.parse().unwrap()).collect();
    let number = parts[0] * 1_000_000 + parts[1] * 1000 + parts[2];
    let directory = foreign_module(&number.to_string(), "8,4,8,000");
    let (output, text) =
        run(Command::new("scripts/check-module").arg(directory.path().join("foreign.so")));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("configured with other options than the nginx"), "{text}");
}

#[test]
fn nginx_that_is_named_does_not_take_its_name_for_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("broken.so");
    std::fs::write(&file, "no module").unwrap();
    let (_, nginx) = run(Command::new("sh").args(["-c", "command -v nginx"]));
    let mut check = Command::new("scripts/check-module");
    let (output, text) = run(check.arg(file).env("NGINX", nginx.trim()));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("broken.so") && !text.contains("invalid socket number"), "{text}");
}

#[test]
fn module_that_is_not_hardened_or_holds_a_path_of_its_builder_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("changed.so");
    let module = std::fs::read(std::env::var("OJWT_MODULE").unwrap()).unwrap();
    let check = |module: &[u8]| {
        std::fs::write(&file, module).unwrap();
        run(Command::new("scripts/check-module").arg(&file))
    };
    let (output, text) = check(&module);
    assert!(output.status.success(), "{text}");

    // Program headers are 56 bytes each, from 64 on: a type, then flags.
    let changed = |kind: u32, at: usize, to: u32| {
        let mut module = module.clone();
        let header = (64..).step_by(56).find(|at| module[*at..*at + 4] == kind.to_le_bytes());
        let start = header.unwrap() + at;
        module[start..start + 4].copy_from_slice(&to.to_le_bytes());
        module
    };
    let source = root().join("src/lib.rs");
    for (module, complaint) in [
        (changed(0x6474_e551, 4, 7), "the stack is executable"),
        (changed(0x6474_e552, 0, 0), "no part is read-only after relocation"),
        ([&module, source.to_str().unwrap().as_bytes()].concat(), "of where it was built"),
        ([&module[..], &vec![0; 1_000_000]].concat(), "it has grown over"),
    ] {
        let (output, text) = check(&module);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(complaint), "{complaint}: {text}");
    }
}

#[test]
fn check_that_fails_exits_with_a_failure() {
    let nginx = Nginx::builder()
        .module(Module::Embedded)
        .file("html/protected/hello_world.txt", "Hello world.\n")
        .server(
            "location /protected { if ($decoded_ojwt ~ ^fail) { return 401 $decoded_ojwt; } }
             location /token-health-check {
                 if ($decoded_ojwt ~ ^fail) { return 401 $decoded_ojwt; }
                 return 200 valid;
             }",
        )
        .start();
    let check = |target: &str, jwt: &str| {
        let url = format!("URL=http://{}", nginx.address());
        run(Command::new("make").args(["-s", target, &url, &format!("TOKEN={jwt}")]))
    };
    let valid = token(json!({"host": "example.com"}));
    let (output, text) = check("curl_hello_world", &valid);
    assert!(output.status.success() && text.contains("Hello world."), "{text}");
    for target in ["curl_hello_world", "curl_token_health_check", "curl_verbose_token_check"] {
        assert!(check(target, &valid).0.status.success(), "{target}");
        let (output, text) = check(target, "x.y.z");
        assert!(!output.status.success() && text.contains("failed: malformed token"), "{text}");
    }
}

#[test]
fn help_lists_every_target() {
    let (output, help) = run(Command::new("make").arg("help"));
    assert!(output.status.success());
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let targets = makefile.lines().filter(|line| {
        line.starts_with(|c: char| c.is_ascii_lowercase())
            && line.contains(':')
            && !line.contains(":=")
            && !line.starts_with("export")
    });
    for target in targets.map(|line| line.split(':').next().unwrap()) {
        assert!(help.contains(&format!("  {target} ")), "{target} in\n{help}");
    }
}
