//! The module's configuration: what directives set, how levels inherit, and the gate that a
//! complete level is sealed into.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::keys::KeySet;
use ojwt_core::policy::Policy;
use ojwt_core::verify::{DEFAULT_MAX_TOKEN_SIZE, Verifier};
use ojwt_core::{Alg, TokenType};

use crate::config::main_conf::MainConf;
use crate::config::settings::{
    Auth, AuthSetting, CacheSetting, Cookie, CookieSetting, KeyFilesSetting, Phase, Requirement,
    TokenRequirement, WwwAuthenticate,
};
use crate::fence::conf::Place;
use crate::gate::Gate;
use crate::gate::token_source::Source;
use crate::keys::sources::{KeySources, Locator};
use crate::lists::revocation::RevocationFiles;

/// The settings of one level: what its directives set, and what it inherits for the rest.
#[derive(Debug, Default)]
pub(crate) struct LocationConf {
    /// `auth_jwt_key_file`.
    pub(crate) key_files: Option<KeyFilesSetting>,
    /// `auth_jwt_key_request`, in the order of the file.
    pub(crate) key_requests: Option<Vec<Locator>>,
    /// `auth_jwt_key_cache`, in seconds.
    pub(crate) key_cache: Option<u64>,
    /// `auth_jwt_leeway`, in seconds.
    pub(crate) leeway: Option<u64>,
    /// `auth_jwt_max_token_size`, in bytes.
    pub(crate) max_token_size: Option<usize>,
    /// `ojwt_token_from`.
    pub(crate) token_from: Option<Vec<Source>>,
    /// `ojwt_cookie`.
    pub(crate) cookie: Option<CookieSetting>,
    /// `auth_jwt`.
    pub(crate) auth: Option<AuthSetting>,
    /// `auth_jwt_algorithms`.
    pub(crate) algorithms: Option<Vec<Alg>>,
    /// `auth_jwt_cache`.
    pub(crate) cache: Option<CacheSetting>,
    /// `auth_jwt_type`.
    pub(crate) token_type: Option<TokenType>,
    /// `auth_jwt_phase`.
    pub(crate) phase: Option<Phase>,
    /// `auth_jwt_require`, in the order of the file.
    pub(crate) requirements: Option<Vec<Requirement>>,
    /// `auth_jwt_require_claim`.
    pub(crate) claims_required: Option<Vec<TokenRequirement>>,
    /// `auth_jwt_require_header`.
    pub(crate) headers_required: Option<Vec<TokenRequirement>>,
    /// `auth_jwt_revocation_list_sub`, `..._kid` and `..._jti`.
    pub(crate) revocations: RevocationFiles,
    /// `auth_jwt_www_authenticate`.
    pub(crate) www_authenticate: Option<WwwAuthenticate>,
    /// Where some of these directives stand.
    pub(crate) places: Places,
    sealed_key_files: Option<SealedKeyFiles>,
    gate: Option<Rc<Gate>>,
    auth_gate: Option<Rc<Gate>>,
}

/// The places of the directives that a warning names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// `auth_jwt_algorithms`, under the name that was written.
    pub(crate) algorithms: Option<(Place, String)>,
    /// `auth_jwt_key_file` without variables.
    pub(crate) key_files: Option<Vec<KeyFilePlace>>,
    /// `auth_jwt_key_request`.
    pub(crate) key_requests: Option<Vec<Place>>,
}

/// Where a key file is named.
#[derive(Clone, Debug)]
pub(crate) struct KeyFilePlace {
    pub(crate) place: Place,
    /// Whether the file is a JWK Set, such as an issuer publishes.
    pub(crate) is_set: bool,
}

impl Places {
    fn inherit(&mut self, outer: &Self) {
        self.algorithms = self.algorithms.take().or_else(|| outer.algorithms.clone());
        self.key_files = self.key_files.take().or_else(|| outer.key_files.clone());
        self.key_requests = self.key_requests.take().or_else(|| outer.key_requests.clone());
    }
}

/// `auth_jwt_key_file` of a complete level.
#[derive(Clone, Debug)]
struct SealedKeyFiles {
    fixed: Option<Arc<KeySet>>,
    named: Vec<Locator>,
}

impl LocationConf {
    /// The gate of this level; present once nginx has read the whole configuration.
    pub(crate) fn gate(&self) -> Option<&Rc<Gate>> {
        self.gate.as_ref()
    }

    /// `auth_jwt` of this level and its gate, where `auth_jwt` is on.
    pub(crate) fn auth(&self) -> Option<(&Auth, &Rc<Gate>)> {
        match (&self.auth, &self.auth_gate) {
            (Some(AuthSetting::On(auth)), Some(gate)) => Some((auth, gate)),
            _ => None,
        }
    }

    /// The gate of `auth_jwt`, where `auth_jwt` is on, or is off but names a token.
    pub(crate) fn auth_gate(&self) -> Option<&Rc<Gate>> {
        self.auth_gate.as_ref()
    }

    /// The gate whose tokens the variables of `auth_jwt` show: the gate of `auth_jwt`, or that of
    /// `$decoded_ojwt` where `auth_jwt` is off and names no token.
    pub(crate) fn claims_gate(&self) -> Option<&Rc<Gate>> {
        self.auth_gate().or(self.gate())
    }

    /// Where tokens are looked for by the gates of this level.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> + Clone {
        let gates = self.gate.iter().chain(&self.auth_gate);
        gates.flat_map(|gate| &gate.sources)
    }

    /// Whether anyone who has a public key can make a token that is good here.
    pub(crate) fn trusts_a_public_key(&self) -> bool {
        let gates = [self.gate.as_ref(), self.auth_gate.as_ref()];
        gates.into_iter().flatten().any(|gate| {
            gate.verifier.token_type == TokenType::Encrypted
                && gate.keys.fixed.iter().any(|keys| keys.decrypts_with_a_key_pair())
        })
    }

    /// The cookie that this level sets, if any.
    pub(crate) fn cookie(&self) -> Option<&Cookie> {
        match self.cookie.as_ref()? {
            CookieSetting::On(cookie) => Some(cookie),
            CookieSetting::Off => None,
        }
    }

    /// The key directive that this level sets and the other one that it inherits, if it does both:
    /// an operator may expect the former to replace the latter, which it never does. Call it before
    /// the levels are merged.
    pub(crate) fn mixed_keys(&self, outer: &Self) -> Option<[&'static str; 2]> {
        let has_files = outer.key_files.is_some() || outer.sealed_key_files.is_some();
        let has_requests = outer.key_requests.is_some();
        match (&self.key_files, &self.key_requests) {
            (Some(_), None) if has_requests => Some(["auth_jwt_key_file", "auth_jwt_key_request"]),
            (None, Some(_)) if has_files => Some(["auth_jwt_key_request", "auth_jwt_key_file"]),
            _ => None,
        }
    }

    /// Inherits from the outer level what this level does not set, and seals this level.
    pub(crate) fn merge(&mut self, outer: &mut Self, main: &MainConf) {
        // nginx merges `http` into each server, and nothing into `http`: so `http` is sealed here
        // first.
        if outer.gate.is_none() {
            outer.seal(None, main);
        }
        self.leeway = self.leeway.or(outer.leeway);
        self.max_token_size = self.max_token_size.or(outer.max_token_size);
        self.token_from = self.token_from.take().or_else(|| outer.token_from.clone());
        self.cookie = self.cookie.take().or_else(|| outer.cookie.clone());
        self.auth = self.auth.take().or_else(|| outer.auth.clone());
        self.algorithms = self.algorithms.take().or_else(|| outer.algorithms.clone());
        self.requirements = self.requirements.take().or_else(|| outer.requirements.clone());
        self.token_type = self.token_type.or(outer.token_type);
        self.cache = self.cache.take().or_else(|| outer.cache.clone());
        self.claims_required =
            self.claims_required.take().or_else(|| outer.claims_required.clone());
        self.headers_required =
            self.headers_required.take().or_else(|| outer.headers_required.clone());
        self.revocations.inherit(&outer.revocations);
        self.places.inherit(&outer.places);
        self.phase = self.phase.or(outer.phase);
        self.www_authenticate = self.www_authenticate.or(outer.www_authenticate);
        self.key_requests = self.key_requests.take().or_else(|| outer.key_requests.clone());
        self.key_cache = self.key_cache.or(outer.key_cache);
        if self.key_files.is_none() {
            self.sealed_key_files.clone_from(&outer.sealed_key_files);
        }
        self.seal(Some(outer), main);
    }

    /// Makes the gates, or shares those of the outer level that would decide alike.
    fn seal(&mut self, outer: Option<&Self>, main: &MainConf) {
        if let Some(KeyFilesSetting { fixed, named }) = self.key_files.take() {
            let fixed = Some(fixed.build().0).filter(|keys| !keys.is_empty()).map(Arc::new);
            self.sealed_key_files = Some(SealedKeyFiles { fixed, named });
        }
        let cookie = self.cookie.get_or_insert_with(|| CookieSetting::On(Cookie::default()));
        let sources = self.token_from.clone().unwrap_or_else(|| Source::defaults(cookie.name()));
        let outer_gate = outer.and_then(|outer| outer.gate.as_ref());
        let gate = Self::share(self.make_gate(sources, main), [outer_gate]);
        let sources = match (&self.auth, &self.token_from) {
            (None | Some(AuthSetting::Off { token: None }), _) => None,
            (
                Some(
                    AuthSetting::On(Auth { token: Some(variable), .. })
                    | AuthSetting::Off { token: Some(variable) },
                ),
                _,
            ) => Some(vec![Source::Variable(*variable)]),
            (Some(AuthSetting::On(_)), Some(sources)) => Some(sources.clone()),
            (Some(AuthSetting::On(_)), None) => Some(vec![Source::Bearer]),
        };
        if let Some(sources) = sources {
            let outer_gate = outer.and_then(|outer| outer.auth_gate.as_ref());
            let auth_gate = self.make_gate(sources, main);
            self.auth_gate = Some(Self::share(auth_gate, [outer_gate, Some(&gate)]));
        }
        self.gate = Some(gate);
    }

    fn make_gate(&self, sources: Vec<Source>, main: &MainConf) -> Gate {
        let (mut constant, mut variable) = (Vec::new(), Vec::new());
        for requirement in self.claims_required.iter().chain(&self.headers_required).flatten() {
            match requirement.clone() {
                TokenRequirement::Constant(requirement) => constant.push(requirement),
                TokenRequirement::Variable(requirement) => variable.push(requirement),
            }
        }
        let keys = self.key_sources(main);
        let asks_variable = |source: &Source| matches!(source, Source::Variable(_));
        Gate {
            is_plain: variable.is_empty()
                && !keys.are_chosen()
                && !sources.iter().any(asks_variable),
            reads_arguments: sources.iter().any(|source| source.argument().is_some()),
            keys,
            stores: Rc::clone(&main.stores),
            cache: match &self.cache {
                None => Some(Rc::clone(&main.cache)),
                Some(CacheSetting::On(cache)) => Some(Rc::clone(cache)),
                Some(CacheSetting::Off) => None,
            },
            headers: RefCell::default(),
            verifier: Verifier {
                policy: Policy {
                    leeway: self.leeway.unwrap_or(0),
                    algorithms: self.algorithms.clone(),
                    requirements: constant,
                },
                token_type: self.token_type.unwrap_or_default(),
                max_token_size: self.max_token_size.unwrap_or(DEFAULT_MAX_TOKEN_SIZE),
            },
            sources,
            requirements: variable,
            revocations: self.revocations.clone(),
        }
    }

    fn key_sources(&self, main: &MainConf) -> KeySources {
        let files = self.sealed_key_files.as_ref();
        let mut sources = KeySources {
            fixed: files.and_then(|files| files.fixed.clone()).into_iter().collect(),
            files: files.map(|files| files.named.clone()).unwrap_or_default(),
            requests: self.key_requests.clone().unwrap_or_default(),
            cache: self.key_cache.unwrap_or(0),
        };
        if sources.are_fixed() && sources.fixed.is_empty() {
            sources.fixed.push(Arc::clone(&main.embedded_keys));
        }
        sources
    }

    /// The first of the other gates that would decide alike, so that a request is judged once; else
    /// this gate.
    fn share<const N: usize>(gate: Gate, others: [Option<&Rc<Gate>>; N]) -> Rc<Gate> {
        let alike = others.into_iter().flatten().find(|other| other.decides_like(&gate));
        alike.map_or_else(|| Rc::new(gate), Rc::clone)
    }
}
