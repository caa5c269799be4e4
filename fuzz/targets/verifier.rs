//! The whole verifier: whatever it accepts the reference accepts, and the other way round, and what
//! it remembers changes no verdict. Its memory is bounded by the length of the token.
#![no_main]

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use ojwt_core::cache::TokenCache;
use ojwt_core::token::header_table::HeaderTable;
use ojwt_core::verify::Memory;
use ojwt_core::{Alg, Circumstances, Claims, Denial, KeySet, TokenType, Verifier};
use ojwt_fuzz::heap::within;
use ojwt_fuzz::reference::{self, At, Refused};
use ojwt_fuzz::{SIGNERS, jwk, key_set, line, memory_for, verifier};
use serde_json::{Value, json};

/// A token and those who judge it. In the bytes: ten numbers, a line of header, the payload.
#[derive(Debug)]
struct Case {
    alg: Alg,
    /// Which keys the set has, as bits, and which of them have names.
    keys: u8,
    named: u8,
    /// Whether the policy has `alg` alone, or all but it.
    only: Option<bool>,
    leeway: u64,
    now: i64,
    host: Option<&'static [u8]>,
    max_token_size: usize,
    change: Option<Change>,
    header: Vec<u8>,
    payload: Vec<u8>,
}

/// What happens to the token on its way.
#[derive(Debug)]
struct Change {
    what: u8,
    index: u16,
    byte: u8,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut byte = || u.arbitrary::<u8>();
        let alg = Alg::ALL[usize::from(byte()?) % Alg::ALL.len()];
        let (keys, named, flags, time, host) = (byte()?, byte()?, byte()?, byte()?, byte()?);
        let hosts: [Option<&'static [u8]>; 6] = [
            None,
            Some(b"example.com"),
            Some(b""),
            Some(b"Example.com.:80"),
            Some(b"[::1]:80"),
            Some(b"."),
        ];
        let change =
            Change { what: byte()?, index: u16::from_le_bytes([byte()?, byte()?]), byte: byte()? };
        let (header, payload) = line(u.bytes(u.len())?);
        Ok(Self {
            alg,
            keys,
            named,
            only: (flags & 1 != 0).then_some(flags & 2 != 0),
            leeway: [0, 1, 60, u64::MAX][usize::from(flags >> 2) % 4],
            now: [1_700_000_000, 0, i64::MIN, i64::MAX][usize::from(time) % 4],
            host: hosts[usize::from(host) % hosts.len()],
            max_token_size: if flags & 16 != 0 { 128 } else { 16 * 1024 },
            change: (!change.what.is_multiple_of(4)).then_some(change),
            header: header.to_vec(),
            payload: payload.to_vec(),
        })
    }
}

impl Case {
    /// The JWKs of the set.
    fn jwks(&self) -> Vec<Value> {
        static PLAIN: LazyLock<Vec<(Value, Value)>> = LazyLock::new(|| {
            let both = |(kid, key): &(&str, _)| (jwk(key, None), jwk(key, Some(kid)));
            SIGNERS.iter().map(both).collect()
        });
        let chosen = PLAIN.iter().enumerate().filter(|(index, _)| self.keys >> index & 1 != 0);
        chosen
            .map(|(index, (plain, named))| if self.named >> index & 1 != 0 { named } else { plain })
            .cloned()
            .collect()
    }

    /// The token as it was signed.
    fn signed(&self) -> String {
        let signer = match self.alg {
            Alg::HS256 | Alg::HS384 | Alg::HS512 => 0,
            Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => 1,
            Alg::ES256 => 2,
            Alg::ES384 => 3,
            Alg::ES512 => 4,
            Alg::ES256K => 5,
            // Ed448 is an order of magnitude slower.
            Alg::EdDSA if self.keys & 0x40 != 0 => 6,
            Alg::Ed25519 => 6,
            Alg::EdDSA | Alg::Ed448 => 7,
        };
        let header = match &self.header[..] {
            b"" => format!(r#"{{"alg":"{}"}}"#, self.alg).into_bytes(),
            header => header.to_vec(),
        };
        SIGNERS[signer].1.sign_with_header(self.alg, &header, &self.payload).unwrap()
    }

    /// The token as it is presented.
    fn presented(&self, signed: &str) -> Vec<u8> {
        let mut token = signed.as_bytes().to_vec();
        if let Some(Change { what, index, byte }) = self.change {
            let index = usize::from(index) % token.len();
            match what % 4 {
                1 => token[index] = byte,
                2 => token.insert(index, byte),
                _ => token.truncate(index),
            }
        }
        token
    }

    fn verifier(&self) -> Verifier {
        let mut verifier = verifier(TokenType::Signed);
        verifier.max_token_size = self.max_token_size;
        verifier.policy.leeway = self.leeway;
        verifier.policy.algorithms = self
            .only
            .map(|only| Alg::ALL.into_iter().filter(|alg| (*alg == self.alg) == only).collect());
        verifier
    }

    /// The verdict of the reference; `signed` is the one token that has a signature at all, where
    /// `jsonwebtoken` has not its algorithm.
    fn expected(&self, token: &[u8], signed: &str) -> Result<(), Refused> {
        let demand = |holds: bool| if holds { Ok(()) } else { Err(Refused::Bad) };
        demand(token.len() <= self.max_token_size)?;
        let token = str::from_utf8(token).map_err(|_| Refused::Bad)?;
        let parts: Vec<_> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else { return Err(Refused::Bad) };
        let input = &token.as_bytes()[..header.len() + 1 + payload.len()];
        let decode = |part: &str| reference::base64url(part.as_bytes()).ok_or(Refused::Bad);
        let (header, payload) = (decode(header)?, decode(payload)?);
        decode(signature)?;
        let (alg, kid) = reference::header(&header)?;
        demand(self.only.is_none_or(|only| {
            let listed = Alg::ALL.into_iter().filter(|alg| (*alg == self.alg) == only);
            let is_older_name = |listed: Alg| listed.name() == "EdDSA" && alg.starts_with("Ed");
            listed.into_iter().any(|listed| listed.name() == alg || is_older_name(listed))
        }))?;
        let (jwks, kid) = (self.jwks(), kid.as_deref());
        let is_named = jwks.iter().any(|jwk| kid.is_some() && jwk["kid"].as_str() == kid);
        let mut candidates = jwks
            .iter()
            .filter(|jwk| kid.is_none() || jwk["kid"].as_str() == kid.filter(|_| is_named));
        demand(candidates.any(|jwk| {
            let is_name =
                alg == self.alg.name() || [&alg[..], self.alg.name()].map(is_ed448) == [true; 2];
            let by_other_means = || token == signed && is_name && fits(&alg, jwk);
            reference::is_signed(&alg, input, signature, jwk).unwrap_or_else(by_other_means)
        }))?;
        let at = At { now: self.now, leeway: self.leeway, host: self.host };
        reference::claims(&payload, at).map(drop)
    }
}

/// Whether a key is one for an algorithm that `jsonwebtoken` has not.
fn fits(alg: &str, jwk: &Value) -> bool {
    let crv = jwk["crv"].as_str();
    matches!(
        (alg, crv),
        ("ES512", Some("P-521"))
            | ("ES256K", Some("secp256k1"))
            | ("EdDSA" | "Ed448", Some("Ed448"))
    )
}

/// Whether it is a name that signatures of Ed448 have.
fn is_ed448(alg: &str) -> bool {
    matches!(alg, "EdDSA" | "Ed448")
}

fuzz_target!(|case: Case| {
    let signed = case.signed();
    let token = case.presented(&signed);
    let (verifier, at) = (case.verifier(), Circumstances::new(case.now, case.host));
    let jwks = case.jwks();
    let keys: Vec<Arc<KeySet>> = match &jwks[..] {
        [] => Vec::new(),
        jwks => vec![key_set(json!({ "keys": jwks }).to_string().as_bytes())],
    };

    let judge = || verifier.verify(&token, &keys, &at);
    let verdict = within(memory_for(token.len()), judge);
    match (case.expected(&token, &signed), &verdict) {
        (Err(Refused::Bad), Ok(claims)) => panic!("accepted {}", claims.as_json()),
        (Ok(()), Err(denial)) => panic!("refused: {denial}"),
        (Ok(()), Ok(_)) | (Err(_), Err(_)) | (Err(Refused::Unknown), Ok(_)) => {}
    }
    if verdict.is_ok() {
        assert_eq!(token, signed.as_bytes(), "another spelling of a token is accepted");
        assert!(token.len() <= case.max_token_size);
    }

    // Whatever is remembered, the verdict is the same.
    let (tokens, headers) =
        (RefCell::new(TokenCache::new(64 * 1024)), RefCell::new(HeaderTable::default()));
    let memory = Memory { tokens: Some(&tokens), headers: Some(&headers) };
    let verdict = said(verdict);
    let good_for_any = ojwt_fuzz::verifier(TokenType::Signed);
    for (verifier, token, expected) in [
        (&verifier, &token[..], Some(&verdict)),
        (&verifier, &token[..], Some(&verdict)),
        (&good_for_any, signed.as_bytes(), None),
        (&verifier, &token[..], Some(&verdict)),
    ] {
        let at = if expected.is_some() { at } else { Circumstances::new(1_700_000_000, None) };
        let found = verifier.verify_with(memory, token, &keys, &at);
        let found =
            found.map(|claims| claims.as_json().to_owned()).map_err(|refusal| refusal.denial);
        if let Some(expected) = expected {
            assert_eq!(&found, expected);
        }
    }
});

fn said(verdict: Result<Claims, Denial>) -> Result<String, Denial> {
    verdict.map(|claims| claims.as_json().to_owned())
}
