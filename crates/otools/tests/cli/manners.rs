//! What all commands have in common.

use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use crate::harness::{Dir, OTOOLS, answer};

const COMMANDS: [&str; 6] =
    ["make_priv_key", "make_pub_key", "encode", "decode", "jwks", "completions"];

#[test]
fn help_names_every_command_and_goes_to_standard_output() {
    let dir = Dir::new();
    let help = dir.ok(&["--help"]);
    for command in COMMANDS {
        assert!(help.contains(command), "{help}");
        let own = dir.ok(&[command, "--help"]);
        assert!(own.contains(&format!("Usage: otools {command}")), "{own}");
        assert_eq!(dir.ok(&["help", command]), own);
    }
    assert!(dir.ok(&["--version"]).starts_with("otools "));
}

#[test]
fn dash_h_is_nowhere_help() {
    let dir = Dir::new();
    for args in [&["-h"][..], &["make_priv_key", "-h"], &["make_pub_key", "-h"], &["jwks", "-h"]] {
        let answer = dir.otools(args);
        assert_eq!((answer.status, answer.stdout.as_str()), (Some(2), ""), "{answer:?}");
    }
    for command in ["encode", "decode"] {
        let answer = dir.otools(&[command, "-k", "missing.pem", "-h", "example.com"]);
        assert_eq!(answer.fails(1), "missing.pem: No such file or directory");
    }
}

#[test]
fn commands_may_be_spelled_with_hyphens() {
    let dir = Dir::new();
    dir.ok(&["make-priv-key", "--alg", "EdDSA"]);
    dir.ok(&["make-pub-key"]);
    assert_eq!(dir.names(), ["private_key.pem", "public_key.pem"]);
}

#[test]
fn flags_have_long_names_too() {
    let dir = Dir::new();
    dir.ok(&["make_priv_key", "--alg", "EdDSA", "--output", "k.pem"]);
    dir.ok(&["make_pub_key", "--input", "k.pem", "--output", "p.pem"]);
    let encode = ["--message", "hi", "--host", "a.example", "--iat", "5", "--output", "t.txt"];
    dir.ok(&[&["encode", "--key", "k.pem"], &encode[..]].concat());
    let claims = dir.ok(&["decode", "--key", "p.pem", "--input", "t.txt", "--json"]);
    assert_eq!(claims, "{\"message\":\"hi\",\"host\":\"a.example\",\"iat\":5}\n");
}

#[test]
fn calls_that_make_no_sense_exit_with_2_and_say_why() {
    let dir = Dir::new();
    for (args, words) in [
        (&["frobnicate"][..], "unrecognized subcommand 'frobnicate'"),
        (&["encode"], "--key <KEY>"),
        (&["decode"], "--key <KEY>|--jwks <FILE>"),
        (&["jwks"], "<FILE>..."),
        (&["completions", "tcsh"], "possible values: bash, elvish, fish, powershell, zsh"),
        (&["make_priv_key", "--alg", "none"], "possible values: RS256, PS256"),
        (&["make_priv_key", "--bits", "many"], "invalid value 'many'"),
        (&["make_priv_key", "extra"], "unexpected argument 'extra'"),
        (&["encode", "-k", "a", "-k", "b"], "cannot be used multiple times"),
    ] {
        let answer = dir.otools(args);
        assert_eq!((answer.status, answer.stdout.as_str()), (Some(2), ""), "{answer:?}");
        assert!(answer.stderr.starts_with("otools: "), "{answer:?}");
        assert!(answer.stderr.contains(words), "{answer:?}");
    }
    let answer = dir.otools(&[]);
    assert_eq!((answer.status, answer.stdout.as_str()), (Some(2), ""), "{answer:?}");
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn file_names_and_arguments_command_no_terminal() {
    let dir = Dir::new();
    let name = "a\u{1b}[31m\u{7}\nb\u{9b}\u{202e}";
    let expected = "a\\u001b[31m\\u0007\\nb\\u009b\\u202e: No such file or directory";
    assert_eq!(dir.fails(1, &["encode", "-k", name]), expected);
    assert_eq!(dir.fails(1, &["make_pub_key", "-i", name]), expected);
    for args in [&[name][..], &["make_priv_key", name], &["make_priv_key", "--alg", name]] {
        let answer = dir.otools(args);
        assert_eq!(answer.status, Some(2));
        let controls = |c: char| c.is_control() && c != '\n';
        assert!(!answer.stderr.contains(controls), "{answer:?}");
        assert!(!answer.stderr.contains('\u{202e}'), "{answer:?}");
    }
}

#[test]
fn names_that_are_not_utf8_are_no_panic() {
    let dir = Dir::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xff.pem");
    answer(dir.command(OTOOLS).args(["make_priv_key", "--alg", "EdDSA", "-o"]).arg(name), b"").ok();
    answer(dir.command(OTOOLS).args(["make_pub_key", "-i"]).arg(name), b"").ok();
    let again = answer(dir.command(OTOOLS).args(["make_priv_key", "-o"]).arg(name), b"");
    assert_eq!(again.fails(1), "a\u{fffd}.pem: exists already; --force replaces it");
    let message = answer(dir.command(OTOOLS).args(["encode", "-k", "k", "-m"]).arg(name), b"");
    assert_eq!(message.status, Some(2));
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let dir = Dir::with_keys("EdDSA");
    dir.token(&["-o", "t.txt"]);
    for args in [
        &["--help"][..],
        &["encode", "-k", "private_key.pem"],
        &["decode", "-k", "public_key.pem", "-i", "t.txt"],
        &["jwks", "public_key.pem"],
        &["make_priv_key", "-o", "-"],
        &["make_pub_key", "-o", "-"],
        &["completions", "bash"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = dir.command(OTOOLS).args(args).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{args:?}: {output:?}");
    }
}

#[test]
fn a_full_standard_output_is_a_failure() {
    let dir = Dir::with_keys("EdDSA");
    for line in [
        "--help",
        "encode -k private_key.pem",
        "jwks public_key.pem",
        "make_priv_key --alg ES256 -o -",
        "make_pub_key -o -",
        "completions zsh",
    ] {
        let answer = dir.shell(&format!("exec \"$0\" {line} > /dev/full"));
        assert_eq!(answer.fails(1), "standard output: No space left on device", "{line}");
    }
}

#[test]
fn nobody_to_complain_to_is_no_panic() {
    let dir = Dir::new();
    for line in ["encode -k missing.pem", "make_pub_key", "jwks missing.pem"] {
        for stderr in ["2>&-", "2>/dev/full"] {
            let answer = dir.shell(&format!("exec \"$0\" {line} {stderr}"));
            assert_eq!(answer.status, Some(1), "{answer:?}");
        }
    }
    assert_eq!(dir.shell("exec \"$0\" frobnicate 2>/dev/full").status, Some(2));
}

#[test]
fn nothing_that_a_shell_leaves_out_is_a_panic() {
    let dir = Dir::with_keys("EdDSA");
    assert_eq!(dir.shell("exec \"$0\" decode -k public_key.pem <&-").fails(1), "no token");
    dir.shell("exec \"$0\" make_pub_key -i - <&-").fails(1);
    dir.shell("exec \"$0\" jwks public_key.pem >&-").ok();
}

#[test]
fn pipes_are_read_and_written_like_files() {
    let dir = Dir::with_keys("EdDSA");
    let line = "mkfifo pipe; \"$0\" encode -k private_key.pem --iat 5 -o pipe & \
                \"$0\" decode -k public_key.pem --json -i pipe; wait";
    assert_eq!(dir.shell(line).ok(), "{\"iat\":5}\n");
}

#[test]
fn completions_are_scripts_that_the_shell_reads() {
    let dir = Dir::new();
    for (shell, words) in [
        ("bash", "_otools()"),
        ("zsh", "#compdef otools"),
        ("fish", "complete -c otools"),
        ("elvish", "edit:completion:arg-completer[otools]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = dir.ok(&["completions", shell]);
        assert!(script.contains(words), "{shell}");
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    let script = dir.ok(&["completions", "bash"]);
    let mut bash = dir.command("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}
