//! The command line, as `otools --help` shows it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, ArgGroup, Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;
use ojwt_core::Alg;

/// The algorithms that `make_priv_key` makes keys for.
const PRIVATE_KEY_ALGS: [Alg; 8] = [
    Alg::RS256,
    Alg::PS256,
    Alg::ES256,
    Alg::ES384,
    Alg::ES512,
    Alg::EdDSA,
    Alg::Ed25519,
    Alg::Ed448,
];

const TIMES: &str = "\
A time T is one of
  1767225600                 seconds since 1970-01-01T00:00:00Z
  +1h, -1d, +1h30m, +2 weeks from now on; m is a minute, mo a month
  now, tomorrow, yesterday   tomorrow is now and a day
  2026-01-01T00:00:00Z       RFC 3339";

/// Keys and JSON Web Tokens at the command line
// `-h` means the host, so it never means help.
#[derive(Debug, Parser)]
#[command(name = "otools", version, disable_help_flag = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print help
    #[arg(long, global = true, action = ArgAction::Help, display_order = 1000)]
    help: Option<bool>,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Make a private key: PKCS#8 in PEM, readable by its owner only
    #[command(alias = "make-priv-key")]
    MakePrivKey(MakePrivKey),
    /// Extract the public key of a private key or a certificate, as PEM
    #[command(alias = "make-pub-key")]
    MakePubKey(MakePubKey),
    /// Make a token
    ///
    /// Its claims are those of --claims, then `message` (-m), `host` (-h), `exp`, `nbf` and `iat`,
    /// then those of --claim. `iat` is now where nothing else is given. A claim given twice is an
    /// error.
    Encode(Encode),
    /// Verify a token and print its claims
    ///
    /// Signature, `exp`, `nbf`, the types of registered claims and, with --host, `host` are checked
    /// as nginx checks them. Of a token that fails nothing is printed but the reason.
    Decode(Decode),
    /// Gather public keys in a JWK Set
    ///
    /// A key without a `kid` of its own gets its RFC 7638 thumbprint. Of a private key only the
    /// public part is taken; a shared secret has none and is refused. A key that is given twice is
    /// there once.
    Jwks(Jwks),
    /// Print a script that completes otools' command lines
    Completions(Completions),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MakePrivKey {
    /// Where to write the key; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "./private_key.pem")]
    pub(crate) output: PathBuf,

    /// What the key is to sign with
    #[arg(long, value_name = "ALG", default_value = "RS256", ignore_case = true, value_parser = algs(&PRIVATE_KEY_ALGS))]
    pub(crate) alg: Alg,

    /// The size of an RSA key: 2048 (default), 3072, 4096 or 8192
    #[arg(long, value_name = "N")]
    pub(crate) bits: Option<usize>,

    /// Replace the file if there is one; its key is lost
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MakePubKey {
    /// A private key (PEM, JWK), a public key or an X.509 certificate; - is standard input
    #[arg(short, long, value_name = "FILE", default_value = "./private_key.pem")]
    pub(crate) input: PathBuf,

    /// Where to write the public key; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "./public_key.pem")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = TIMES)]
pub(crate) struct Encode {
    /// The private key or the shared secret to sign with: PEM or JWK; - is standard input
    #[arg(short, long, value_name = "KEY")]
    pub(crate) key: PathBuf,

    /// The claim `message`
    #[arg(short, long, allow_hyphen_values = true)]
    pub(crate) message: Option<String>,

    /// The claim `host`: the only host that the token is good for
    #[arg(short = 'h', long, allow_hyphen_values = true)]
    pub(crate) host: Option<String>,

    /// From when on the token is no longer good
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) exp: Option<String>,

    /// From when on the token is good
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) nbf: Option<String>,

    /// When the token was issued [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) iat: Option<String>,

    /// Another claim; VALUE is JSON if it can be read as JSON, a string if not
    #[arg(long, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub(crate) claim: Vec<String>,

    /// More claims, as a JSON object; @FILE reads them from a file, @- from standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) claims: Option<String>,

    /// The algorithm [default: that of the JWK, or RS256, HS256 or the one that fits the key]
    #[arg(long, value_name = "ALG", ignore_case = true, value_parser = algs(&Alg::ALL), hide_possible_values = true)]
    pub(crate) alg: Option<Alg>,

    /// The `kid` of the token's header [default: that of the JWK, if it has one]
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) kid: Option<String>,

    /// Where to write the token, readable by its owner only; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub(crate) output: PathBuf,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("trusted").required(true).args(["key", "jwks"]))]
pub(crate) struct Decode {
    /// The token; - is standard input
    #[arg(short, long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub(crate) input: PathBuf,

    /// The key to verify with: PEM, X.509 certificate, JWK or JWK Set; - is standard input
    #[arg(short, long, value_name = "KEY")]
    pub(crate) key: Option<PathBuf>,

    /// A JWK Set to verify with; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,

    /// The host that the token is used at; not compared if not given
    #[arg(short = 'h', long, allow_hyphen_values = true)]
    pub(crate) host: Option<String>,

    #[arg(long, help = "Print the claims as JSON on one line, as $decoded_ojwt holds them")]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Jwks {
    /// Keys and certificates in PEM, JWKs and JWK Sets; - is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Where to write the set; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub(crate) output: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Completions {
    /// The shell that reads the script
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// The names of `algs`, in upper or lower case.
fn algs(algs: &'static [Alg]) -> impl TypedValueParser<Value = Alg> {
    let names = algs.iter().map(|alg| alg.name());
    PossibleValuesParser::new(names).try_map(|name| {
        let alg = algs.iter().find(|alg| alg.name().eq_ignore_ascii_case(&name));
        alg.copied().ok_or("no algorithm of that name")
    })
}
