//! Subrequests whose responses are kept from the client.

use core::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::{ptr, slice};
use std::rc::Rc;

use ngx::ffi::{
    ngx_add_timer, ngx_buf_t, ngx_chain_t, ngx_del_timer, ngx_delete_posted_event, ngx_event_t,
    ngx_http_get_indexed_variable, ngx_http_parse_unsafe_uri, ngx_http_post_subrequest_t,
    ngx_http_request_body_t, ngx_http_request_t, ngx_http_run_posted_requests, ngx_http_subrequest,
    ngx_http_variable_value_t, ngx_int_t, ngx_list_init, ngx_list_push, ngx_msec_t, ngx_palloc,
    ngx_pcalloc, ngx_pool_t, ngx_post_event, ngx_posted_events, ngx_read_file, ngx_str_t,
    ngx_table_elt_t, ngx_uint_t,
};

use super::detached::{self, Detached};
use super::guard::guard;
use super::request::{Request, own};
use super::status::{AGAIN, ERROR, OK};
use super::string::{bytes, string};
use super::variable::Value;

/// How long a subrequest may take, in milliseconds: as long as nginx waits, by default, for a part
/// of the response. Without this limit, an upstream that sends a byte now and then could keep a
/// subrequest waiting for ever.
pub(crate) const MAX_TIME: ngx_msec_t = 60_000;

/// The first bytes of a body that gzip compressed (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The codes for which nginx ends the whole request at once, without a response: an error, the
/// timeout of a client, a connection that must be closed, and a client that went away. As the
/// result of a subrequest, these codes do not have this meaning.
const FATAL: [ngx_int_t; 4] = [ERROR, 408, 444, 499];

/// The lowest status for which nginx makes another response, and ends the request a second time.
const SPECIAL_RESPONSE: ngx_int_t = 300;

/// Something that wants the response of a subrequest.
pub(crate) trait Fetch {
    /// Where the response is captured: the same place for as long as the fetch lives.
    fn capture(&self) -> &Capture;

    /// Called once, when the subrequest has ended, unless [`Fetch::abandoned`] was called before.
    fn ended(&self, subrequest: Request<'_>);

    /// Called when no more of the response will come. After [`Fetch::ended`], the call has no
    /// meaning.
    fn abandoned(&self);
}

/// The captured response of a subrequest.
pub(crate) struct Capture {
    limit: usize,
    body: RefCell<Vec<u8>>,
    is_too_large: Cell<bool>,
    is_cut_short: Cell<bool>,
    is_complete: Cell<bool>,
    result: OnceCell<Result<(), CaptureError>>,
}

/// Why there is no response to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaptureError {
    /// A status other than 200; 0 where there was none.
    Status(u16),
    /// `Content-Encoding` is set, or the body is in the gzip format although the field is missing.
    Compressed,
    /// The response ended early.
    Incomplete,
    /// The body is larger than the limit.
    TooLarge,
    /// The response took too long.
    TooSlow,
}

impl Capture {
    /// Prepares a capture of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            body: RefCell::default(),
            is_too_large: Cell::new(false),
            is_cut_short: Cell::new(false),
            is_complete: Cell::new(false),
            result: OnceCell::new(),
        }
    }

    /// The body of a complete response with the status 200, once the subrequest has ended.
    pub(crate) fn body(&self) -> Result<Vec<u8>, CaptureError> {
        match self.result.get() {
            Some(Ok(())) => Ok(self.body.take()),
            Some(Err(error)) => Err(*error),
            None => Err(CaptureError::Incomplete),
        }
    }

    /// Takes a part of the response, and marks its buffers as consumed. Returns whether more of the
    /// response is wanted.
    ///
    /// # Safety
    ///
    /// `chain` must be null or what nginx hands to a body filter.
    pub(crate) unsafe fn take(&self, mut chain: *mut ngx_chain_t) -> bool {
        // SAFETY: the caller's promise: a chain of links to buffers, which a filter may consume.
        unsafe {
            while let Some(link) = chain.as_ref() {
                if let Some(buffer) = link.buf.as_mut() {
                    self.take_buffer(buffer);
                }
                chain = link.next;
            }
        }
        !self.is_too_large.get()
    }

    /// # Safety
    ///
    /// `buffer` must be one that nginx hands to a body filter.
    unsafe fn take_buffer(&self, buffer: &mut ngx_buf_t) {
        let in_memory = buffer.temporary() != 0 || buffer.memory() != 0 || buffer.mmap() != 0;
        // SAFETY: a buffer in memory holds the bytes from `pos` to `last`, a buffer in a file those
        // from `file_pos` to `file_last` of an open file (nginx development guide, "Buffer").
        unsafe {
            if in_memory && !buffer.pos.is_null() {
                let length = usize::try_from(buffer.last.offset_from(buffer.pos)).unwrap_or(0);
                if self.fits(length) {
                    let bytes = slice::from_raw_parts(buffer.pos, length);
                    self.body.borrow_mut().extend_from_slice(bytes);
                }
            } else if buffer.in_file() != 0 && !buffer.file.is_null() {
                let length = usize::try_from(buffer.file_last - buffer.file_pos).unwrap_or(0);
                if self.fits(length) {
                    let mut bytes = vec![0; length];
                    let read =
                        ngx_read_file(buffer.file, bytes.as_mut_ptr(), length, buffer.file_pos);
                    // A file that became shorter leaves the response incomplete.
                    if usize::try_from(read) != Ok(length) {
                        self.is_cut_short.set(true);
                    }
                    self.body.borrow_mut().append(&mut bytes);
                }
            }
        }
        buffer.pos = buffer.last;
        buffer.file_pos = buffer.file_last;
        if buffer.last_buf() != 0 || buffer.last_in_chain() != 0 {
            self.is_complete.set(true);
        }
    }

    fn fits(&self, length: usize) -> bool {
        let fits = self.body.borrow().len().saturating_add(length) <= self.limit;
        if !fits {
            self.is_too_large.set(true);
            self.body.take();
        }
        fits && !self.is_too_large.get()
    }

    /// Records how the subrequest ended, unless that is recorded already; returns whether it was
    /// not.
    fn end(&self, request: Request<'_>, code: ngx_int_t) -> bool {
        let result = match request.response_status() {
            _ if FATAL.contains(&code) && code != ERROR => {
                Err(CaptureError::Status(u16::try_from(code).unwrap_or(0)))
            }
            200 if request.is_response_encoded() => Err(CaptureError::Compressed),
            200 if self.is_too_large.get() => Err(CaptureError::TooLarge),
            200 if code == OK && self.is_complete.get() && !self.is_cut_short.get() => {
                let is_gzip = self.body.borrow().starts_with(&GZIP);
                if is_gzip { Err(CaptureError::Compressed) } else { Ok(()) }
            }
            200 => Err(CaptureError::Incomplete),
            status => Err(CaptureError::Status(status)),
        };
        self.result.set(result).is_ok()
    }
}

/// A subrequest in flight, owned by the pool of its main request.
struct Running {
    fetch: Rc<dyn Fetch>,
    main: *mut ngx_http_request_t,
    subrequest: Cell<*mut ngx_http_request_t>,
    is_given_up: Cell<bool>,
    /// The event that runs the subrequest, and that later gives up the main request: only after
    /// nginx has finished what it is doing.
    turn: UnsafeCell<ngx_event_t>,
    /// The timer that ends the subrequest, whatever the subrequest waits for.
    deadline: UnsafeCell<ngx_event_t>,
}

impl Running {
    /// Hands a fetch to the pool of a detached request, which then owns it.
    fn begin(main: &Detached, fetch: Rc<dyn Fetch>) -> Option<&'static Self> {
        let running = Self {
            fetch,
            main: main.as_raw(),
            subrequest: Cell::new(ptr::null_mut()),
            is_given_up: Cell::new(false),
            // SAFETY: an event is made of pointers, numbers and flags, of which zero means none.
            turn: UnsafeCell::new(unsafe { MaybeUninit::zeroed().assume_init() }),
            // SAFETY: an event is made of pointers, numbers and flags, of which zero means none.
            deadline: UnsafeCell::new(unsafe { MaybeUninit::zeroed().assume_init() }),
        };
        // SAFETY: the pool lives as long as the request, whose connection has a log; the events
        // point to the `Running` that owns them.
        unsafe {
            let running = own((*main.as_raw()).pool, running)?.as_ref();
            let log = (*(*main.as_raw()).connection).log;
            for (event, handler) in [
                (running.turn.get(), run as unsafe extern "C" fn(*mut ngx_event_t)),
                (running.deadline.get(), time_out),
            ] {
                (*event).data = ptr::from_ref(running).cast_mut().cast();
                (*event).handler = Some(handler);
                (*event).log = log;
            }
            Some(running)
        }
    }

    /// Has nginx call [`run`] or [`finish`] in the next iteration of the event loop.
    fn post(&self) {
        // SAFETY: nginx's queue of events is ready in a worker; `drop` takes the event out of it.
        unsafe { ngx_post_event(self.turn.get(), &raw mut ngx_posted_events) };
    }

    /// Reports the end of the subrequest, and schedules that of its main request.
    fn end(&self, request: Request<'_>) {
        self.fetch.ended(request);
        if !self.is_given_up.replace(true) {
            // SAFETY: the event is ours, and not being handled by anyone else.
            unsafe { (*self.turn.get()).handler = Some(finish) };
            self.post();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: nginx destroys the pool; the flags say whether nginx still has the events in its
        // queue and its tree.
        unsafe {
            if (*self.turn.get()).posted() != 0 {
                ngx_delete_posted_event(self.turn.get());
            }
            if (*self.deadline.get()).timer_set() != 0 {
                ngx_del_timer(self.deadline.get());
            }
        }
        if !self.subrequest.get().is_null() {
            self.fetch.abandoned();
        }
    }
}

impl<'r> Request<'r> {
    /// Starts a subrequest for a URI, arguments included, and has `fetch` take the response.
    ///
    /// The subrequest is a `GET` for `host`, of the same server. No request owns the subrequest: it
    /// goes on when this request ends, but for no longer than [`MAX_TIME`]. The subrequest brings
    /// nothing that the client sent: header fields may be secrets, or conditions, ranges and
    /// encodings that are meant for another response. The values of variables that nginx has cached
    /// for this request are neither visible to the subrequest nor changed by it.
    ///
    /// # Errors
    ///
    /// [`SubrequestError`].
    pub(crate) fn start(
        self,
        uri: &[u8],
        host: &[u8],
        fetch: Rc<dyn Fetch>,
    ) -> Result<(), SubrequestError> {
        let failed = SubrequestError::Failed;
        let main = Detached::new(self).ok_or(failed)?;
        let running = Running::begin(&main, fetch).ok_or(failed)?;
        // SAFETY: the request is alive until it is given up; a handle of it is used here alone.
        let made = unsafe { Request::from_raw(main.as_raw()) }.ok_or(failed)?;
        made.set_host(host).ok_or(failed)?;
        let subrequest = made.make_subrequest(uri, running)?;
        // SAFETY: nginx made the subrequest just now, and runs it when it is told to. Everything
        // that the subrequest is given lies in the pool of its main request.
        unsafe {
            (*subrequest).variables = self.variables_of_the_connection(made).ok_or(failed)?;
            running.subrequest.set(subrequest);
            ngx_add_timer(running.deadline.get(), MAX_TIME);
        }
        running.post();
        // From here on `Running` gives the main request up.
        core::mem::forget(main);
        Ok(())
    }

    /// Sets the host of this request, which must be a detached one; an empty `host` sets none.
    fn set_host(self, host: &[u8]) -> Option<()> {
        // SAFETY: nobody else knows of the request. The list points into itself, and so is made
        // where it stays; a new element is zeroed before its fields are set, so that the fields of
        // later versions (`next`, since 1.23) are null as well.
        unsafe {
            let raw = self.as_raw();
            let headers = &raw mut (*raw).headers_in.headers;
            if ngx_list_init(headers, (*raw).pool, 1, size_of::<ngx_table_elt_t>()) != OK {
                return None;
            }
            if host.is_empty() {
                return Some(());
            }
            let host = string(self.copy(host)?);
            let field = ptr::NonNull::new(ngx_list_push(headers).cast::<ngx_table_elt_t>())?;
            field.write_bytes(0, 1);
            let (field, name) = (field.as_ptr(), b"host");
            // nginx's `ngx_hash`, by which modules that pass header fields on recognise this one.
            (*field).hash = name.iter().fold(0, |hash, byte| hash * 31 + usize::from(*byte));
            (*field).lowcase_key = string(name).data;
            (*field).key = string(b"Host");
            (*field).value = host;
            (*raw).headers_in.host = field;
            (*raw).headers_in.server = host;
        }
        Some(())
    }

    /// Makes the subrequest of this request, which must be a detached one.
    fn make_subrequest(
        self,
        uri: &[u8],
        running: &Running,
    ) -> Result<*mut ngx_http_request_t, SubrequestError> {
        let failed = SubrequestError::Failed;
        let whole = self.copy(uri).ok_or(failed)?;
        let mut uri = string(self.copy(uri).ok_or(failed)?);
        let mut args = ngx_str_t { len: 0, data: ptr::null_mut() };
        let mut flags: ngx_uint_t = 0;
        let mut subrequest = ptr::null_mut();
        // SAFETY: everything that nginx is given lies in the request's pool, or outlives that pool.
        // nginx runs the subrequest later, when all of its fields are set.
        unsafe {
            let raw = self.as_raw();
            if ngx_http_parse_unsafe_uri(raw, &raw mut uri, &raw mut args, &raw mut flags) != OK {
                return Err(SubrequestError::UnsafeUri);
            }
            let pool = (*raw).pool;
            let on_end = ngx_palloc(pool, size_of::<ngx_http_post_subrequest_t>())
                .cast::<ngx_http_post_subrequest_t>();
            let body = ngx_pcalloc(pool, size_of::<ngx_http_request_body_t>());
            if on_end.is_null() || body.is_null() {
                return Err(failed);
            }
            on_end.write(ngx_http_post_subrequest_t {
                handler: Some(ended),
                data: ptr::from_ref(running).cast_mut().cast(),
            });
            // Not a background subrequest: nginx does not update its cache in the background from
            // such a one.
            let (uri, args) = (&raw mut uri, &raw mut args);
            let started = ngx_http_subrequest(raw, uri, args, &raw mut subrequest, on_end, 0);
            let Some(made) = subrequest.as_mut().filter(|_| started == OK) else {
                return Err(failed);
            };
            own_headers(made, pool, (*raw).headers_in.host).ok_or(failed)?;
            made.unparsed_uri = string(whole);
            // An empty body, as in nginx's own auth_request: there is no body to read or to close.
            made.request_body = body.cast();
        }
        Ok(subrequest)
    }

    /// A value for each variable of the configuration, empty except for variables that describe the
    /// connection and its encryption: the server's rules about these must hold for `made` as well.
    fn variables_of_the_connection(
        self,
        made: Request<'_>,
    ) -> Option<*mut ngx_http_variable_value_t> {
        let ours = self.variable_values();
        // SAFETY: nginx is handling both requests. There is a value for each variable, and each
        // value is copied to the place where the values of the subrequest are.
        unsafe {
            let values = ngx_pcalloc((*made.as_raw()).pool, size_of_val(ours).max(1));
            let values = ptr::NonNull::new(values)?.cast::<ngx_http_variable_value_t>().as_ptr();
            for (index, variable) in self.variables().iter().enumerate().take(ours.len()) {
                if !tells_of_the_connection(bytes(variable.name)) {
                    continue;
                }
                let value = ngx_http_get_indexed_variable(self.as_raw(), index);
                if let Some(value) = value.as_ref().filter(|value| value.not_found() == 0) {
                    let length = usize::try_from(value.len()).ok()?;
                    let text = bytes(ngx_str_t { len: length, data: value.data });
                    Value::Text(made.copy(text)?).store(values.add(index));
                }
            }
            Some(values)
        }
    }

    /// The capture of the response to this request, if this is a subrequest that was started for a
    /// [`Fetch`].
    pub(crate) fn capture(self) -> Option<&'r Capture> {
        // SAFETY: nginx calls `ended` with what `start` gave it, which lives as long as the
        // subrequest.
        unsafe {
            let on_end = (*self.as_raw()).post_subrequest.as_ref()?;
            let handler = on_end.handler?;
            let is_ours = ptr::fn_addr_eq(handler, ended as EndHandler);
            is_ours.then(|| (*on_end.data.cast::<Running>()).fetch.capture())
        }
    }

    /// Whether this is a subrequest that was started for a fetch, or a subrequest of such a one.
    pub(crate) fn is_part_of_fetch(self) -> bool {
        core::iter::successors(Some(self), |request| request.parent())
            .any(|request| request.capture().is_some())
    }
}

/// Whether a variable describes how the client is connected, in a way that another connection
/// cannot show.
fn tells_of_the_connection(name: &[u8]) -> bool {
    const WHOLE: [&[u8]; 4] = [b"scheme", b"https", b"http2", b"http3"];
    const BEGIN: [&[u8]; 3] = [b"ssl_", b"proxy_protocol_", b"realip_"];
    WHOLE.contains(&name) || BEGIN.iter().any(|begin| name.starts_with(begin))
}

/// Why a subrequest was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubrequestError {
    /// The URI climbs with `..`, or holds what no URI may hold.
    UnsafeUri,
    /// Memory is short, or subrequests nest too deeply.
    Failed,
}

type EndHandler =
    unsafe extern "C" fn(*mut ngx_http_request_t, *mut c_void, ngx_int_t) -> ngx_int_t;

/// Gives a request its own list of header fields, since modules may add fields: a copied list would
/// point into the list of the other request. `None` if memory is short.
///
/// # Safety
///
/// `made` must be a request that was just made in `pool`; `host` must be null or a field that
/// lives.
unsafe fn own_headers(
    made: &mut ngx_http_request_t,
    pool: *mut ngx_pool_t,
    host: *mut ngx_table_elt_t,
) -> Option<()> {
    let headers = &raw mut made.headers_in.headers;
    // SAFETY: the caller's promise; nginx takes the list from the pool.
    unsafe {
        if ngx_list_init(headers, pool, 4, size_of::<ngx_table_elt_t>()) != OK {
            return None;
        }
        if let Some(host) = ptr::NonNull::new(host) {
            let field = ptr::NonNull::new(ngx_list_push(headers).cast::<ngx_table_elt_t>())?;
            field.copy_from_nonoverlapping(host, 1);
            made.headers_in.host = field.as_ptr();
        }
    }
    Some(())
}

/// nginx calls this function when a subrequest ends, and before that each time the output has to
/// wait. After an error, nginx calls the function twice: for the error, and for the response that
/// nginx makes of the error.
unsafe extern "C" fn ended(
    subrequest: *mut ngx_http_request_t,
    data: *mut c_void,
    code: ngx_int_t,
) -> ngx_int_t {
    let is_fatal = FATAL.contains(&code);
    if is_fatal || (code < SPECIAL_RESPONSE && code != AGAIN) {
        guard((), || {
            // SAFETY: nginx hands the subrequest that it ends, and the data that `start` gave.
            let parts = unsafe { (Request::from_raw(subrequest), data.cast::<Running>().as_ref()) };
            if let (Some(request), Some(running)) = parts
                && running.fetch.capture().end(request, code)
            {
                running.end(request);
            }
        });
    }
    // A fatal code stops here: whatever else the main request waits for must end by itself.
    if is_fatal { OK } else { code }
}

unsafe extern "C" fn run(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: nginx took the event out of its queue to call its handler; `data` is the
        // `Running` that it is part of. Running the subrequest may end all of it.
        unsafe {
            let running = (*event).data.cast::<Running>();
            ngx_http_run_posted_requests((*(*running).main).connection);
        }
    });
}

unsafe extern "C" fn finish(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: as in `run`; it is called once.
        unsafe {
            let running = (*event).data.cast::<Running>();
            detached::give_up((*running).main);
        }
    });
}

/// Ends a subrequest that takes too long, as failed.
unsafe extern "C" fn time_out(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: nginx took the timer out of its tree to call its handler; `data` is the `Running`
        // that it is part of, which lives until its main request is ended.
        unsafe {
            let running = (*event).data.cast::<Running>();
            let subrequest = Request::from_raw((*running).subrequest.get());
            if let Some(subrequest) = subrequest
                && (*running).fetch.capture().result.set(Err(CaptureError::TooSlow)).is_ok()
            {
                (*running).fetch.ended(subrequest);
            }
            detached::terminate((*running).main);
        }
    });
}
