//! The keys that requests name, as far as a worker has them.

use core::fmt;
use std::rc::Rc;

use crate::keys::fetched::KeyRequests;
use crate::keys::files::KeyFiles;

/// The keys that requests name, as far as a worker has read and fetched them.
pub(crate) struct Stores {
    /// The folder of the configuration file, with a slash at its end.
    pub(crate) folder: Vec<u8>,
    /// Key files.
    pub(crate) files: KeyFiles,
    /// Key requests.
    pub(crate) requests: Rc<KeyRequests>,
}

impl Stores {
    /// Empty stores; relative paths of key files start at `folder`.
    pub(crate) fn new(folder: Vec<u8>) -> Rc<Self> {
        Rc::new(Self { folder, files: KeyFiles::new(), requests: KeyRequests::new() })
    }
}

/// Shows the folder, but none of the keys.
impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("folder", &self.folder).finish_non_exhaustive()
    }
}
