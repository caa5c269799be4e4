//! The whole pipeline on one screen: bytes in, claims or a denial out.

use std::cell::RefCell;
use std::sync::Arc;

use crate::cache::TokenCache;
pub use crate::denial::Refusal;
use crate::denial::{Defect, Denial};
use crate::jose::alg::Alg;
use crate::jose::compact::{Jwe, Jws, TokenType};
use crate::jose::header::JweHeader;
use crate::keys::{self, KeySet};
use crate::policy::{Circumstances, Policy};
use crate::token::claims::Claims;
use crate::token::header_table::HeaderTable;
use crate::token::jwe::{self, Decrypted};
use crate::token::jws;

/// The default for [`Verifier::max_token_size`], in bytes: twice what nginx accepts in one header
/// line by default.
pub const DEFAULT_MAX_TOKEN_SIZE: usize = 16 * 1024;

/// What is required of tokens, with the methods that verify them.
#[derive(Clone, Debug, PartialEq)]
pub struct Verifier {
    /// What is required of the claims.
    pub policy: Policy,
    /// The type of the tokens.
    pub token_type: TokenType,
    /// The longest token that is accepted, in bytes.
    pub max_token_size: usize,
}

/// The caches for verified tokens that a caller keeps from one call to the next; each is optional.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory<'m> {
    /// The claims of verified tokens.
    pub tokens: Option<&'m RefCell<TokenCache>>,
    /// The headers of verified tokens.
    pub headers: Option<&'m RefCell<HeaderTable>>,
}

/// What the given keys lack to verify a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// No key is lacking.
    Nothing,
    /// A key with the `kid` of the token; keys without a name are used instead.
    Name,
    /// Any key that fits the token.
    Key,
}

impl Verifier {
    /// Verifies a compact token with keys from one or more sources.
    ///
    /// # Errors
    ///
    /// The [`Denial`] of the first step that fails; the policy is the last step.
    pub fn verify(
        &self,
        token: &[u8],
        keys: &[Arc<KeySet>],
        at: &Circumstances<'_>,
    ) -> Result<Claims, Denial> {
        let claims = self.authenticate(token, None, keys)?;
        self.policy.check(&claims, at)?;
        Ok(claims)
    }

    /// Verifies a compact token with keys from one or more sources, and caches in `memory`: a
    /// cached token is not authenticated again, a cached header is not parsed again, and an
    /// accepted token is added to the cache.
    ///
    /// # Errors
    ///
    /// The errors of [`Verifier::verify`], whether or not the token is cached, each with a detail
    /// about what exactly is wrong.
    pub fn verify_with(
        &self,
        memory: Memory<'_>,
        token: &[u8],
        keys: &[Arc<KeySet>],
        at: &Circumstances<'_>,
    ) -> Result<Arc<Claims>, Refusal> {
        let recall = |cache: &RefCell<TokenCache>| {
            let cache = cache.borrow();
            let claims = cache.find(token, self.token_type, keys)?;
            self.would_read(token, claims).then(|| Arc::clone(claims))
        };
        let known = memory.tokens.and_then(recall);
        let is_known = known.is_some();
        let claims = match known {
            Some(claims) => claims,
            None => Arc::new(self.authenticate(token, memory.headers, keys)?),
        };
        if let Err(denial) = self.policy.check(&claims, at) {
            let detail = self.policy.detail(denial, &claims, at);
            return Err(Refusal { denial, detail });
        }
        if let Some(cache) = memory.tokens.filter(|_| !is_known) {
            cache.borrow_mut().keep(token, self.token_type, keys, Arc::clone(&claims));
        }
        Ok(claims)
    }

    /// Checks what does not depend on any key: that a token is of the right type and size, with a
    /// header that the policy admits.
    ///
    /// # Errors
    ///
    /// The [`Denial`] that the token gets with any keys.
    pub fn read(&self, token: &[u8]) -> Result<(), Denial> {
        match self.token_type {
            TokenType::Signed => {
                let jws = Jws::split(token, self.max_token_size)?;
                jws::read_header(jws.header, None, self.admits()).map(drop)
            }
            TokenType::Encrypted | TokenType::Nested => {
                JweHeader::parse(&Jwe::split(token, self.max_token_size)?.header).map(drop)
            }
        }
    }

    /// What the keys lack to verify a token, which other keys might verify. No signature is
    /// checked.
    pub fn lack(&self, memory: Memory<'_>, token: &[u8], keys: &[Arc<KeySet>]) -> Lack {
        if self.token_type == TokenType::Signed {
            return self.lack_of_signer(memory.headers, token, keys);
        }
        let Ok(jwe) = Jwe::split(token, self.max_token_size) else { return Lack::Nothing };
        let Ok(header) = JweHeader::parse(&jwe.header) else { return Lack::Nothing };
        if keys::decrypters(keys, header.alg(), header.kid()).is_err() {
            return Lack::Key;
        }
        let is_known = |cache: &RefCell<TokenCache>| {
            cache.borrow().find(token, self.token_type, keys).is_some()
        };
        if self.token_type == TokenType::Encrypted || memory.tokens.is_some_and(is_known) {
            return Lack::Nothing;
        }
        let enclosed = jwe::decrypt(&jwe, keys).and_then(Decrypted::into_enclosed);
        enclosed.map_or(Lack::Nothing, |jws| self.lack_of_signer(memory.headers, &jws, keys))
    }

    /// What the keys lack to verify a signed token. Most tokens have a known header and a known
    /// key, and are not looked at any further.
    fn lack_of_signer(
        &self,
        headers: Option<&RefCell<HeaderTable>>,
        token: &[u8],
        keys: &[Arc<KeySet>],
    ) -> Lack {
        let end = memchr::memchr(b'.', token).unwrap_or(token.len());
        let segment = token.get(..end.min(self.max_token_size)).unwrap_or_default();
        let Ok((header, _)) = jws::read_header(segment, headers, self.admits()) else {
            return Lack::Nothing;
        };
        let lack = if keys::candidates(keys, header.alg(), header.kid()).is_err() {
            Lack::Key
        } else if header.kid().is_some_and(|kid| keys::are_stand_ins(keys, kid)) {
            Lack::Name
        } else {
            return Lack::Nothing;
        };
        if Jws::split(token, self.max_token_size).is_ok() { lack } else { Lack::Nothing }
    }

    /// A test for the signature algorithms that the policy admits.
    fn admits(&self) -> impl Fn(Alg) -> bool {
        |alg| self.policy.admits(alg)
    }

    /// Whether this verifier would accept the size and the algorithm of a token that another
    /// verifier verified with the same keys.
    fn would_read(&self, token: &[u8], claims: &Claims) -> bool {
        token.len() <= self.max_token_size && claims.alg().is_none_or(|alg| self.policy.admits(alg))
    }

    /// The claims of a token, where the token is of the right type and authentic.
    fn authenticate(
        &self,
        token: &[u8],
        headers: Option<&RefCell<HeaderTable>>,
        keys: &[Arc<KeySet>],
    ) -> Result<Claims, Refusal> {
        if keys.iter().all(|keys| keys.is_empty()) {
            return Err(Denial::NoKey.into());
        }
        match self.token_type {
            TokenType::Signed => self.claims_of_jws(token, headers, keys),
            TokenType::Encrypted => Claims::of(self.decrypt(token, keys)?.into()),
            TokenType::Nested => {
                let jws = self.decrypt(token, keys)?.into_enclosed()?;
                let claims = self.claims_of_jws(&jws, headers, keys)?;
                Ok(claims.enclosed_in(String::from_utf8(jws).map_err(|_| Defect::Base64)?))
            }
        }
    }

    fn claims_of_jws(
        &self,
        token: &[u8],
        headers: Option<&RefCell<HeaderTable>>,
        keys: &[Arc<KeySet>],
    ) -> Result<Claims, Refusal> {
        let jws = Jws::split(token, self.max_token_size)?;
        Claims::of(jws::verify(jws, headers, keys, self.admits())?)
    }

    fn decrypt(&self, token: &[u8], keys: &[Arc<KeySet>]) -> Result<Decrypted, Denial> {
        jwe::decrypt(&Jwe::split(token, self.max_token_size)?, keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::alg::Alg;
    use crate::text::base64url;

    fn verifier(token_type: TokenType, algorithms: Option<Vec<Alg>>) -> Verifier {
        let policy = Policy { algorithms, ..Policy::default() };
        Verifier { policy, token_type, max_token_size: 200 }
    }

    fn with_header(header: &str, rest: &str) -> String {
        format!("{}{rest}", base64url::encode(header.as_bytes()))
    }

    #[test]
    fn reading_passes_what_keys_decide() {
        let jws = with_header(r#"{"alg":"RS256"}"#, ".e30.AA");
        for algorithms in [None, Some(vec![Alg::ES256, Alg::RS256])] {
            assert_eq!(verifier(TokenType::Signed, algorithms).read(jws.as_bytes()), Ok(()));
        }
        let jwe = with_header(r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#, ".AA.AA.AA.AA");
        for token_type in [TokenType::Encrypted, TokenType::Nested] {
            assert_eq!(verifier(token_type, None).read(jwe.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn reading_refuses_what_no_key_could_verify() {
        let signed = verifier(TokenType::Signed, None);
        let refusal = |token: &str| signed.read(token.as_bytes()).unwrap_err();
        for token in ["", "a", "a.b", "e30.e30.AA", "e.e.e.e", "AA.e30.AA"] {
            assert!(matches!(refusal(token), Denial::Malformed(_)), "{token}");
        }
        assert_eq!(refusal(&"a".repeat(201)), Denial::TooLarge);
        let none = with_header(r#"{"alg":"none"}"#, ".e30.");
        assert_eq!(refusal(&none), Denial::UnsupportedAlgorithm);
        let crit = with_header(r#"{"alg":"RS256","crit":["x"]}"#, ".e30.AA");
        assert_eq!(refusal(&crit), Denial::UnsupportedCriticalHeader);
        let jws = with_header(r#"{"alg":"RS256"}"#, ".e30.AA");
        let of_es256 = verifier(TokenType::Signed, Some(vec![Alg::ES256]));
        assert_eq!(of_es256.read(jws.as_bytes()), Err(Denial::AlgorithmNotAllowed));
        let nested = verifier(TokenType::Nested, None);
        assert!(matches!(nested.read(jws.as_bytes()), Err(Denial::Malformed(_))));
        let zip = with_header(r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#, "..AA.AA.AA");
        assert_eq!(nested.read(zip.as_bytes()), Err(Denial::UnsupportedCriticalHeader));
    }
}
