//! What decides whether a token is accepted.

use std::cell::RefCell;
use std::rc::Rc;

use ojwt_core::cache::TokenCache;
use ojwt_core::policy::requirement::Comparison;
use ojwt_core::token::header_table::HeaderTable;
use ojwt_core::verify::Verifier;

use crate::fence::complex::ComplexValue;
use crate::gate::token_source::Source;
use crate::keys::sources::KeySources;
use crate::keys::stores::Stores;
use crate::lists::revocation::RevocationFiles;

/// A cache of verified tokens; each worker has its own.
pub(crate) type Cache = Rc<RefCell<TokenCache>>;

/// Makes a cache of this size, in bytes.
pub(crate) fn new_cache(size: usize) -> Cache {
    Rc::new(RefCell::new(TokenCache::new(size)))
}

/// Everything that decides whether a token is accepted. Locations that inherit all of it share
/// one gate, and so one outcome for a request.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Whether the verdict depends on the request's token alone, and on no variable.
    pub(crate) is_plain: bool,
    /// Whether the token may be in the arguments, which rewrites change.
    pub(crate) reads_arguments: bool,
    pub(crate) keys: KeySources,
    /// The worker's stores of the keys that requests name.
    pub(crate) stores: Rc<Stores>,
    pub(crate) verifier: Verifier,
    pub(crate) cache: Option<Cache>,
    /// The headers of tokens that this gate verified.
    pub(crate) headers: RefCell<HeaderTable>,
    pub(crate) sources: Vec<Source>,
    /// The requirements with variables, which the claims must meet once the verifier accepts them.
    pub(crate) requirements: Vec<VariableRequirement>,
    /// The revocation lists.
    pub(crate) revocations: RevocationFiles,
}

/// A comparison with the value that an operand with variables has when the gate is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VariableRequirement {
    pub(crate) comparison: Comparison,
    pub(crate) operand: ComplexValue,
}

impl Gate {
    pub(crate) fn decides_like(&self, other: &Self) -> bool {
        self.keys == other.keys
            && self.cache.as_ref().map(Rc::as_ptr) == other.cache.as_ref().map(Rc::as_ptr)
            && self.verifier == other.verifier
            && self.sources == other.sources
            && self.requirements == other.requirements
            && self.revocations == other.revocations
    }
}
