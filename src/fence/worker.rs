//! The user that workers run as, and what that user may read.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use std::ffi::CString;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ngx::ffi::{
    geteuid, getgrouplist, ngx_core_conf_t, ngx_core_module, ngx_cycle_t, ngx_http_conf_ctx_t,
    ngx_http_module,
};

use super::log::{self, Level};
use super::string::printable;

/// How many groups a user may have: the limit of Linux.
const MAX_GROUPS: usize = 65_536;

/// The access that is needed to a file, or to a folder on its path: a bit of the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read = 0o4,
    Search = 0o1,
}

unsafe extern "C" {
    fn getxattr(path: *const c_char, name: *const c_char, value: *mut c_void, size: usize)
    -> isize;
}

/// A configuration that nginx has read completely.
#[derive(Clone, Copy)]
pub(crate) struct Cycle(ptr::NonNull<ngx_cycle_t>);

impl Cycle {
    /// Wraps what nginx hands to a module; `None` for a null pointer.
    ///
    /// # Safety
    ///
    /// `raw` must be null, or the cycle that nginx is making, for as long as this is used.
    pub(crate) unsafe fn from_raw(raw: *mut ngx_cycle_t) -> Option<Self> {
        ptr::NonNull::new(raw).map(Self)
    }

    /// Logs a warning.
    pub(crate) fn warn(self, message: &str) {
        // SAFETY: a cycle has a log.
        unsafe {
            log::without_request(Level::Warn, self.0.as_ref().log, &format!("ojwt: {message}"));
        }
    }

    /// The main configuration of the module with that context index, if there is a block `http`.
    ///
    /// # Safety
    ///
    /// `T` must be what the module's `create_main_conf` makes, and nobody else may look at it now.
    pub(crate) unsafe fn main_conf<'c, T>(self, module: usize) -> Option<&'c mut T> {
        // SAFETY: the configuration of the module `http` is null, or an `ngx_http_conf_ctx_t` with
        // a slot for each of its modules.
        unsafe {
            let context = (*self.0.as_ref().conf_ctx.add(ngx_http_module.index))
                .cast::<ngx_http_conf_ctx_t>()
                .as_ref()?;
            (*context.main_conf.add(module)).cast::<T>().as_mut()
        }
    }

    /// The user that workers will run as; `None` if workers stay the user who reads the
    /// configuration, or may read everything.
    pub(crate) fn worker(self) -> Option<Worker> {
        // SAFETY: the core module's configuration is complete once all of it was read; the name is
        // a C string where the master is to change to that user.
        unsafe {
            let core = (*self.0.as_ref().conf_ctx.add(ngx_core_module.index))
                .cast::<ngx_core_conf_t>()
                .as_ref()?;
            if geteuid() != 0 || core.master == 0 || core.user == 0 || core.username.is_null() {
                return None;
            }
            let name = CStr::from_ptr(core.username);
            let mut groups: Vec<u32> = vec![0; 64];
            let mut count = c_int::try_from(groups.len()).ok()?;
            while getgrouplist(name.as_ptr(), core.group, groups.as_mut_ptr(), &raw mut count) < 0 {
                let size = usize::try_from(count).ok()?.max(2 * groups.len());
                if size > MAX_GROUPS {
                    return None;
                }
                groups.resize(size, 0);
                count = c_int::try_from(groups.len()).ok()?;
            }
            groups.truncate(usize::try_from(count).unwrap_or(0));
            Some(Worker { name: printable(name.to_bytes()), user: core.user, groups })
        }
    }
}

/// The user that workers run as.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) name: String,
    user: u32,
    groups: Vec<u32>,
}

impl Worker {
    /// Whether this user has access to what is at a path, and may pass the folders on the way; true
    /// where that is unknown.
    pub(crate) fn has(&self, access: Access, path: &Path) -> bool {
        // Folders that symbolic links lead through count as well.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut folders = path.ancestors().skip(1).chain(real.ancestors().skip(1));
        self.is_permitted(access, path)
            && folders.all(|folder| {
                folder.as_os_str().is_empty() || self.is_permitted(Access::Search, folder)
            })
    }

    fn is_permitted(&self, access: Access, path: &Path) -> bool {
        let Ok(metadata) = fs::metadata(path) else { return true };
        self.is_permitted_by_mode(access, &metadata) || has_access_list(path)
    }

    fn is_permitted_by_mode(&self, access: Access, metadata: &Metadata) -> bool {
        let shift = if metadata.uid() == self.user {
            6
        } else if self.groups.contains(&metadata.gid()) {
            3
        } else {
            0
        };
        (metadata.mode() >> shift) & access as u32 != 0
    }
}

/// Whether an access list, besides the mode, decides who has access to a path.
fn has_access_list(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: both are C strings; a size of 0 asks for the length alone.
    let length =
        unsafe { getxattr(path.as_ptr(), c"system.posix_acl_access".as_ptr(), ptr::null_mut(), 0) };
    length > 0
}
