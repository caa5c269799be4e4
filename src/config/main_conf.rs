//! What the whole `http` block shares.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::cache;
use ojwt_core::keys::KeySet;
use ojwt_core::policy::requirement::Part;

use crate::fence::conf::{ForeignDirective, Place};
use crate::fence::request::Redact;
use crate::gate::token_source::Source;
use crate::gate::{Cache, new_cache};
use crate::keys::sources::LocatorWord;
use crate::keys::stores::Stores;
use crate::lists::revocation::{LoadError, RevocationFile};

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
    /// Whether the warning about the value of encrypted tokens was logged.
    pub(crate) has_warned: bool,
    /// Locators of keys as they stand in the configuration.
    pub(crate) locators: Vec<LocatorWord>,
    /// The stores of the keys that requests name.
    pub(crate) stores: Rc<Stores>,
    /// The revocation lists of all directives: each file is read once.
    pub(crate) revocation_files: Vec<Rc<RevocationFile>>,
    /// The folders of key files that requests name.
    pub(crate) key_folders: Vec<PathBuf>,
    /// A directive of another module that has a name of ours.
    pub(crate) rival: Option<ForeignDirective>,
    /// The warnings that were logged, or will be.
    pub(crate) warnings: Vec<Warning>,
}

/// A warning about a line of the configuration.
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
    /// Keys of several issuers are accepted alike.
    Issuers,
}

/// Which parts of the module the configuration refers to.
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
    /// The variables that show parts of a token.
    pub(crate) claims: bool,
}

impl MainConf {
    /// No settings yet, except for the embedded keys and the folder of the configuration.
    pub(crate) fn new(embedded_keys: KeySet, folder: Vec<u8>) -> Self {
        Self {
            locators: Vec::new(),
            embedded_keys: embedded_keys.into(),
            named_values: Vec::new(),
            used: Used::default(),
            argument_names: Vec::new(),
            cache: new_cache(cache::DEFAULT_SIZE),
            has_warned: false,
            stores: Stores::new(folder),
            revocation_files: Vec::new(),
            key_folders: Vec::new(),
            rival: None,
            warnings: Vec::new(),
        }
    }

    /// Notes the arguments that hold tokens at the gates of a level.
    pub(crate) fn note_arguments<'s>(&mut self, sources: impl Iterator<Item = &'s Source>) {
        for name in sources.filter_map(Source::argument) {
            if !self.argument_names.iter().any(|known| known == name) {
                self.argument_names.push(name.to_vec());
            }
        }
    }

    /// The revocation list in a file.
    ///
    /// # Errors
    ///
    /// Why the file holds no list.
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

/// nginx adds the request line and the referrer to what it logs as an error; a token in an argument
/// must not appear in the log.
impl Redact for MainConf {
    fn redact(&self, line: &[u8]) -> Vec<u8> {
        ojwt_http::redacted(line, &self.argument_names.iter().map(Vec::as_slice))
    }
}

/// A variable that a directive names, and where its value is found.
#[derive(Debug)]
pub(crate) struct NamedValue {
    /// The variable's name, without the dollar sign.
    pub(crate) variable: Vec<u8>,
    pub(crate) part: Part,
    /// The names of the members that lead to the value.
    pub(crate) path: Vec<String>,
}
