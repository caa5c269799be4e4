//! The module's configuration: what directives set, how levels inherit, and the gate that a
//! complete level is sealed into.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::Alg;
use ojwt_core::TokenType;
use ojwt_core::cache::{self, TokenCache};
use ojwt_core::keys::{KeySet, KeySetBuilder};
use ojwt_core::policy::Policy;
use ojwt_core::policy::requirement::{self, Comparison, Part};
use ojwt_core::token::header_table::HeaderTable;
use ojwt_core::verify::{DEFAULT_MAX_TOKEN_SIZE, Verifier};

use crate::fence::complex::ComplexValue;
use crate::fence::conf::{ForeignDirective, Place};
use crate::gate::source::{DEFAULT_COOKIE, Source};
use crate::keys::files::{KeyFiles, KeySources, Locator, LocatorWord};
use crate::keys::request::KeyRequests;
use crate::lists::files::{LoadError, RevocationFile, RevocationFiles};

/// What the whole `http` block shares.
pub(crate) struct MainConf {
    /// The keys that were embedded when the module was built.
    pub(crate) embedded_keys: Arc<KeySet>,
    /// `auth_jwt_claim_set` and `auth_jwt_header_set`.
    pub(crate) named_values: Vec<NamedValue>,
    /// What the configuration refers to.
    pub(crate) used: Used,
    /// The arguments that hold tokens at any gate.
    pub(crate) argument_names: Vec<Vec<u8>>,
    /// The verified tokens of gates for which `auth_jwt_cache` is not set.
    pub(crate) cache: Cache,
    /// Whether the operator was told what encrypted tokens are worth.
    pub(crate) has_warned: bool,
    /// The folder of the configuration file, with a slash at its end.
    pub(crate) folder: Vec<u8>,
    /// Locators of keys as they stand in the configuration.
    pub(crate) locators: Vec<LocatorWord>,
    /// Key files that requests name.
    pub(crate) key_files: KeyFiles,
    /// Key requests.
    pub(crate) key_requests: Rc<KeyRequests>,
    /// The revocation lists, of whichever directives: each file is read once.
    pub(crate) revocation_files: Vec<Rc<RevocationFile>>,
    /// The folders of key files that requests name.
    pub(crate) key_folders: Vec<PathBuf>,
    /// A directive of another module that has a name of ours.
    pub(crate) rival: Option<ForeignDirective>,
    /// What the operator was told, or will be.
    pub(crate) warnings: Vec<Warning>,
}

/// What is said of a line of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Warning {
    pub(crate) trap: Trap,
    pub(crate) place: Place,
    pub(crate) message: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// No key is for the algorithms that are accepted.
    Algorithms,
    /// Keys of several issuers count alike.
    Issuers,
}

/// Verified tokens; each worker has its own.
pub(crate) type Cache = Rc<RefCell<TokenCache>>;

/// `auth_jwt_cache`.
#[derive(Clone, Debug)]
pub(crate) enum CacheSetting {
    /// Every token is verified anew.
    Off,
    /// Verified tokens are kept here.
    On(Cache),
}

/// A cache of this size, in bytes.
pub(crate) fn new_cache(size: usize) -> Cache {
    Rc::new(RefCell::new(TokenCache::new(size)))
}

/// What of the module the configuration refers to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Any directive.
    pub(crate) directives: bool,
    /// `auth_jwt_key_request`.
    pub(crate) key_requests: bool,
    pub(crate) variables: UsedVariables,
}

/// Which of the module's variables the configuration refers to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UsedVariables {
    /// `$decoded_ojwt`.
    pub(crate) decoded: bool,
    /// Those that show parts of a token.
    pub(crate) claims: bool,
}

impl MainConf {
    /// Nothing set yet, but for the keys that were embedded, and the folder of the configuration.
    pub(crate) fn new(embedded_keys: KeySet, folder: Vec<u8>) -> Self {
        Self {
            folder,
            locators: Vec::new(),
            embedded_keys: embedded_keys.into(),
            named_values: Vec::new(),
            used: Used::default(),
            argument_names: Vec::new(),
            cache: new_cache(cache::DEFAULT_SIZE),
            has_warned: false,
            key_files: KeyFiles::new(),
            key_requests: KeyRequests::new(),
            revocation_files: Vec::new(),
            key_folders: Vec::new(),
            rival: None,
            warnings: Vec::new(),
        }
    }

    /// Notes the arguments that hold tokens at the gates of a level.
    pub(crate) fn note_arguments(&mut self, conf: &LocationConf) {
        for name in conf.sources().filter_map(Source::argument) {
            if !self.argument_names.iter().any(|known| known == name) {
                self.argument_names.push(name.to_vec());
            }
        }
    }

    /// The list in a file.
    ///
    /// # Errors
    ///
    /// Why it is no list.
    pub(crate) fn revocation_file(
        &mut self,
        path: PathBuf,
    ) -> Result<Rc<RevocationFile>, LoadError> {
        if let Some(file) = self.revocation_files.iter().find(|file| file.path() == path) {
            return Ok(Rc::clone(file));
        }
        let file = Rc::new(RevocationFile::load(path)?);
        self.revocation_files.push(Rc::clone(&file));
        Ok(file)
    }
}

/// A variable that a directive names, and where its value is found.
#[derive(Debug)]
pub(crate) struct NamedValue {
    /// The variable's name, without the dollar sign.
    pub(crate) variable: Vec<u8>,
    pub(crate) part: Part,
    /// The member names on the way to the value.
    pub(crate) path: Vec<String>,
}

/// What the directives of one level set, and what it inherits where they do not.
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
    /// Where some of these stand.
    pub(crate) places: Places,
    sealed_key_files: Option<SealedKeyFiles>,
    gate: Option<Rc<Gate>>,
    auth_gate: Option<Rc<Gate>>,
}

/// Where directives stand that a warning names.
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
    /// Whether it is a JWK Set, such as an issuer publishes.
    pub(crate) is_set: bool,
}

impl Places {
    fn inherit(&mut self, outer: &Self) {
        self.algorithms = self.algorithms.take().or_else(|| outer.algorithms.clone());
        self.key_files = self.key_files.take().or_else(|| outer.key_files.clone());
        self.key_requests = self.key_requests.take().or_else(|| outer.key_requests.clone());
    }
}

/// `auth_jwt_key_file` while the level is read.
#[derive(Debug, Default)]
pub(crate) struct KeyFilesSetting {
    /// The keys of the files that the configuration names.
    pub(crate) fixed: KeySetBuilder,
    /// The files that requests name.
    pub(crate) named: Vec<Locator>,
}

/// `auth_jwt_key_file` of a complete level.
#[derive(Clone, Debug)]
struct SealedKeyFiles {
    fixed: Option<Arc<KeySet>>,
    named: Vec<Locator>,
}

/// `auth_jwt`.
#[derive(Clone, Debug)]
pub(crate) enum AuthSetting {
    /// Every request is let pass. Claims are shown of the token that a variable holds, if it is named,
    /// and the keys verify it.
    Off { token: Option<ComplexValue> },
    /// Requests with a valid token are let pass.
    On(Auth),
}

/// The phase of nginx in which `auth_jwt` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before `limit_req` and `limit_conn`, whatever `satisfy` says.
    Preaccess,
    /// With nginx's own access modules.
    #[default]
    Access,
}

/// `auth_jwt_require`: each value must be there, and not be `0`.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    pub(crate) values: Vec<ComplexValue>,
    /// The status of a request for which one is not.
    pub(crate) status: u16,
}

/// `auth_jwt_require_claim` or `auth_jwt_require_header`.
#[derive(Clone, Debug)]
pub(crate) enum TokenRequirement {
    /// The operand stands in the configuration.
    Constant(requirement::Requirement),
    /// The operand is another one for each request.
    Variable(VariableRequirement),
}

/// A comparison with what variables hold when the gate is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VariableRequirement {
    pub(crate) comparison: Comparison,
    pub(crate) operand: ComplexValue,
}

/// `auth_jwt_www_authenticate`: the header of a refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WwwAuthenticate {
    /// That of RFC 6750.
    Bearer,
    /// None.
    Off,
    /// This one.
    Custom(ComplexValue),
}

/// What `auth_jwt` is given.
#[derive(Clone, Debug)]
pub(crate) struct Auth {
    pub(crate) realm: ComplexValue,
    /// `token=$variable`.
    pub(crate) token: Option<ComplexValue>,
}

/// `ojwt_cookie`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CookieSetting {
    /// No cookie is set.
    Off,
    /// A token that came in the URL is also set as a cookie.
    On(Cookie),
}

/// The attributes of the cookie (RFC 6265 section 4.1.2). `HttpOnly` is not a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: Vec<u8>,
    pub(crate) secure: Secure,
    pub(crate) same_site: SameSite,
    pub(crate) path: Vec<u8>,
    pub(crate) domain: Option<Vec<u8>>,
}

/// Whether the cookie is `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secure {
    /// Where the request came over TLS.
    Auto,
    Always,
    Never,
}

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSite {
    Lax,
    Strict,
    None,
}

/// Everything that decides whether a token is accepted. Locations that inherit all of it share
/// one gate, and so one outcome for a request.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Whether it decides by the request's token alone, and by no variable.
    pub(crate) is_plain: bool,
    /// Whether the token may be in the arguments, which rewrites change.
    pub(crate) reads_arguments: bool,
    pub(crate) keys: KeySources,
    pub(crate) verifier: Verifier,
    pub(crate) cache: Option<Cache>,
    /// The headers of tokens that it verified.
    pub(crate) headers: RefCell<HeaderTable>,
    pub(crate) sources: Vec<Source>,
    /// What is asked besides, of claims that the verifier accepts.
    pub(crate) requirements: Vec<VariableRequirement>,
    /// What is revoked.
    pub(crate) revocations: RevocationFiles,
}

impl LocationConf {
    /// The gate of this level; there is one once nginx has read the whole configuration.
    pub(crate) fn gate(&self) -> Option<&Rc<Gate>> {
        self.gate.as_ref()
    }

    /// `auth_jwt` of this level and its gate, where it is on.
    pub(crate) fn auth(&self) -> Option<(&Auth, &Rc<Gate>)> {
        match (&self.auth, &self.auth_gate) {
            (Some(AuthSetting::On(auth)), Some(gate)) => Some((auth, gate)),
            _ => None,
        }
    }

    /// The gate of `auth_jwt`, where that is on, or is off and names a token all the same.
    pub(crate) fn auth_gate(&self) -> Option<&Rc<Gate>> {
        self.auth_gate.as_ref()
    }

    /// The gate whose tokens the variables of `auth_jwt` show: its own, or that of
    /// `$decoded_ojwt` where it is off and names no token.
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

    /// What this level says of keys beside what it takes from the level around it, which an operator may
    /// take for replaced: one directive never replaces the other. Before they are merged.
    pub(crate) fn mixed_keys(&self, outer: &Self) -> Option<[&'static str; 2]> {
        let has_files = outer.key_files.is_some() || outer.sealed_key_files.is_some();
        let has_requests = outer.key_requests.is_some();
        match (&self.key_files, &self.key_requests) {
            (Some(_), None) if has_requests => Some(["auth_jwt_key_file", "auth_jwt_key_request"]),
            (None, Some(_)) if has_files => Some(["auth_jwt_key_request", "auth_jwt_key_file"]),
            _ => None,
        }
    }

    /// Takes what is not set here from the level around this one, and seals this one.
    pub(crate) fn merge(&mut self, outer: &mut Self, main: &MainConf) {
        // nginx merges the servers into `http`, and `http` into nothing: so it comes here first.
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

    /// The first of the other gates that would decide alike, so that a request is judged once.
    fn share<const N: usize>(gate: Gate, others: [Option<&Rc<Gate>>; N]) -> Rc<Gate> {
        let alike = others.into_iter().flatten().find(|other| other.decides_like(&gate));
        alike.map_or_else(|| Rc::new(gate), Rc::clone)
    }
}

impl Gate {
    fn decides_like(&self, other: &Self) -> bool {
        self.keys == other.keys
            && self.cache.as_ref().map(Rc::as_ptr) == other.cache.as_ref().map(Rc::as_ptr)
            && self.verifier == other.verifier
            && self.sources == other.sources
            && self.requirements == other.requirements
            && self.revocations == other.revocations
    }
}

impl CookieSetting {
    fn name(&self) -> Option<&[u8]> {
        match self {
            Self::On(cookie) => Some(&cookie.name),
            Self::Off => None,
        }
    }
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: DEFAULT_COOKIE.to_vec(),
            secure: Secure::Auto,
            same_site: SameSite::Lax,
            path: b"/".to_vec(),
            domain: None,
        }
    }
}
