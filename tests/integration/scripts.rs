//! The scripts and the Makefile: what they say, and how they exit.

use std::fs;
use std::path::Path;
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
        run(Command::new("scripts/check/module").arg(directory.path().join("foreign.so")));
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
        run(Command::new("scripts/check/module").arg(directory.path().join("foreign.so")));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("configured with other options than the nginx"), "{text}");
}

#[test]
fn nginx_that_is_named_does_not_take_its_name_for_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("broken.so");
    std::fs::write(&file, "no module").unwrap();
    let (_, nginx) = run(Command::new("sh").args(["-c", "command -v nginx"]));
    let mut check = Command::new("scripts/check/module");
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
        run(Command::new("scripts/check/module").arg(&file))
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

/// A test as nginx's suite has them: nginx answers, with what the suite was told to configure.
const SERVES: &str = r#"
use strict;
use warnings;
use File::Temp 'tempdir';
use IO::Socket::UNIX;

my $folder = tempdir(CLEANUP => 1);
open my $file, '>', "$folder/nginx.conf" or die;
print $file "$ENV{TEST_NGINX_GLOBALS} daemon off; pid $folder/pid; events {}
    http { access_log $folder/access; client_body_temp_path $folder/body; $ENV{TEST_NGINX_GLOBALS_HTTP}
        server { listen unix:$folder/socket; location / { root $folder; } } }";
close $file;
my $nginx = fork;
exec $ENV{TEST_NGINX_BINARY}, '-p', "$folder/", '-c', 'nginx.conf', '-e', "$folder/log" unless $nginx;
my $client;
for (1 .. 100) {
    last if $client = IO::Socket::UNIX->new("$folder/socket");
    select undef, undef, undef, 0.05;
}
print $client "GET /nginx.conf HTTP/1.0\r\n\r\n";
print +(<$client> =~ / 200 / ? "" : "not "), "ok 1 - it serves on $folder\n1..1\n";
kill QUIT => $nginx;
waitpid $nginx, 0;
"#;

/// What scripts/check/nginx-tests makes of a checkout with these tests.
fn nginx_tests(tests: &[(&str, &str)]) -> (Option<i32>, String) {
    let checkout = tempfile::tempdir().unwrap();
    fs::create_dir_all(checkout.path().join("lib/Test")).unwrap();
    fs::write(checkout.path().join("lib/Test/Nginx.pm"), "").unwrap();
    for (name, test) in tests {
        fs::write(checkout.path().join(name), test).unwrap();
    }
    let (_, nginx) = run(Command::new("sh").args(["-c", "command -v \"${NGINX:-nginx}\""]));
    let mut script = Command::new("scripts/check/nginx-tests");
    script.env("NGINX_TESTS", checkout.path()).env("NGINX", nginx.trim());
    let (output, text) = run(&mut script);
    (output.status.code(), text)
}

#[test]
fn tests_of_nginx_that_say_the_same_with_the_module_are_the_same() {
    let (code, text) = nginx_tests(&[
        ("serves.t", SERVES),
        ("fails.t", r#"print "1..3\nok 1 - a\nnot ok 2 - b\nnot ok 3 - c # TODO not yet\n""#),
        ("skipped.t", r#"print "1..0 # SKIP no mail available\n""#),
        // Fails in the second run, which is the first with the module.
        (
            "flaky.t",
            r#"open my $runs, '>>', 'runs'; print $runs "x"; close $runs;
               print -s 'runs' == 2 ? "not ok 1\n1..1\n" : "ok 1\n1..1\n""#,
        ),
    ]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("once more, since they differ: flaky.t\n"), "{text}");
    assert!(text.contains("in every way fails.t fails: not ok 2 - b\n"), "{text}");
    assert!(text.contains("in every way skipped.t is skipped: no mail available\n"), "{text}");
    assert!(text.contains("1 requests were judged, and 1 passed the gate\n"), "{text}");
    let summary = "4 files, 5 tests: the same with and without ojwt \
                   (1 files skipped, 1 tests failing and 0 files ending early in every way)\n";
    assert!(text.ends_with(summary), "{text}");
}

#[test]
fn tests_of_nginx_that_end_early_are_counted_apart() {
    let (code, text) = nginx_tests(&[
        ("serves.t", SERVES),
        ("dies.t", r#"print "1..2\nok 1 - a\n"; die "no nginx\n""#),
        ("stops.t", r#"print "1..3\nok 1 - a\nnot ok 2 - b\n""#),
        ("fails.t", r#"print "not ok 1 - a\n1..1\n"; exit 1"#),
    ]);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "in every way dies.t ends early: no nginx\n",
        "in every way stops.t fails: not ok 2 - b\n",
        "in every way stops.t ends early: ",
        "in every way fails.t fails: not ok 1 - a\n",
        "a checkout that is about as old as the nginx may have fewer",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let summary = "(0 files skipped, 2 tests failing and 2 files ending early in every way)\n";
    assert!(text.ends_with(summary), "{text}");
}

#[test]
fn tests_of_nginx_that_must_differ_in_one_way_are_left_out_of_that_and_the_reason_is_said() {
    let differs_with = |directive| {
        format!(
            r#"print $ENV{{TEST_NGINX_GLOBALS_HTTP}} =~ /{directive}/ ? "not ok 1\n" : "ok 1\n";
               print "1..1\n""#
        )
    };
    let (refused, gated) = (differs_with("limit_req"), differs_with("auth_jwt everything"));
    let (code, text) = nginx_tests(&[
        ("serves.t", SERVES),
        ("error_log.t", &refused),
        ("syslog.t", &refused),
        ("auth_request_satisfy.t", &gated),
    ]);
    assert_eq!(code, Some(0), "{text}");
    let reason = "since it counts lines of the level info, and each refusal is one\n";
    for line in [
        format!("without error_log.t, {reason}"),
        format!("without syslog.t, {reason}"),
        "without auth_request_satisfy.t, since it asks who is let in if any module says yes, and \
         the gate always does\n"
            .to_owned(),
    ] {
        assert_eq!(text.matches(&line).count(), 1, "{line}: {text}");
    }
}

#[test]
fn tests_of_nginx_are_run_without_the_variable_that_nginx_takes_for_sockets() {
    let (code, text) = nginx_tests(&[
        ("serves.t", SERVES),
        ("inherits.t", r#"print defined $ENV{NGINX} ? "not ok 1\n" : "ok 1\n"; print "1..1\n""#),
    ]);
    assert!(code == Some(0) && !text.contains("inherits.t fails"), "{text}");
}

#[test]
fn test_of_nginx_that_the_module_changes_is_found() {
    let (code, text) = nginx_tests(&[
        ("serves.t", SERVES),
        (
            "depends.t",
            r#"print $ENV{TEST_NGINX_GLOBALS} =~ /ojwt|plain|load_module/ ? "not ok 1 - why\n" : "ok 1\n";
               print "1..1\n""#,
        ),
    ]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("depends.t is another with the module loaded:\n"), "{text}");
    assert!(text.contains("-ok 1\n+not ok 1\n"), "{text}");
    assert!(text.contains("--- depends.t, loaded:\nnot ok 1 - why\n"), "{text}");
    assert!(!text.contains("serves.t is another"), "{text}");
    // The figures are there all the same, and what was found is kept.
    assert!(text.contains("1 requests were judged, and 1 passed the gate\n"), "{text}");
    let (_, end) = text.rsplit_once("ojwt: nginx-tests: ").unwrap();
    let (figures, folder) = end.trim_end().split_once("; the results are in ").unwrap();
    let expected = "2 files, 2 tests: not the same with and without ojwt \
                    (0 files skipped, 0 tests failing and 0 files ending early in every way): \
                    depends.t";
    assert_eq!(figures, expected);
    let kept = fs::read_to_string(Path::new(folder).join("loaded/depends.t.tap")).unwrap();
    assert_eq!(kept, "not ok 1 - why\n1..1\n");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn tests_of_nginx_that_are_not_there_are_asked_for() {
    for (folder, complaint) in
        [("", "NGINX_TESTS is not set: git clone"), ("tests", "NGINX_TESTS=tests is no checkout")]
    {
        let (output, text) =
            run(Command::new("scripts/check/nginx-tests").env("NGINX_TESTS", folder));
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with(&format!("ojwt: {complaint}")), "{text}");
    }
}

/// What the recorded advisories in a folder say of a lock file with these packages.
fn advisories(copy: &Path, packages: &[(&str, &str)]) -> (bool, String) {
    let lock = tempfile::NamedTempFile::new().unwrap();
    let tables = packages.iter().map(|(name, version)| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry\"\n")
    });
    fs::write(&lock, tables.collect::<String>()).unwrap();
    let mut script = Command::new("python3");
    script.args(["scripts/supply/inventory.py", "advisories"]).arg(copy).arg(lock.path());
    let (output, text) = run(&mut script);
    (output.status.success(), text)
}

#[test]
fn advisory_on_a_locked_version_is_a_failure() {
    let copy = root().join("tests/advisories");
    assert_eq!(advisories(&copy, &[("lru", "0.19.1"), ("rand", "0.9.4")]), (true, String::new()));
    // Before what is patched; between two patched ranges; before a release of a patched version.
    for (name, version, id) in [
        ("lru", "0.18.1", "2026-0253"),
        ("rand", "0.10.0", "2026-0097"),
        ("smallvec", "1.6.0", "2021-0003"),
        ("lru", "0.18.2-rc.1", "2026-0253"),
    ] {
        let (passes, text) = advisories(&copy, &[("memchr", "2.7.4"), (name, version)]);
        let sentence = format!("ojwt: RUSTSEC-{id} concerns {name} {version}: ");
        assert!(!passes && text.starts_with(&sentence), "{text}");
    }
}

#[test]
fn recorded_advisories_that_are_old_or_lack_a_crate_are_not_relied_on_silently() {
    let recorded = root().join("tests/advisories/copy.toml");
    let text = fs::read_to_string(recorded).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let (head, date) = text.split_once("date = ").unwrap();
    let (_, crates) = date.split_once('\n').unwrap();
    fs::write(copy.path().join("copy.toml"), format!("{head}date = 2020-02-02\n{crates}")).unwrap();
    let (passes, text) = advisories(copy.path(), &[("lru", "0.19.1"), ("openssl", "0.10.0")]);
    assert!(passes, "{text}");
    assert!(text.contains("those recorded are of 2020-02-02, "), "{text}");
    assert!(text.contains("advisories of openssl: not among what was looked up"), "{text}");
}

/// Stands in for cargo: the library that it builds holds what the file `library` does.
const CARGO: &str = r#"#!/bin/sh
[ "$1" != --version ] || exit 0
while [ $# -gt 0 ]; do [ "$1" != --target-dir ] || target=$2; shift; done
mkdir -p "$target/release"
built=$target/release/libngx_http_ojwt_module.a
cmp -s "$FOLDER/library" "$built" || cp "$FOLDER/library" "$built"
"#;

/// Stands in for the compiler and the linker: a result holds the libraries that it is linked with.
const CC: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in -o) out=$2 ;; *.a) libraries="$libraries $1" ;; esac
    shift
done
[ -z "$libraries" ] || echo linked >>"$FOLDER/links"
cat /dev/null $libraries >"$out"
"#;

/// nginx's own Makefile, made by its `./configure` with this option for our folder.
struct Makefile {
    folder: tempfile::TempDir,
}

impl Makefile {
    fn configured(option: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for (name, script) in [("bin/cargo", CARGO), ("bin/fake-cc", CC)] {
            fs::create_dir_all(path.join("bin")).unwrap();
            fs::write(path.join(name), script).unwrap();
            assert!(run(Command::new("chmod").arg("+x").arg(path.join(name))).0.status.success());
        }
        // The headers of a package have no sources beside them; nobody reads them here.
        let configure = format!(
            "cp -RL \"${{NGINX_SOURCE_DIR:-/usr/share/nginx/src}}\" src && cd src && rm -rf objs &&
             if [ -e configure ]; then script=./configure; else script=auto/configure; fi &&
             $script --without-pcre --without-http_rewrite_module --without-http_gzip_module \
                 {option}={} &&
             for file in $(grep -o 'src/[a-z0-9_/]*\\.c' objs/Makefile); do
                 [ -e \"$file\" ] || {{ mkdir -p \"$(dirname \"$file\")\" && : >\"$file\"; }}
             done",
            root().display()
        );
        let makefile = Self { folder };
        let (output, text) =
            run(makefile.command("sh").args(["-ec", &format!("cd \"$FOLDER\" && {configure}")]));
        assert!(output.status.success(), "{text}");
        makefile
    }

    fn command(&self, program: &str) -> Command {
        let path = self.folder.path();
        let mut command = Command::new(program);
        let paths = format!("{}/bin:{}", path.display(), std::env::var("PATH").unwrap());
        command.env("PATH", paths).env("FOLDER", path);
        command
    }

    /// Has cargo build this library and make what links it; what is then linked, and how often it
    /// was.
    fn make(&self, target: &str, linked: &str, library: &str) -> (String, usize) {
        let path = self.folder.path();
        fs::write(path.join("library"), library).unwrap();
        let mut make = self.command("make");
        make.args(["-s", "-f", "objs/Makefile", "CC=fake-cc", target])
            .arg("-C")
            .arg(path.join("src"));
        let (output, text) = run(&mut make);
        assert!(output.status.success(), "{text}");
        let links = fs::read_to_string(path.join("links")).unwrap().lines().count();
        (fs::read_to_string(path.join("src/objs").join(linked)).unwrap(), links)
    }
}

/// Makes twice, and once more with nothing changed.
fn links_what_cargo_built_last(option: &str, target: &str, linked: &str) {
    let makefile = Makefile::configured(option);
    for (library, links) in [("of yesterday", 1), ("of today", 2), ("of today", 2)] {
        assert_eq!(makefile.make(target, linked, library), (library.to_owned(), links));
    }
}

#[test]
fn make_links_the_module_with_the_library_that_cargo_built_in_the_same_run() {
    links_what_cargo_built_last("--add-dynamic-module", "modules", "ngx_http_ojwt_module.so");
}

#[test]
fn make_links_nginx_with_the_library_that_cargo_built_in_the_same_run() {
    links_what_cargo_built_last("--add-module", "binary", "nginx");
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
