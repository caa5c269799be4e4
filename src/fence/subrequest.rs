//! Subrequests whose responses are kept from the client.

use core::cell::{Cell, OnceCell, RefCell};
use core::ffi::c_void;
use core::{ptr, slice};

use ngx::ffi::{
    NGX_HTTP_SUBREQUEST_BACKGROUND, ngx_buf_t, ngx_chain_t, ngx_http_headers_in_t,
    ngx_http_parse_unsafe_uri, ngx_http_post_subrequest_t, ngx_http_request_body_t,
    ngx_http_request_t, ngx_http_subrequest, ngx_int_t, ngx_list_init, ngx_palloc, ngx_pcalloc,
    ngx_read_file, ngx_str_t, ngx_table_elt_t, ngx_uint_t,
};

use super::guard::guard;
use super::request::Request;
use super::{AGAIN, ERROR, OK, string};

/// The codes for which nginx ends the client's request at once, without a response: an error, the
/// timeout of a client, one that is to be closed, and one that went away. As those of a subrequest
/// they are none of these.
const FATAL: [ngx_int_t; 4] = [ERROR, 408, 444, 499];

/// The lowest status for which nginx makes another response, and ends the request once more.
const SPECIAL_RESPONSE: ngx_int_t = 300;

/// A subrequest, and what came of it.
pub(crate) struct Capture {
    subrequest: Cell<*mut ngx_http_request_t>,
    limit: usize,
    body: RefCell<Vec<u8>>,
    is_too_large: Cell<bool>,
    is_cut_short: Cell<bool>,
    is_complete: Cell<bool>,
    result: OnceCell<Result<(), CaptureError>>,
    on_end: OnEnd,
}

/// What is called with a capture that has ended, and its subrequest.
type OnEnd = Box<dyn Fn(&Capture, Request<'_>)>;

/// Why there is no response to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaptureError {
    /// A status other than 200; 0 where there was none.
    Status(u16),
    /// `Content-Encoding` is set.
    Compressed,
    /// It ended early.
    Incomplete,
    /// The body is larger than the limit.
    TooLarge,
}

impl Capture {
    /// Prepares a capture of at most `limit` bytes; `on_end` is called once, when the subrequest has
    /// ended: not if the client's request ends before.
    pub(crate) fn new(limit: usize, on_end: impl Fn(&Self, Request<'_>) + 'static) -> Self {
        Self {
            subrequest: Cell::new(ptr::null_mut()),
            limit,
            body: RefCell::default(),
            is_too_large: Cell::new(false),
            is_cut_short: Cell::new(false),
            is_complete: Cell::new(false),
            result: OnceCell::new(),
            on_end: Box::new(on_end),
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

    /// Whether the request is the captured subrequest, or one that it made.
    pub(crate) fn covers(&self, request: Request<'_>) -> bool {
        core::iter::successors(Some(request), |request| request.parent())
            .any(|request| request.as_raw() == self.subrequest.get())
    }

    /// Whether the request is the captured subrequest.
    pub(crate) fn is_of(&self, request: Request<'_>) -> bool {
        request.as_raw() == self.subrequest.get()
    }

    /// Takes a part of the response; its buffers are then spent.
    ///
    /// # Safety
    ///
    /// `chain` must be null or what nginx hands to a body filter.
    pub(crate) unsafe fn take(&self, mut chain: *mut ngx_chain_t) {
        // SAFETY: the caller's promise: a chain of links to buffers, which a filter may consume.
        unsafe {
            while let Some(link) = chain.as_ref() {
                if let Some(buffer) = link.buf.as_mut() {
                    self.take_buffer(buffer);
                }
                chain = link.next;
            }
        }
    }

    /// # Safety
    ///
    /// `buffer` must be one that nginx hands to a body filter.
    unsafe fn take_buffer(&self, buffer: &mut ngx_buf_t) {
        let in_memory = buffer.temporary() != 0 || buffer.memory() != 0 || buffer.mmap() != 0;
        // SAFETY: a buffer in memory holds what lies from `pos` to `last`, one in a file what lies
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

    fn end(&self, request: Request<'_>, code: ngx_int_t) {
        let result = match request.response_status() {
            _ if FATAL.contains(&code) && code != ERROR => {
                Err(CaptureError::Status(u16::try_from(code).unwrap_or(0)))
            }
            200 if request.is_response_encoded() => Err(CaptureError::Compressed),
            200 if self.is_too_large.get() => Err(CaptureError::TooLarge),
            200 if code == OK && self.is_complete.get() && !self.is_cut_short.get() => Ok(()),
            200 => Err(CaptureError::Incomplete),
            status => Err(CaptureError::Status(status)),
        };
        if self.result.set(result).is_ok() {
            (self.on_end)(self, request);
        }
    }
}

impl Request<'_> {
    /// Starts a subrequest for a URI, arguments included, and has `capture` take the response. Whoever
    /// waits for it is not woken by nginx.
    ///
    /// It is a `GET` that brings nothing of what the client sent but the host. Header fields may be
    /// conditions, ranges and encodings that are meant for another response, and secrets; and what
    /// nginx remembers of variables is neither shown to it, nor changed by it.
    ///
    /// # Errors
    ///
    /// [`SubrequestError`].
    ///
    /// # Safety
    ///
    /// `capture` must not move, and live until the client's request ends.
    pub(crate) unsafe fn start(self, uri: &[u8], capture: &Capture) -> Result<(), SubrequestError> {
        let failed = SubrequestError::Failed;
        let whole = self.copy(uri).ok_or(failed)?;
        let mut uri = string(self.copy(uri).ok_or(failed)?);
        let mut args = ngx_str_t { len: 0, data: ptr::null_mut() };
        let mut flags: ngx_uint_t = 0;
        let mut subrequest = ptr::null_mut();
        // SAFETY: nginx is handling the request; everything that it is given lies in the request's
        // pool, or lives as long by the caller's promise. It runs the subrequest later, when all of it
        // is set.
        unsafe {
            let raw = self.as_raw();
            if ngx_http_parse_unsafe_uri(raw, &raw mut uri, &raw mut args, &raw mut flags) != OK {
                return Err(SubrequestError::UnsafeUri);
            }
            let pool = (*raw).pool;
            let on_end = ngx_palloc(pool, size_of::<ngx_http_post_subrequest_t>())
                .cast::<ngx_http_post_subrequest_t>();
            let body = ngx_pcalloc(pool, size_of::<ngx_http_request_body_t>());
            let variables = ngx_pcalloc(pool, size_of_val(self.variable_values()).max(1));
            if on_end.is_null() || body.is_null() || variables.is_null() {
                return Err(failed);
            }
            on_end.write(ngx_http_post_subrequest_t {
                handler: Some(ended),
                data: ptr::from_ref(capture).cast_mut().cast(),
            });
            // In the background: another one would hold up the output of the request that makes it,
            // which may itself be in the background, and then for ever.
            let background = NGX_HTTP_SUBREQUEST_BACKGROUND as ngx_uint_t;
            let (uri, args) = (&raw mut uri, &raw mut args);
            let started =
                ngx_http_subrequest(raw, uri, args, &raw mut subrequest, on_end, background);
            let Some(subrequest) = subrequest.as_mut().filter(|_| started == OK) else {
                return Err(failed);
            };
            capture.subrequest.set(subrequest);
            // For `headers_in` every field is a pointer, a number, a flag or an array, of which zero
            // means none. The list points into itself, and so is made where it stays.
            subrequest.headers_in = core::mem::zeroed::<ngx_http_headers_in_t>();
            let size = size_of::<ngx_table_elt_t>();
            if ngx_list_init(&raw mut subrequest.headers_in.headers, pool, 1, size) != OK {
                subrequest.headers_in.headers = core::mem::zeroed();
            }
            subrequest.headers_in.host = (*raw).headers_in.host;
            subrequest.headers_in.server = (*raw).headers_in.server;
            subrequest.headers_in.content_length_n = -1;
            subrequest.headers_in.keep_alive_n = -1;
            subrequest.unparsed_uri = string(whole);
            subrequest.request_line = ngx_str_t { len: 0, data: ptr::null_mut() };
            subrequest.variables = variables.cast();
            // As nginx's own auth_request does: there is no body to read, nor one to close.
            subrequest.request_body = body.cast();
        }
        Ok(())
    }
}

/// Why a subrequest was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubrequestError {
    /// The URI climbs, or holds what no URI does.
    UnsafeUri,
    /// Memory is short, or subrequests nest too deeply.
    Failed,
}

/// nginx calls it whenever it ends a subrequest: before that whenever it has to wait with the output,
/// and after an error once for the error, and again for the response that it makes of it.
unsafe extern "C" fn ended(
    subrequest: *mut ngx_http_request_t,
    data: *mut c_void,
    code: ngx_int_t,
) -> ngx_int_t {
    let is_fatal = FATAL.contains(&code);
    if is_fatal || (code < SPECIAL_RESPONSE && code != AGAIN) {
        guard((), || {
            // SAFETY: nginx hands the subrequest that it ends, and the data that `start` gave.
            let parts = unsafe { (Request::from_raw(subrequest), data.cast::<Capture>().as_ref()) };
            if let (Some(request), Some(capture)) = parts {
                capture.end(request, code);
            }
        });
    }
    // The client's request is to get an answer all the same.
    if is_fatal { OK } else { code }
}
