//! The configuration while nginx reads it.

use core::ffi::{CStr, c_char};
use core::fmt;
use core::marker::PhantomData;
use core::slice;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::ptr;

use ngx::ffi::{
    NGX_CONF_MODULE, NGX_HTTP_MODULE, NGX_HTTP_VAR_WEAK, ngx_array_push, ngx_array_t,
    ngx_conf_full_name, ngx_conf_log_error, ngx_conf_t, ngx_hash_key_t, ngx_http_conf_ctx_t,
    ngx_http_core_main_conf_t, ngx_http_core_module, ngx_http_core_srv_conf_t,
    ngx_http_get_variable_pt, ngx_http_handler_pt, ngx_http_phases_NGX_HTTP_ACCESS_PHASE,
    ngx_http_phases_NGX_HTTP_PREACCESS_PHASE, ngx_http_phases_NGX_HTTP_REWRITE_PHASE,
    ngx_http_phases_NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_server_name_t, ngx_http_variable_t,
    ngx_module_t, ngx_parse_size, ngx_parse_time, ngx_pcalloc, ngx_pnalloc, ngx_str_t, ngx_uint_t,
};

pub(crate) use ngx::ffi::{
    NGX_CONF_1MORE, NGX_CONF_2MORE, NGX_CONF_TAKE1, NGX_CONF_TAKE3, NGX_CONF_TAKE12,
    NGX_HTTP_LMT_CONF, NGX_HTTP_LOC_CONF, NGX_HTTP_MAIN_CONF, NGX_HTTP_SRV_CONF,
};

use super::log::{self, BYTES, Level};
use super::request;
use super::status::{ERROR, OK};
use super::string::{bytes, string};
use super::variable::{self, Name};

/// Phases in which directives of the rewrite module run (nginx development guide, "Phases").
pub(crate) const SERVER_REWRITE_PHASE: usize =
    ngx_http_phases_NGX_HTTP_SERVER_REWRITE_PHASE as usize;
pub(crate) const REWRITE_PHASE: usize = ngx_http_phases_NGX_HTTP_REWRITE_PHASE as usize;

/// Phases in which requests are admitted.
pub(crate) const PREACCESS_PHASE: usize = ngx_http_phases_NGX_HTTP_PREACCESS_PHASE as usize;
pub(crate) const ACCESS_PHASE: usize = ngx_http_phases_NGX_HTTP_ACCESS_PHASE as usize;

/// What `set` and the like return for an error that was logged: nginx's `NGX_CONF_ERROR`.
pub(crate) const FAILED: *mut c_char = usize::MAX as *mut c_char;

/// The configuration that nginx is reading, at the line that it has read to.
#[derive(Clone, Copy)]
pub(crate) struct Conf<'c> {
    raw: ptr::NonNull<ngx_conf_t>,
    life: PhantomData<&'c ngx_conf_t>,
}

/// A line of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    file: String,
    line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A directive of another module.
#[derive(Clone, Debug)]
pub(crate) struct ForeignDirective {
    pub(crate) module: String,
    pub(crate) name: String,
}

/// The owner of a variable's name so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Nobody,
    /// `set` alone: another module may still define the variable.
    Set,
    /// Another module.
    Module,
}

impl<'c> Conf<'c> {
    /// Wraps what nginx hands to a module; `None` for a null pointer.
    ///
    /// # Safety
    ///
    /// `raw` must be null or the configuration that nginx is reading, for all of `'c`.
    pub(crate) unsafe fn from_raw(raw: *mut ngx_conf_t) -> Option<Self> {
        Some(Self { raw: ptr::NonNull::new(raw)?, life: PhantomData })
    }

    /// Logs a message with the file and line that nginx has read to.
    pub(crate) fn log(self, level: Level, message: &str) {
        // SAFETY: the configuration is being read; the format takes a length and as many bytes.
        unsafe {
            let raw = self.raw.as_ptr();
            ngx_conf_log_error(level.number(), raw, 0, BYTES, message.len(), message.as_ptr());
        }
    }

    /// The line that nginx has read to; `None` if nginx reads no file.
    pub(crate) fn place(self) -> Option<Place> {
        // SAFETY: while a file is read, `conf_file` describes it.
        unsafe {
            let file = (*self.raw.as_ptr()).conf_file.as_ref()?;
            let name = bytes(file.file.name);
            (!name.is_empty())
                .then(|| Place { file: super::string::printable(name), line: file.line })
        }
    }

    /// Logs a warning about another line than the one that nginx has read to.
    pub(crate) fn warn_at(self, place: &Place, message: &str) {
        // SAFETY: the log of the configuration is valid while it is read.
        unsafe {
            log::without_request(
                Level::Warn,
                (*self.raw.as_ptr()).log,
                &format!("{message} in {place}"),
            );
        }
    }

    /// The first directive of another module with one of these names, if there is any: nginx gives
    /// a directive to the first of its modules that has the name.
    pub(crate) fn foreign_directive(
        self,
        ours: *const ngx_module_t,
        is_one: impl Fn(&[u8]) -> bool,
    ) -> Option<ForeignDirective> {
        // SAFETY: before it reads `http`, nginx has made the list of all modules, which ends with a
        // null pointer; a module's commands end with one without a name.
        unsafe {
            let mut module = (*(*self.raw.as_ptr()).cycle).modules;
            while let Some(other) = (*module).as_ref() {
                module = module.add(1);
                let kinds = [NGX_HTTP_MODULE, NGX_CONF_MODULE];
                let is_seen = kinds.iter().any(|kind| other.type_ == *kind as ngx_uint_t);
                if ptr::eq(other, ours) || !is_seen {
                    continue;
                }
                let mut command = other.commands.cast_const();
                while let Some(found) = command.as_ref().filter(|found| found.name.len > 0) {
                    command = command.add(1);
                    let name = bytes(found.name);
                    if is_one(name) {
                        let module = match other.name {
                            name if name.is_null() => String::new(),
                            name => super::string::printable(CStr::from_ptr(name).to_bytes()),
                        };
                        return Some(ForeignDirective {
                            module,
                            name: super::string::printable(name),
                        });
                    }
                }
            }
            None
        }
    }

    /// The owner of a variable's name, or of a prefix of names, as far as nginx has read.
    pub(crate) fn owner_of_variable(self, name: &[u8], kind: Name) -> Owner {
        let same = |other: &ngx_str_t| {
            // SAFETY: names live as long as the configuration.
            unsafe { bytes(*other) }.eq_ignore_ascii_case(name)
        };
        // SAFETY: until all modules have seen the configuration, the core module's main
        // configuration holds the names of variables, each with its variable, and the prefixes of
        // names.
        unsafe {
            let core = self.core_conf();
            if kind == Name::Prefix {
                let mut prefixes =
                    elements::<ngx_http_variable_t>(&(*core).prefix_variables).iter();
                let is_taken = prefixes.any(|variable| same(&variable.name));
                return if is_taken { Owner::Module } else { Owner::Nobody };
            }
            let Some(keys) = (*core).variables_keys.as_ref() else { return Owner::Nobody };
            let mut keys = elements::<ngx_hash_key_t>(&keys.keys).iter();
            match keys.find(|key| same(&key.key)) {
                None => Owner::Nobody,
                Some(key) => match key.value.cast::<ngx_http_variable_t>().as_ref() {
                    Some(variable) if variable.flags & NGX_HTTP_VAR_WEAK as usize != 0 => {
                        Owner::Set
                    }
                    _ => Owner::Module,
                },
            }
        }
    }

    /// # Safety
    ///
    /// Call it inside `http`.
    unsafe fn core_conf(self) -> *const ngx_http_core_main_conf_t {
        // SAFETY: inside `http`, `ctx` is an `ngx_http_conf_ctx_t`, and the core module has a main
        // configuration.
        unsafe {
            let context = (*self.raw.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            (*(*context).main_conf.add(ngx_http_core_module.ctx_index))
                .cast::<ngx_http_core_main_conf_t>()
        }
    }

    /// The words of the directive, its name first.
    pub(crate) fn words(self) -> impl Iterator<Item = &'c [u8]> {
        // SAFETY: while a directive is handled, `args` is an array of strings that lie in the
        // pool of the configuration.
        let words: &'c [ngx_str_t] = unsafe {
            match (*self.raw.as_ptr()).args.as_ref() {
                Some(args) if args.nelts > 0 => slice::from_raw_parts(args.elts.cast(), args.nelts),
                _ => &[],
            }
        };
        // SAFETY: the strings lie in the pool of the configuration.
        words.iter().map(|word| unsafe { bytes(*word) })
    }

    /// A path as nginx resolves it: relative to the folder of the configuration file.
    pub(crate) fn full_path(self, path: &[u8]) -> Option<PathBuf> {
        let mut name = string(path);
        // SAFETY: nginx replaces the string with one from the cycle's pool, or leaves it.
        unsafe {
            let cycle = (*self.raw.as_ptr()).cycle;
            if ngx_conf_full_name(cycle, &raw mut name, 1) != OK {
                return None;
            }
            Some(PathBuf::from(OsStr::from_bytes(bytes::<'c>(name))))
        }
    }

    /// The names of all servers, each with what [`Request::server`] gives for its requests. Call it
    /// before nginx has finished the configuration: nginx then forgets the names.
    ///
    /// [`Request::server`]: super::request::Request::server
    pub(crate) fn server_names(self) -> Vec<(usize, Vec<u8>)> {
        // SAFETY: the core module's main configuration holds an array of pointers to the
        // configurations of servers, each with an array of names that live as long as this function
        // reads them.
        unsafe {
            let servers = elements::<*const ngx_http_core_srv_conf_t>(&(*self.core_conf()).servers);
            let names = |server: &*const ngx_http_core_srv_conf_t| {
                let id = (*(**server).ctx).srv_conf.addr();
                let names = elements::<ngx_http_server_name_t>(&(**server).server_names);
                names.iter().map(move |name| (id, bytes(name.name).to_vec()))
            };
            servers.iter().flat_map(names).collect()
        }
    }

    pub(super) fn as_raw(self) -> *mut ngx_conf_t {
        self.raw.as_ptr()
    }

    /// Zeroed memory that lives as long as the configuration; `None` if memory is short.
    pub(super) fn allocate<T>(self) -> Option<ptr::NonNull<T>> {
        // SAFETY: the pool of the configuration lives as long as the cycle.
        ptr::NonNull::new(unsafe { ngx_pcalloc((*self.raw.as_ptr()).pool, size_of::<T>()) }.cast())
    }

    /// Copies bytes, so that they live as long as the configuration; `None` if memory is short.
    pub(super) fn copy(self, source: &[u8]) -> Option<&'c [u8]> {
        // SAFETY: the pool of the configuration lives as long as the cycle; what it gives is ours
        // alone, and filled before anyone reads it.
        unsafe {
            let copy = ngx_pnalloc((*self.raw.as_ptr()).pool, source.len().max(1)).cast::<u8>();
            ptr::NonNull::new(copy)?;
            ptr::copy_nonoverlapping(source.as_ptr(), copy, source.len());
            Some(slice::from_raw_parts(copy, source.len()))
        }
    }

    /// The folder to which paths are relative, with a slash at its end.
    pub(crate) fn folder(self) -> Option<Vec<u8>> {
        // nginx does not accept an empty path.
        let path = self.full_path(b".")?;
        path.as_os_str().as_bytes().strip_suffix(b".").map(<[u8]>::to_vec)
    }

    /// Registers a variable that a directive names; see [`variable::register`].
    ///
    /// # Safety
    ///
    /// `handler` must be one for variables.
    pub(crate) unsafe fn add_variable(
        self,
        name: &[u8],
        handler: ngx_http_get_variable_pt,
        kind: Name,
    ) -> Option<()> {
        // SAFETY: nginx is reading the configuration.
        unsafe { variable::register(self.raw.as_ptr(), name, handler, kind) }
    }

    /// Has nginx call a function in a phase, before the handlers of nginx's own modules; `None` if
    /// memory is short.
    ///
    /// # Safety
    ///
    /// Call it in the postconfiguration of a module.
    pub(crate) unsafe fn add_handler(
        self,
        phase: usize,
        handler: ngx_http_handler_pt,
    ) -> Option<()> {
        // SAFETY: inside `http`, the core module's main configuration holds an array of handlers
        // for each phase, made before any postconfiguration.
        unsafe {
            let context = (*self.raw.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>().as_ref()?;
            let core = (*context.main_conf.add(ngx_http_core_module.ctx_index))
                .cast::<ngx_http_core_main_conf_t>()
                .as_mut()?;
            let phase = core.phases.get_mut(phase)?;
            let slot = ngx_array_push(&raw mut phase.handlers).cast::<ngx_http_handler_pt>();
            slot.as_mut().map(|slot| *slot = handler)
        }
    }

    /// The names of the variables that the configuration uses, as far as nginx has read it.
    pub(crate) fn used_variables(self) -> impl Iterator<Item = &'c [u8]> {
        // SAFETY: inside `http`, the core module's main configuration holds an array of the
        // variables that something refers to.
        let used: &'c [ngx_http_variable_t] = unsafe { elements(&(*self.core_conf()).variables) };
        // SAFETY: as above; names live as long as the configuration.
        used.iter().map(|variable| unsafe { bytes(variable.name) })
    }

    /// Hands a configuration object to the cycle; the object is dropped when the cycle ends. Null
    /// if memory is short, as nginx expects.
    pub(crate) fn own<T>(self, value: T) -> *mut T {
        // SAFETY: the pool of the configuration lives as long as the cycle.
        let owned = unsafe { request::own((*self.raw.as_ptr()).pool, value) };
        owned.map_or(ptr::null_mut(), ptr::NonNull::as_ptr)
    }

    /// The main configuration of the module with that context index.
    ///
    /// # Safety
    ///
    /// `T` must be what the module's `create_main_conf` makes, and nobody else may look at it now.
    pub(crate) unsafe fn main_conf<T>(self, module: usize) -> Option<&'c mut T> {
        // SAFETY: inside `http`, `ctx` is an `ngx_http_conf_ctx_t` with a slot for each module.
        unsafe {
            let context = (*self.raw.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>().as_ref()?;
            (*context.main_conf.add(module)).cast::<T>().as_mut()
        }
    }
}

/// The elements of an array of nginx's.
///
/// # Safety
///
/// The elements must be of the type `T`, and live for `'a`.
unsafe fn elements<'a, T>(array: &ngx_array_t) -> &'a [T] {
    if array.nelts == 0 || array.elts.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise; nginx initialised as many elements as it counts.
    unsafe { slice::from_raw_parts(array.elts.cast(), array.nelts) }
}

/// A size in bytes, as nginx writes it: `16k`, `1m`.
pub(crate) fn size(word: &[u8]) -> Option<usize> {
    let mut word = string(word);
    // SAFETY: nginx only reads the string.
    let size = unsafe { ngx_parse_size(&raw mut word) };
    usize::try_from(size).ok()
}

/// A time in seconds, as nginx writes it: `30s`, `1h 30m`.
pub(crate) fn seconds(word: &[u8]) -> Option<u64> {
    let mut word = string(word);
    // SAFETY: nginx only reads the string.
    let seconds = unsafe { ngx_parse_time(&raw mut word, ngx_uint_t::from(true)) };
    if seconds == ERROR { None } else { u64::try_from(seconds).ok() }
}

/// A name for nginx's tables.
pub(crate) const fn name(name: &'static CStr) -> ngx_str_t {
    ngx_str_t { len: name.to_bytes().len(), data: name.as_ptr().cast_mut().cast() }
}
