//! An HTTP request, as a module sees it.

use core::cell::OnceCell;
#[cfg(nginx_pcre)]
use core::ffi::c_int;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::{ptr, slice};

use ngx::ffi::{
    NGX_HTTP_VAR_CHANGEABLE, NGX_HTTP_VAR_NOCACHEABLE, ngx_handle_read_event,
    ngx_http_block_reading, ngx_http_core_main_conf_t, ngx_http_core_module,
    ngx_http_core_rewrite_phase, ngx_http_log_handler_pt, ngx_http_phase_handler_t,
    ngx_http_request_t, ngx_http_test_reading, ngx_http_variable_t, ngx_http_variable_value_t,
    ngx_int_t, ngx_list_push, ngx_list_t, ngx_pnalloc, ngx_pool_cleanup_add, ngx_pool_t,
    ngx_post_event, ngx_posted_events, ngx_table_elt_t,
};

use super::log::{self, Level};
use super::string::{bytes, string};

/// The slot of this module in nginx's arrays of contexts and configurations.
static MODULE: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Sets the slot of this module. Call it before any request, whenever nginx may have renumbered its
/// modules.
pub(crate) fn set_module(index: usize) {
    MODULE.store(index, Ordering::Relaxed);
}

/// The types of what nginx keeps for this module.
///
/// # Safety
///
/// `create_main_conf` and `create_loc_conf` of the module must make a `Main` and a `Location`, and
/// nothing else.
pub(crate) unsafe trait Types {
    /// The configuration of the whole `http` block.
    type Main: Redact + 'static;
    /// The configuration of a location.
    type Location: 'static;
    /// What is remembered of a client's request until it ends.
    type Remembered: Default + 'static;
}

/// The module; [`Types`] is implemented for it beside the tables that nginx reads.
pub(crate) struct Module;

/// What this module keeps for a client's request.
#[derive(Default)]
struct Kept {
    value: <Module as Types>::Remembered,
    /// nginx's own log handler, once ours has replaced it to redact its output.
    log_handler: OnceCell<LogHandler>,
}

/// A request that lives at least for `'r`.
///
/// What a request lends lies in nginx's request pool, connection or configuration: nginx frees none
/// of these while it handles the request.
#[derive(Clone, Copy)]
pub(crate) struct Request<'r> {
    raw: ptr::NonNull<ngx_http_request_t>,
    life: PhantomData<&'r ngx_http_request_t>,
}

impl<'r> Request<'r> {
    /// Wraps what nginx hands to a handler; `None` for a null pointer.
    ///
    /// # Safety
    ///
    /// `raw` must be null or a request that nginx is handling, for all of `'r`.
    pub(crate) unsafe fn from_raw(raw: *mut ngx_http_request_t) -> Option<Self> {
        Some(Self { raw: ptr::NonNull::new(raw)?, life: PhantomData })
    }

    /// The request that the client made, of which this may be a subrequest.
    pub(crate) fn main(self) -> Self {
        // SAFETY: nginx sets `main` when it makes a request, and a main request outlives its
        // subrequests.
        let main = unsafe { (*self.raw.as_ptr()).main };
        Self { raw: ptr::NonNull::new(main).unwrap_or(self.raw), ..self }
    }

    /// Whether this is the request that the client made.
    pub(crate) fn is_main(self) -> bool {
        self.main().raw == self.raw
    }

    /// The request that made this one, where it is a subrequest.
    pub(crate) fn parent(self) -> Option<Self> {
        // SAFETY: a parent outlives its subrequests; that of a main request is null.
        let parent = unsafe { (*self.raw.as_ptr()).parent };
        Some(Self { raw: ptr::NonNull::new(parent)?, ..self })
    }

    /// The status of the response, 0 if there is none yet.
    pub(crate) fn response_status(self) -> u16 {
        // SAFETY: the request is alive.
        let status = unsafe { (*self.raw.as_ptr()).headers_out.status };
        u16::try_from(status).unwrap_or(0)
    }

    /// Whether the response has a `Content-Encoding`.
    pub(crate) fn is_response_encoded(self) -> bool {
        // SAFETY: the field lies in the request's list of headers; `hash` is 0 if it was dropped.
        unsafe {
            let field = (*self.raw.as_ptr()).headers_out.content_encoding;
            field.as_ref().is_some_and(|field| field.hash != 0)
        }
    }

    /// An identifier of the server that the request is for, unique while the configuration lives.
    pub(crate) fn server(self) -> usize {
        // SAFETY: the request is alive; only the address counts.
        unsafe { (*self.raw.as_ptr()).srv_conf.addr() }
    }

    /// An identifier of this request, unique among all requests that live.
    pub(crate) fn id(self) -> usize {
        self.raw.addr().get()
    }

    /// Has nginx detect that the client goes away while the request waits in a phase.
    pub(crate) fn watch_client(self) {
        // SAFETY: the request is in a phase, in which nginx itself does not look for anything to
        // read. nginx's `limit_req` sets the same handler while it delays a request;
        // `stop_watching_client` undoes this. If the connection is closed before, nginx takes the
        // event out of its queue.
        unsafe {
            let request = self.raw.as_ptr();
            let read = (*(*request).connection).read;
            (*request).read_event_handler = Some(ngx_http_test_reading);
            if (*read).ready() != 0 {
                // If the client left as soon as it had sent the request, there is no further event
                // to come.
                ngx_post_event(read, &raw mut ngx_posted_events);
            } else {
                // If this fails, nginx notices only when it answers that the client has left.
                ngx_handle_read_event(read, 0);
            }
        }
    }

    /// Undoes [`Request::watch_client`].
    pub(crate) fn stop_watching_client(self) {
        // SAFETY: this is what nginx sets when it begins to process a request.
        unsafe { (*self.raw.as_ptr()).read_event_handler = Some(ngx_http_block_reading) };
    }

    /// Runs `evaluate` as if nginx had cached no values of variables, and leaves no trace:
    /// afterwards, the cached values of variables and the captures are as they were before.
    ///
    /// Values that a directive or a regular expression set stay visible meanwhile.
    pub(crate) fn without_trace<T>(self, evaluate: impl FnOnce() -> T) -> T {
        let _restoring = Trace::begin(self);
        evaluate()
    }

    /// Whether nginx has cached the value of any map, or of another variable that it computes once.
    pub(crate) fn remembers_any(self) -> bool {
        let values = self.variable_values();
        let mut variables = self.variables().iter().zip(values).enumerate();
        variables.any(|(index, (variable, value))| {
            (value.valid() != 0 || value.not_found() != 0) && is_computed(index, variable)
        })
    }

    /// Saves the values of these variables, as far as nginx evaluates them on each use, and
    /// restores them when the result is dropped.
    ///
    /// nginx makes a text of variables in two passes: the first adds up their lengths, the second
    /// copies their values, and each pass reads the variables. If a variable were evaluated for
    /// another purpose in between and became longer, nginx would write beyond the end of the text.
    pub(super) fn keeping(self, indices: impl Iterator<Item = usize>) -> KeptValues<'r> {
        let (variables, values) = (self.variables(), self.variable_values());
        let is_evaluated_anew = |index: &usize| {
            let variable = variables.get(*index);
            variable.is_some_and(|of| of.flags & NGX_HTTP_VAR_NOCACHEABLE as usize != 0)
        };
        let kept = indices.filter(is_evaluated_anew);
        let values = kept.filter_map(|index| Some((index, *values.get(index)?))).collect();
        KeptValues { request: self, values }
    }

    /// The run of the rewrite directives that the request is in right now, if it is in one: after a
    /// redirect, these directives run again.
    pub(crate) fn rewriting(self) -> Option<Rewriting> {
        // SAFETY: `phase_handler` is the index of the request's current or latest handler among
        // those of the phases, which outlive the request.
        unsafe {
            let phase = usize::try_from((*self.raw.as_ptr()).phase_handler).ok()?;
            let handlers = (*self.core_conf()).phase_engine.handlers;
            let checker = handlers.as_ref().and_then(|_| (*handlers.add(phase)).checker)?;
            let of_rewrite: Checker = ngx_http_core_rewrite_phase;
            ptr::fn_addr_eq(checker, of_rewrite).then(|| Rewriting {
                request: self.id(),
                phase,
                uri: (*self.raw.as_ptr()).uri.data.addr(),
            })
        }
    }

    /// The variables that the configuration refers to.
    pub(super) fn variables(self) -> &'r [ngx_http_variable_t] {
        // SAFETY: the array of the variables that the configuration refers to is complete, and has
        // an element for each value.
        unsafe {
            match &(*self.core_conf()).variables {
                used if used.nelts > 0 && !used.elts.is_null() => {
                    slice::from_raw_parts(used.elts.cast(), used.nelts)
                }
                _ => &[],
            }
        }
    }

    /// The values of the variables that the configuration refers to, as far as they were evaluated.
    pub(super) fn variable_values(self) -> &'r [ngx_http_variable_value_t] {
        // SAFETY: nginx gives a request one value for each indexed variable of the configuration.
        unsafe {
            let values = (*self.raw.as_ptr()).variables;
            if values.is_null() {
                return &[];
            }
            slice::from_raw_parts(values, (*self.core_conf()).variables.nelts)
        }
    }

    fn core_conf(self) -> *const ngx_http_core_main_conf_t {
        // SAFETY: every request has the main configuration of the core module.
        unsafe {
            (*(*self.raw.as_ptr()).main_conf.add(ngx_http_core_module.ctx_index))
                .cast::<ngx_http_core_main_conf_t>()
        }
    }

    /// The arguments as they are now, after rewrites; without the question mark.
    pub(crate) fn args(self) -> &'r [u8] {
        // SAFETY: the request is alive, and its strings lie in its pool or its header buffers.
        unsafe { bytes((*self.raw.as_ptr()).args) }
    }

    /// The target as the client sent it, whatever rewrites have made of it since.
    fn unparsed_uri(self) -> &'r [u8] {
        // SAFETY: as for `args`.
        unsafe { bytes((*self.raw.as_ptr()).unparsed_uri) }
    }

    /// Whether the request has arguments now, or had arguments or a fragment when the client sent
    /// it.
    pub(crate) fn has_args(self) -> bool {
        let uri = self.unparsed_uri();
        !self.args().is_empty() || uri.iter().any(|byte| matches!(byte, b'?' | b'#'))
    }

    /// The arguments that the client sent, whatever rewrites have made of them since.
    pub(crate) fn client_args(self) -> &'r [u8] {
        let uri = self.unparsed_uri();
        let end = uri.iter().position(|byte| matches!(byte, b'?' | b'#'));
        match end.and_then(|end| uri.split_at_checked(end)) {
            Some((_, [b'?', args @ ..])) => args.split(|byte| *byte == b'#').next().unwrap_or(args),
            _ => &[],
        }
    }

    /// The fragment that the client sent after a `#`, if any. A fragment is no part of a request's
    /// target (RFC 9112 section 3.2); nginx ignores it, but passes it on with the rest.
    pub(crate) fn fragment(self) -> Option<&'r [u8]> {
        let uri = self.unparsed_uri();
        let args = self.args();
        // The arguments are those that the client sent, and end where the target ends: so there is
        // no fragment. This is the usual case.
        if !args.is_empty() && args.as_ptr_range().end == uri.as_ptr_range().end {
            return None;
        }
        uri.get(uri.iter().position(|byte| *byte == b'#')? + 1..)
    }

    /// The host that the request is for, in lower case and without a port; empty if it names none.
    pub(crate) fn host(self) -> &'r [u8] {
        // SAFETY: as for `args`; nginx validated the host when it read the header.
        unsafe { bytes((*self.raw.as_ptr()).headers_in.server) }
    }

    /// The value of the header field `Host`, as it was sent; `None` if there is none.
    pub(crate) fn host_field(self) -> Option<&'r [u8]> {
        // SAFETY: nginx points to the field in the list of headers when it reads it.
        unsafe { (*self.raw.as_ptr()).headers_in.host.as_ref().map(|field| bytes(field.value)) }
    }

    /// The value of the header field `Referer`, of the first if there are several.
    pub(crate) fn referrer(self) -> Option<&'r [u8]> {
        // SAFETY: as for `host_field`.
        unsafe { (*self.raw.as_ptr()).headers_in.referer.as_ref().map(|field| bytes(field.value)) }
    }

    /// Whether the request came over TLS to this nginx.
    pub(crate) fn is_tls(self) -> bool {
        #[cfg(nginx_ssl)]
        // SAFETY: a request has a connection for as long as nginx handles it.
        unsafe {
            let connection = (*self.raw.as_ptr()).connection;
            !connection.is_null() && !(*connection).ssl.is_null()
        }
        #[cfg(not(nginx_ssl))]
        false
    }

    /// The header fields of the request, names as they were sent.
    pub(crate) fn headers(self) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
        // SAFETY: nginx initialised the list when it read the header; its parts are linked and
        // their elements initialised up to `nelts`.
        let mut part = unsafe { &raw const (*self.raw.as_ptr()).headers_in.headers.part };
        let mut elements: slice::Iter<'r, ngx_table_elt_t> = [].iter();
        core::iter::from_fn(move || {
            loop {
                if let Some(field) = elements.next() {
                    // SAFETY: as for `args`.
                    return Some(unsafe { (bytes(field.key), bytes(field.value)) });
                }
                // SAFETY: as above.
                unsafe {
                    let current = part.as_ref()?;
                    part = current.next;
                    if current.nelts > 0 && !current.elts.is_null() {
                        elements = slice::from_raw_parts(current.elts.cast(), current.nelts).iter();
                    }
                }
            }
        })
    }

    /// The value of the header field `Authorization`, of the first if there are several.
    pub(crate) fn authorization(self) -> Option<&'r [u8]> {
        // SAFETY: nginx points to the field in the list of headers when it reads it.
        unsafe {
            let field = (*self.raw.as_ptr()).headers_in.authorization.as_ref()?;
            Some(bytes(field.value))
        }
    }

    /// The values of the header fields of that name, in any case.
    pub(crate) fn header(self, name: &[u8]) -> impl Iterator<Item = &'r [u8]> {
        self.headers()
            .filter_map(move |(field, value)| field.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The values of the header fields that share one variable with this name, in nginx as in CGI
    /// (RFC 3875 section 4.1.18): in any case, and with `_` for `-`.
    pub(crate) fn header_of_variable(self, name: &[u8]) -> impl Iterator<Item = &'r [u8]> {
        let fold = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
        self.headers().filter_map(move |(field, value)| {
            let is_it =
                field.len() == name.len() && field.iter().map(fold).eq(name.iter().map(fold));
            is_it.then_some(value)
        })
    }

    /// This module's configuration of the location that the request is in.
    pub(crate) fn location_conf(self) -> Option<&'r <Module as Types>::Location> {
        // SAFETY: nginx sets `loc_conf` before any handler runs, with a slot for each module; the
        // configuration outlives the requests that it serves, and ours is of the type that `Types`
        // says.
        unsafe {
            let confs = (*self.raw.as_ptr()).loc_conf.as_ref()?;
            (*ptr::from_ref(confs).add(MODULE.load(Ordering::Relaxed)))
                .cast::<<Module as Types>::Location>()
                .as_ref()
        }
    }

    /// This module's configuration of the whole `http` block.
    pub(crate) fn main_conf(self) -> Option<&'r <Module as Types>::Main> {
        // SAFETY: as for `location_conf`.
        unsafe {
            let confs = (*self.raw.as_ptr()).main_conf.as_ref()?;
            (*ptr::from_ref(confs).add(MODULE.load(Ordering::Relaxed)))
                .cast::<<Module as Types>::Main>()
                .as_ref()
        }
    }

    pub(super) fn as_raw(self) -> *mut ngx_http_request_t {
        self.raw.as_ptr()
    }

    /// What this module remembers of the client's request, if anything yet.
    ///
    /// The value belongs to the main request, and survives internal redirects: these clear the
    /// contexts of all modules, but not the pool that the value was handed to.
    pub(crate) fn remembered(self) -> Option<&'r <Module as Types>::Remembered> {
        Some(&self.kept()?.value)
    }

    /// What this module remembers of the client's request, created if there is nothing yet; `None`
    /// if memory is short.
    pub(crate) fn remember(self) -> Option<&'r <Module as Types>::Remembered> {
        Some(&self.keep()?.value)
    }

    fn kept(self) -> Option<&'r Kept> {
        let main = self.main().raw.as_ptr();
        // SAFETY: `ctx` has a slot for each module, null or a `Kept` of `keep`; the cleanup list is
        // intact while the pool is, and our handler stands only for a `Kept`.
        unsafe {
            let slot = (*main).ctx.add(MODULE.load(Ordering::Relaxed));
            if (*slot).is_null() {
                let mut cleanup = (*(*main).pool).cleanup;
                while let Some(entry) = cleanup.as_ref() {
                    let is_it = |handler| ptr::fn_addr_eq(handler, dropper::<Kept>());
                    if entry.handler.is_some_and(is_it) {
                        *slot = entry.data;
                        break;
                    }
                    cleanup = entry.next;
                }
            }
            (*slot).cast::<Kept>().as_ref()
        }
    }

    fn keep(self) -> Option<&'r Kept> {
        if let Some(kept) = self.kept() {
            return Some(kept);
        }
        let main = self.main().raw.as_ptr();
        // SAFETY: `ctx` has a slot for each module; the pool owns the value from here on.
        unsafe {
            let kept = own((*main).pool, Kept::default())?;
            *(*main).ctx.add(MODULE.load(Ordering::Relaxed)) = kept.as_ptr().cast();
            Some(kept.as_ref())
        }
    }

    /// Copies bytes into the request's pool; `None` if memory is short.
    pub(crate) fn copy(self, source: &[u8]) -> Option<&'r [u8]> {
        if source.is_empty() {
            return Some(&[]);
        }
        // SAFETY: the pool lives as long as the request; what it gives is ours alone, and filled
        // before anyone reads it.
        unsafe {
            let copy = ngx_pnalloc((*self.raw.as_ptr()).pool, source.len()).cast::<u8>();
            ptr::NonNull::new(copy)?;
            ptr::copy_nonoverlapping(source.as_ptr(), copy, source.len());
            Some(slice::from_raw_parts(copy, source.len()))
        }
    }

    /// Adds a header field to the response; `None` if memory is short.
    ///
    /// Call it from a header filter: a field that is added earlier would also stand in the response
    /// of another location, if the request is redirected there.
    pub(crate) fn add_response_header(self, name: &'static str, value: &[u8]) -> Option<()> {
        self.push_response_header(name, value).map(|_| ())
    }

    /// Adds `WWW-Authenticate` (RFC 9110 section 11.6.1), and points nginx to the field, where
    /// `satisfy any` and `auth_request` look for it. `None` if memory is short.
    pub(crate) fn challenge(self, value: &[u8]) -> Option<()> {
        let field = self.push_response_header("WWW-Authenticate", value)?;
        // SAFETY: the request is alive; the field lies in its list of headers.
        unsafe { (*self.raw.as_ptr()).headers_out.www_authenticate = field.as_ptr() };
        Some(())
    }

    fn push_response_header(
        self,
        name: &'static str,
        value: &[u8],
    ) -> Option<ptr::NonNull<ngx_table_elt_t>> {
        let value = self.copy(value)?;
        // SAFETY: the list is nginx's own; a new element is zeroed before its fields are set, so
        // that the fields of later versions (`next`, since 1.23) are null as well.
        unsafe {
            let headers: *mut ngx_list_t = &raw mut (*self.raw.as_ptr()).headers_out.headers;
            let field = ptr::NonNull::new(ngx_list_push(headers).cast::<ngx_table_elt_t>())?;
            field.write_bytes(0, 1);
            (*field.as_ptr()).hash = 1;
            (*field.as_ptr()).key = string(name.as_bytes());
            (*field.as_ptr()).value = string(value);
            Some(field)
        }
    }

    /// Redacts what nginx adds about the client's request to messages in its error log; `None` if
    /// memory is short.
    pub(crate) fn redact_log(self) -> Option<()> {
        let main = self.main().raw.as_ptr();
        self.keep()?.log_handler.get_or_init(|| {
            // SAFETY: nginx set the handler when it made the request; a handler of the same type
            // may replace it if it lives as long as the request, as ours does.
            unsafe { LogHandler((*main).log_handler.replace(redacting)) }
        });
        Some(())
    }

    /// Whether messages of this level are logged.
    pub(crate) fn logs(self, level: Level) -> bool {
        // SAFETY: as for `log`.
        unsafe {
            let connection = (*self.raw.as_ptr()).connection.as_ref();
            let log = connection.and_then(|connection| connection.log.as_ref());
            log.is_some_and(|log| log.log_level >= level.number())
        }
    }

    /// Logs a message and the client's address to the log of the connection. The request line is
    /// left out: it may hold a token.
    pub(crate) fn log(self, level: Level, message: &str) {
        // SAFETY: a request has a connection, and a connection a log, while nginx handles it.
        unsafe {
            if let Some(connection) = (*self.raw.as_ptr()).connection.as_ref() {
                if connection.log.is_null() || (*connection.log).log_level < level.number() {
                    return;
                }
                let client = super::string::printable(bytes(connection.addr_text));
                let line = format!("ojwt: {message}, client: {client}");
                log::without_request(level, connection.log, &line);
            }
        }
    }
}

/// A run of the rewrite directives of a server or a location: no other run for the same client's
/// request has all of these values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rewriting {
    request: usize,
    phase: usize,
    uri: usize,
}

/// The function of nginx that runs the handlers of a phase for a request.
type Checker =
    unsafe extern "C" fn(*mut ngx_http_request_t, *mut ngx_http_phase_handler_t) -> ngx_int_t;

/// Saved values of variables, each with the index of its variable; they are restored when this is
/// dropped.
pub(super) struct KeptValues<'r> {
    request: Request<'r>,
    values: Vec<(usize, ngx_http_variable_value_t)>,
}

impl Drop for KeptValues<'_> {
    fn drop(&mut self) {
        for (index, value) in &self.values {
            // SAFETY: there was a value at that index; nobody else looks at it now.
            unsafe { *(*self.request.raw.as_ptr()).variables.add(*index) = *value };
        }
    }
}

/// The values of variables and the captures that nginx had cached; they are restored when this is
/// dropped.
struct Trace<'r> {
    request: Request<'r>,
    values: Vec<ngx_http_variable_value_t>,
    #[cfg(nginx_pcre)]
    captures: Captures,
}

/// The captures of the regular expression that matched last.
#[cfg(nginx_pcre)]
struct Captures {
    positions: Vec<c_int>,
    count: usize,
    text: *mut u8,
}

impl<'r> Trace<'r> {
    fn begin(request: Request<'r>) -> Self {
        let trace = Self {
            request,
            values: request.variable_values().to_vec(),
            #[cfg(nginx_pcre)]
            captures: Captures::of(request),
        };
        for (index, variable) in trace.variables().iter().enumerate() {
            if is_computed(index, variable) {
                // SAFETY: there is one value for each variable; nobody else looks at it now.
                unsafe {
                    let value = &mut *(*request.raw.as_ptr()).variables.add(index);
                    value.set_valid(0);
                    value.set_not_found(0);
                }
            }
        }
        trace
    }

    fn variables(&self) -> &'r [ngx_http_variable_t] {
        if self.values.is_empty() { &[] } else { self.request.variables() }
    }
}

impl Drop for Trace<'_> {
    fn drop(&mut self) {
        for ((index, variable), value) in self.variables().iter().enumerate().zip(&self.values) {
            // A value that nginx itself knows depends on no claim, and must not change:
            // `$request_id`, for example, is drawn at random when it is first asked for.
            let is_constant =
                !is_changeable(variable) && variable.flags & NGX_HTTP_VAR_NOCACHEABLE as usize == 0;
            if !is_constant {
                // SAFETY: as in `begin`.
                unsafe { *(*self.request.raw.as_ptr()).variables.add(index) = *value };
            }
        }
        #[cfg(nginx_pcre)]
        self.captures.restore(self.request);
    }
}

/// Whether nginx computes a variable, by a map or another handler that reads other variables, and
/// caches the result.
pub(super) fn is_computed(index: usize, variable: &ngx_http_variable_t) -> bool {
    // A variable that a directive or a regular expression sets has no other value: nginx calls its
    // handler with the variable's index, or with nothing.
    let is_set_elsewhere = variable.data == 0 || variable.data == index;
    is_changeable(variable) && !is_set_elsewhere
}

fn is_changeable(variable: &ngx_http_variable_t) -> bool {
    variable.flags & NGX_HTTP_VAR_CHANGEABLE as usize != 0
}

#[cfg(nginx_pcre)]
impl Captures {
    fn of(request: Request<'_>) -> Self {
        // SAFETY: nginx reads no more positions than `ncaptures` says, and has set as many.
        unsafe {
            let raw = request.raw.as_ptr();
            let (place, count) = ((*raw).captures, (*raw).ncaptures);
            let positions = if place.is_null() {
                Vec::new()
            } else {
                slice::from_raw_parts(place, count).to_vec()
            };
            Self { positions, count, text: (*raw).captures_data }
        }
    }

    /// Restores the captures, in the buffer that nginx uses now. This may be another buffer than
    /// before: nginx allocates one when a request first needs it, and another one where the buffer
    /// is shared with a copy of the request, which nginx notes (`realloc_captures`). The new buffer
    /// stays in use, so that it is allocated once, and a shared buffer is not written to.
    fn restore(&self, request: Request<'_>) {
        // SAFETY: as in `of`; every such buffer has room for the captures of any expression of the
        // configuration.
        unsafe {
            let raw = request.raw.as_ptr();
            (*raw).ncaptures = self.count;
            (*raw).captures_data = self.text;
            if !(*raw).captures.is_null() {
                let positions = self.positions.as_ptr();
                ptr::copy_nonoverlapping(positions, (*raw).captures, self.positions.len());
            }
        }
    }
}

/// Hides secrets in the lines that nginx logs of a request.
pub(crate) trait Redact {
    /// The line as it may be logged; what exceeds the length of `line` is cut off.
    fn redact(&self, line: &[u8]) -> Vec<u8>;
}

/// The handler that appends the request line and similar data to a message.
struct LogHandler(ngx_http_log_handler_pt);

/// Has nginx's handler write its part of the message, and redacts that part.
unsafe extern "C" fn redacting(
    request: *mut ngx_http_request_t,
    subrequest: *mut ngx_http_request_t,
    buffer: *mut u8,
    room: usize,
) -> *mut u8 {
    super::guard::guard(buffer, || {
        // SAFETY: nginx calls the handler with a request that it is handling, in which `redact_log`
        // set it; the original writes at most `room` bytes and returns their end.
        unsafe {
            let Some(of) = Request::from_raw(request) else { return buffer };
            let (Some(kept), Some(main)) = (of.kept(), of.main_conf()) else { return buffer };
            let Some(LogHandler(Some(original))) = kept.log_handler.get() else { return buffer };
            let end = original(request, subrequest, buffer, room);
            let Ok(length) = usize::try_from(end.offset_from(buffer)) else { return buffer };
            let redacted = main.redact(slice::from_raw_parts(buffer, length));
            let length = redacted.len().min(length);
            ptr::copy_nonoverlapping(redacted.as_ptr(), buffer, length);
            buffer.add(length)
        }
    })
}

/// Hands a value to a pool; the value is dropped when the pool is destroyed. `None` if memory is
/// short.
///
/// # Safety
///
/// `pool` must be a pool of nginx's that outlives every use of the value.
pub(super) unsafe fn own<T>(pool: *mut ngx_pool_t, value: T) -> Option<ptr::NonNull<T>> {
    // nginx aligns what it allocates for pointers.
    const { assert!(align_of::<T>() <= align_of::<usize>()) };
    // SAFETY: the caller's promise; nginx allocates the place with the entry.
    unsafe {
        let cleanup = ngx_pool_cleanup_add(pool, size_of::<T>()).as_mut()?;
        let place = ptr::NonNull::new(cleanup.data.cast::<T>())?;
        place.write(value);
        cleanup.handler = Some(dropper::<T>());
        Some(place)
    }
}

/// The cleanup handler for a type: one address, both to register it and to recognise it.
fn dropper<T>() -> unsafe extern "C" fn(*mut c_void) {
    drop_value::<T>
}

unsafe extern "C" fn drop_value<T>(data: *mut c_void) {
    super::guard::guard((), || {
        // SAFETY: nginx calls a cleanup once, with the data it was registered with: a value that
        // nobody else drops. It frees the place itself.
        unsafe { data.cast::<T>().drop_in_place() };
    });
}
