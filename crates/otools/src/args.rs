//! The command line, as `clap` reads it.
//!
//! `-h` is the host of a token, so that help is `--help` alone, everywhere.

use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ojwt_core::Alg;

/// Keys and JSON Web Tokens at the command line.
#[derive(Parser)]
#[command(name = "otools", version, disable_help_flag = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Print help.
    #[arg(long, global = true, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a private key: PKCS#8 in PEM, readable by its owner alone.
    #[command(name = "make_priv_key", alias = "make-priv-key")]
    MakePrivKey(MakePrivKey),
    /// Extract the public key of a private key or a certificate.
    #[command(name = "make_pub_key", alias = "make-pub-key")]
    MakePubKey(MakePubKey),
    /// Make a token.
    Encode(Encode),
    /// Verify a token and print its claims.
    Decode(Decode),
    /// Gather public keys into a JWK Set.
    Jwks(Jwks),
    /// Print the completions for a shell.
    Completions(Completions),
}

#[derive(ClapArgs)]
pub(crate) struct MakePrivKey {
    /// Where the key goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "./private_key.pem")]
    pub(crate) output: PathBuf,
    /// The algorithm that the key is for.
    #[arg(long, value_enum, ignore_case = true, default_value = "RS256")]
    pub(crate) alg: KeyAlg,
    /// The length of an RSA key: 2048, 3072, 4096 or 8192.
    #[arg(long, value_name = "N")]
    pub(crate) bits: Option<usize>,
    /// Replace a key that is there already.
    #[arg(long)]
    pub(crate) force: bool,
}

/// The algorithms of key pairs that can be made.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "verbatim")]
#[allow(clippy::upper_case_acronyms)]
pub(crate) enum KeyAlg {
    RS256,
    PS256,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

impl From<KeyAlg> for Alg {
    fn from(alg: KeyAlg) -> Self {
        match alg {
            KeyAlg::RS256 => Self::RS256,
            KeyAlg::PS256 => Self::PS256,
            KeyAlg::ES256 => Self::ES256,
            KeyAlg::ES384 => Self::ES384,
            KeyAlg::ES512 => Self::ES512,
            KeyAlg::EdDSA => Self::EdDSA,
        }
    }
}

#[derive(ClapArgs)]
pub(crate) struct MakePubKey {
    /// A private key (PEM or JWK), a public key or a certificate; `-` is standard input.
    #[arg(short, long, value_name = "FILE", default_value = "./private_key.pem")]
    pub(crate) input: PathBuf,
    /// Where the public key goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "./public_key.pem")]
    pub(crate) output: PathBuf,
}

/// A time T is seconds since the epoch, `now`, `tomorrow`, `yesterday`, an offset such as `+1h` or
/// `-2 days`, or RFC 3339.
#[derive(ClapArgs)]
#[command(after_help = "A time T is seconds since the epoch, now, tomorrow, yesterday, an offset \
                        such as +1h, -1d or \"+1 week 2 days\", or RFC 3339.")]
pub(crate) struct Encode {
    /// The private key (PEM or JWK) or the shared secret (JWK) to sign with.
    #[arg(short, long, value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// The claim `message`.
    #[arg(short, long)]
    pub(crate) message: Option<String>,
    /// The claim `host`: the one host that the token is good for.
    #[arg(short = 'h', long)]
    pub(crate) host: Option<String>,
    /// The claim `exp`: from then on the token is not accepted.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) exp: Option<String>,
    /// The claim `nbf`: before then the token is not accepted.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) nbf: Option<String>,
    /// The claim `iat`: when the token was made.
    #[arg(long, value_name = "T", allow_hyphen_values = true, default_value = "now")]
    pub(crate) iat: String,
    /// A further claim; VALUE is taken as JSON if it is JSON, else as a string.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) claim: Vec<String>,
    /// Further claims, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) claims: Option<String>,
    /// The algorithm; by default the first that fits the key.
    #[arg(long, value_parser = parse_alg)]
    pub(crate) alg: Option<Alg>,
    /// The header parameter `kid`; by default that of the key, if it is a JWK.
    #[arg(long, value_name = "ID")]
    pub(crate) kid: Option<String>,
    /// Where the token goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(ClapArgs)]
pub(crate) struct Decode {
    /// The token; `-` is standard input.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,
    /// The key to verify with: PEM, certificate, JWK or JWK Set.
    #[arg(short, long, value_name = "KEY", required_unless_present = "jwks")]
    pub(crate) key: Option<PathBuf>,
    /// A JWK Set to verify with.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) jwks: Option<PathBuf>,
    /// The host that a `host` claim must name; by default none is compared.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Print the claims as JSON on one line, exactly as nginx shows them.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Jwks {
    /// Keys: PEM, certificates, JWKs and JWK Sets; of a private key, its public half.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Where the set goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(ClapArgs)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

fn parse_alg(name: &str) -> Result<Alg, String> {
    Alg::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Alg::ALL.into_iter().map(Alg::name).collect();
        format!("one of {}", names.join(", "))
    })
}
