//! The whole pipeline on one screen: bytes in, claims or a denial out.

use std::cell::RefCell;
use std::sync::Arc;

use crate::cache::TokenCache;
use crate::claims::Claims;
use crate::compact::{Jwe, Jws};
use crate::denial::{Defect, Denial};
use crate::header::{Header, JweHeader};
use crate::header_table::HeaderTable;
use crate::jwe::{self, Decrypted};
use crate::keys::KeySet;
use crate::policy::{Circumstances, Policy};
use crate::signature;

/// The default for [`Verifier::max_token_size`], in bytes: twice what nginx takes in one header
/// line by default.
pub const DEFAULT_MAX_TOKEN_SIZE: usize = 16 * 1024;

/// What is asked of tokens, ready to judge them.
#[derive(Clone, Debug, PartialEq)]
pub struct Verifier {
    /// What is asked of their claims.
    pub policy: Policy,
    /// What they are.
    pub token_type: TokenType,
    /// The longest token that is looked at, in bytes.
    pub max_token_size: usize,
}

/// What tokens are; one of another type is [`Denial::Malformed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenType {
    /// A compact JWS.
    #[default]
    Signed,
    /// A compact JWE whose content is the claims.
    ///
    /// There is no signature, so [`Policy::algorithms`] does not apply, and with RSA-OAEP anyone
    /// who has the public key can make such a token. Where that key is public indeed, only
    /// [`TokenType::Nested`] says who made the claims.
    Encrypted,
    /// A compact JWE whose content is a compact JWS (RFC 7519 section 5.2), judged like any other;
    /// no other nesting is taken.
    Nested,
}

/// What a caller remembers of verified tokens from one call to the next, as far as it does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory<'m> {
    /// What they say.
    pub tokens: Option<&'m RefCell<TokenCache>>,
    /// Their headers.
    pub headers: Option<&'m RefCell<HeaderTable>>,
}

/// Why a token was refused, and what it says if it is authentic: for the operator's log alone.
#[derive(Debug)]
pub struct Refusal {
    /// The reason.
    pub denial: Denial,
    /// The claims that are not good enough.
    pub claims: Option<Arc<Claims>>,
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self { denial, claims: None }
    }
}

impl Verifier {
    /// Judges a compact token by keys that come from one source or several.
    ///
    /// # Errors
    ///
    /// The [`Denial`] of the first step that fails, in the order in which they stand here.
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

    /// The same, but a token that is in `memory` is not authenticated again, a header that is there is
    /// not parsed again, and what is good is kept there.
    ///
    /// # Errors
    ///
    /// Those of [`Verifier::verify`], whether the token is remembered or not, and with them the
    /// claims that were refused.
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
            return Err(Refusal { denial, claims: Some(claims) });
        }
        if let Some(cache) = memory.tokens.filter(|_| !is_known) {
            cache.borrow_mut().keep(token, self.token_type, keys, Arc::clone(&claims));
        }
        Ok(claims)
    }

    /// Whether any keys could make this verifier accept a token, as far as its parts and its header
    /// tell: so that nobody looks for keys in vain.
    ///
    /// # Errors
    ///
    /// The [`Denial`] of [`Verifier::verify`], whatever the keys.
    pub fn precheck(&self, token: &[u8]) -> Result<(), Denial> {
        match self.token_type {
            TokenType::Signed => {
                let jws = Jws::split(token, self.max_token_size)?;
                let is_admitted = self.policy.admits(Header::decode(jws.header)?.alg());
                if is_admitted { Ok(()) } else { Err(Denial::AlgorithmNotAllowed) }
            }
            TokenType::Encrypted | TokenType::Nested => {
                let jwe = Jwe::split(token, self.max_token_size)?;
                JweHeader::parse(&jwe.header).map(drop)
            }
        }
    }

    /// Whether this verifier would get as far as the claims of a token that another one verified by
    /// the same keys.
    fn would_read(&self, token: &[u8], claims: &Claims) -> bool {
        token.len() <= self.max_token_size && claims.alg().is_none_or(|alg| self.policy.admits(alg))
    }

    /// What the token says, if it is of the right type and a key made it.
    fn authenticate(
        &self,
        token: &[u8],
        headers: Option<&RefCell<HeaderTable>>,
        keys: &[Arc<KeySet>],
    ) -> Result<Claims, Denial> {
        if keys.iter().all(|keys| keys.is_empty()) {
            return Err(Denial::NoKey);
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
    ) -> Result<Claims, Denial> {
        let jws = Jws::split(token, self.max_token_size)?;
        Claims::of(signature::verify(jws, headers, keys, &self.policy)?)
    }

    fn decrypt(&self, token: &[u8], keys: &[Arc<KeySet>]) -> Result<Decrypted, Denial> {
        jwe::decrypt(&Jwe::split(token, self.max_token_size)?, keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Alg;
    use crate::base64url;

    fn verifier(token_type: TokenType, algorithms: Option<Vec<Alg>>) -> Verifier {
        let policy = Policy { algorithms, ..Policy::default() };
        Verifier { policy, token_type, max_token_size: 200 }
    }

    fn with_header(header: &str, rest: &str) -> String {
        format!("{}{rest}", base64url::encode(header.as_bytes()))
    }

    #[test]
    fn precheck_passes_what_keys_decide() {
        let jws = with_header(r#"{"alg":"RS256"}"#, ".e30.AA");
        for algorithms in [None, Some(vec![Alg::ES256, Alg::RS256])] {
            assert_eq!(verifier(TokenType::Signed, algorithms).precheck(jws.as_bytes()), Ok(()));
        }
        let jwe = with_header(r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#, ".AA.AA.AA.AA");
        for token_type in [TokenType::Encrypted, TokenType::Nested] {
            assert_eq!(verifier(token_type, None).precheck(jwe.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn precheck_refuses_what_no_key_could_verify() {
        let signed = verifier(TokenType::Signed, None);
        let refusal = |token: &str| signed.precheck(token.as_bytes()).unwrap_err();
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
        assert_eq!(of_es256.precheck(jws.as_bytes()), Err(Denial::AlgorithmNotAllowed));
        let nested = verifier(TokenType::Nested, None);
        assert!(matches!(nested.precheck(jws.as_bytes()), Err(Denial::Malformed(_))));
        let zip = with_header(r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#, "..AA.AA.AA");
        assert_eq!(nested.precheck(zip.as_bytes()), Err(Denial::UnsupportedCriticalHeader));
    }
}
