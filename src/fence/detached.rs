//! A request that no client made: the main request of a subrequest that must outlive the requests
//! that wait for it.
//!
//! A detached request has an ordinary connection of nginx, on a socket without a name. So nginx
//! counts the connection among its own, keeps the request's configuration alive, closes the
//! connection when a shutdown times out, and frees the request when the last subrequest has ended.
//! A detached request never runs through the phases, and is neither logged nor counted among the
//! requests.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;

use ngx::ffi::{
    ngx_buf_t, ngx_close_connection, ngx_connection_local_sockaddr, ngx_connection_t,
    ngx_connection_tcp_nodelay_e_NGX_TCP_NODELAY_DISABLED,
    ngx_connection_tcp_nopush_e_NGX_TCP_NOPUSH_DISABLED, ngx_create_pool, ngx_create_temp_buf,
    ngx_current_msec, ngx_cycle, ngx_destroy_pool, ngx_get_connection, ngx_http_close_connection,
    ngx_http_connection_t, ngx_http_core_main_conf_t, ngx_http_core_module,
    ngx_http_core_srv_conf_t, ngx_http_create_request, ngx_http_finalize_request,
    ngx_http_log_ctx_t, ngx_http_max_module, ngx_http_phases_NGX_HTTP_LOG_PHASE,
    ngx_http_request_empty_handler, ngx_http_request_t, ngx_io, ngx_log_t, ngx_pcalloc, ngx_pool_t,
    ngx_str_t, sockaddr,
};

use super::request::Request;
use super::status::DONE;
use super::string::bytes;

/// The initial size of a connection's pool, in bytes: it holds what is copied from the client's
/// connection.
const POOL_SIZE: usize = 1024;

/// `SOCK_STREAM`: the type of a stream socket in nginx's `ngx_connection_t.type`.
const STREAM: i32 = 1;

/// A main request of our own, which is ended when this is dropped.
pub(super) struct Detached(NonNull<ngx_http_request_t>);

impl Detached {
    /// Makes a detached request for the server and the connection of `client`; `None` if
    /// connections, descriptors or memory are short.
    pub(super) fn new(client: Request<'_>) -> Option<Self> {
        // SAFETY: nginx is handling the request, so that its connection and configuration are
        // complete. Where this fails, everything that was made before is released.
        unsafe {
            let connection = connect(client)?;
            if prepare(connection, client).is_none() {
                let pool = (*connection).pool;
                ngx_close_connection(connection);
                if !pool.is_null() {
                    ngx_destroy_pool(pool);
                }
                return None;
            }
            // From here on nginx closes the connection, and then decrements its counter.
            count(Counter::Active, 1);
            let request = ngx_http_create_request(connection);
            let Some(request) = NonNull::new(request) else {
                ngx_http_close_connection(connection);
                return None;
            };
            count(Counter::Requests, usize::MAX);
            (*connection).data = request.as_ptr().cast();
            let detached = Self(request);
            detached.set_up(client)?;
            Some(detached)
        }
    }

    pub(super) fn as_raw(&self) -> *mut ngx_http_request_t {
        self.0.as_ptr()
    }

    /// Gives the request what a subrequest expects of its main request.
    fn set_up(&self, client: Request<'_>) -> Option<()> {
        // SAFETY: nginx made the request just now, and nobody else knows of it; the configuration
        // of the core module is at its index, in an array with a slot for each module.
        unsafe {
            let request = self.as_raw();
            // nginx ends a request at once only if the request has no write handler; this one does
            // nothing.
            (*request).write_event_handler = Some(ngx_http_request_empty_handler);
            (*request).http_version = (*client.as_raw()).http_version;
            (*request).http_protocol = copy((*request).pool, (*client.as_raw()).http_protocol)?;
            // A configuration of its own, without handlers for the log phase: the end of the
            // request is logged nowhere.
            let confs = ngx_http_max_module * size_of::<*mut c_void>();
            let own = ngx_pcalloc((*request).pool, confs).cast::<*mut c_void>();
            let core = ngx_pcalloc((*request).pool, size_of::<ngx_http_core_main_conf_t>());
            let core = core.cast::<ngx_http_core_main_conf_t>();
            if own.is_null() || core.is_null() {
                return None;
            }
            ptr::copy_nonoverlapping((*request).main_conf, own, ngx_http_max_module);
            let slot = own.add(ngx_http_core_module.ctx_index);
            ptr::copy_nonoverlapping((*slot).cast(), core, 1);
            let log_phase = ngx_http_phases_NGX_HTTP_LOG_PHASE as usize;
            (*core).phases.get_mut(log_phase)?.handlers.nelts = 0;
            *slot = core.cast();
            (*request).main_conf = own;
        }
        Some(())
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        // SAFETY: the holder of this has not given the request up yet, so that the request lives.
        unsafe { terminate(self.as_raw()) };
    }
}

/// Lets a detached request end as soon as it has no subrequest left.
///
/// # Safety
///
/// `request` must be a detached request that was not given up; nothing may use it afterwards.
pub(super) unsafe fn give_up(request: *mut ngx_http_request_t) {
    // SAFETY: the caller's promise. nginx decrements the request's reference count, and frees the
    // request when the count is zero.
    unsafe { ngx_http_finalize_request(request, DONE) };
}

/// Ends a detached request now, with all of its subrequests, as nginx ends requests when a shutdown
/// times out.
///
/// # Safety
///
/// `request` must be a detached request; nothing may use it afterwards.
pub(super) unsafe fn terminate(request: *mut ngx_http_request_t) {
    // SAFETY: the caller's promise; the handler was set when the connection was made.
    unsafe {
        let connection = (*request).connection;
        (*connection).set_close(1);
        if let Some(handler) = (*(*connection).read).handler {
            handler((*connection).read);
        }
    }
}

/// A connection of nginx, on a socket that is never readable, and to which nobody can write.
fn connect(client: Request<'_>) -> Option<*mut ngx_connection_t> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    let socket = socket.into_raw_fd();
    // SAFETY: nginx is handling the request, and its log lives as long; the socket is open.
    unsafe {
        let connection = ngx_get_connection(socket, (*(*client.as_raw()).connection).log);
        if connection.is_null() {
            drop(OwnedFd::from_raw_fd(socket));
            return None;
        }
        Some(connection)
    }
}

/// Sets the fields of a connection that requests read; what comes from the client's connection is
/// copied.
///
/// # Safety
///
/// `connection` must be fresh from nginx.
unsafe fn prepare(connection: *mut ngx_connection_t, client: Request<'_>) -> Option<()> {
    // SAFETY: the caller's promise; nginx is handling the client's request. Addresses are as long
    // as their lengths say.
    unsafe {
        let main = client.main().as_raw();
        let of_client = (*main).connection;
        let pool = ngx_create_pool(POOL_SIZE, (*ngx_cycle).log);
        (*connection).pool = NonNull::new(pool)?.as_ptr();
        (*connection).log = log_of(pool, connection, (*of_client).log)?;
        (*pool).log = (*connection).log;
        // nginx may look the server's own address up only on demand. If that fails, the address
        // stays unknown.
        ngx_connection_local_sockaddr(of_client, ptr::null_mut(), 0);
        let address = |of: *mut sockaddr, length: u32| copy_bytes(pool, of.cast(), length as usize);
        (*connection).sockaddr = address((*of_client).sockaddr, (*of_client).socklen)?.cast();
        (*connection).socklen = (*of_client).socklen;
        (*connection).local_sockaddr =
            address((*of_client).local_sockaddr, (*of_client).local_socklen)?.cast();
        (*connection).local_socklen = (*of_client).local_socklen;
        (*connection).addr_text = copy(pool, (*of_client).addr_text)?;
        (*connection).listening = (*of_client).listening;
        (*connection).number = (*of_client).number;
        (*connection).start_time = ngx_current_msec;
        (*connection).type_ = STREAM;
        // nginx disables both for sockets of this family.
        (*connection).set_tcp_nodelay(ngx_connection_tcp_nodelay_e_NGX_TCP_NODELAY_DISABLED);
        (*connection).set_tcp_nopush(ngx_connection_tcp_nopush_e_NGX_TCP_NOPUSH_DISABLED);
        (*connection).buffer = NonNull::<ngx_buf_t>::new(ngx_create_temp_buf(pool, 1))?.as_ptr();
        let io = &raw const ngx_io;
        ((*connection).recv, (*connection).send) = ((*io).recv, (*io).send);
        ((*connection).recv_chain, (*connection).send_chain) = ((*io).recv_chain, (*io).send_chain);
        // nginx's own handler of requests, which nginx does not export. By the time that a client's
        // request runs, nginx has set this handler.
        let handler = (*(*of_client).read).handler?;
        (*(*connection).read).handler = Some(handler);
        (*(*connection).write).handler = Some(handler);
        (*(*connection).read).log = (*connection).log;
        (*(*connection).write).log = (*connection).log;
        // No peer will close this connection, so nginx must not wait for that at the end.
        (*(*connection).read).set_eof(1);
        (*connection).data = server_of(pool, client)?.cast();
    }
    Some(())
}

/// A copy of a log's settings, with a context of its own to note the request in.
///
/// # Safety
///
/// `pool` and `connection` must be new, `of_client` the log of a connection.
unsafe fn log_of(
    pool: *mut ngx_pool_t,
    connection: *mut ngx_connection_t,
    of_client: *const ngx_log_t,
) -> Option<*mut ngx_log_t> {
    // SAFETY: the caller's promise; a copy of the settings shares the file and the list of further
    // logs, which belong to the configuration.
    unsafe {
        let log = NonNull::new(ngx_pcalloc(pool, size_of::<ngx_log_t>()).cast::<ngx_log_t>())?;
        let context = ngx_pcalloc(pool, size_of::<ngx_http_log_ctx_t>());
        let context = NonNull::new(context.cast::<ngx_http_log_ctx_t>())?;
        context.write(ngx_http_log_ctx_t { connection, ..MaybeUninit::zeroed().assume_init() });
        log.write(ngx_log_t {
            data: context.as_ptr().cast(),
            action: ptr::null_mut(),
            ..*of_client
        });
        Some(log.as_ptr())
    }
}

/// Assigns the requests of a connection to a server: that of the client's request.
///
/// # Safety
///
/// `pool` must be a pool.
unsafe fn server_of(
    pool: *mut ngx_pool_t,
    client: Request<'_>,
) -> Option<*mut ngx_http_connection_t> {
    // SAFETY: the caller's promise; every request has the configuration of a server, and a main
    // request has that of the address where its connection was accepted.
    unsafe {
        let server = ngx_pcalloc(pool, size_of::<ngx_http_connection_t>());
        let server = NonNull::new(server.cast::<ngx_http_connection_t>())?.as_ptr();
        let core = (*(*client.as_raw()).srv_conf.add(ngx_http_core_module.ctx_index))
            .cast::<ngx_http_core_srv_conf_t>();
        (*server).addr_conf = (*(*client.main().as_raw()).http_connection).addr_conf;
        (*server).conf_ctx = (*core).ctx;
        Some(server)
    }
}

/// # Safety
///
/// `pool` must be a pool, `text` a string of nginx's.
unsafe fn copy(pool: *mut ngx_pool_t, text: ngx_str_t) -> Option<ngx_str_t> {
    // SAFETY: the caller's promise.
    unsafe {
        let text = bytes(text);
        let data = copy_bytes(pool, text.as_ptr(), text.len())?;
        Some(ngx_str_t { len: text.len(), data })
    }
}

/// Copies bytes, if there are any; `None` if memory is short.
///
/// # Safety
///
/// `pool` must be a pool; `from` must be null or point to `length` bytes.
unsafe fn copy_bytes(pool: *mut ngx_pool_t, from: *const u8, length: usize) -> Option<*mut u8> {
    if from.is_null() || length == 0 {
        return Some(ptr::null_mut());
    }
    // SAFETY: the caller's promise. Addresses must be aligned, and nginx aligns small allocations.
    unsafe {
        let place = NonNull::new(ngx_pcalloc(pool, length).cast::<u8>())?.as_ptr();
        ptr::copy_nonoverlapping(from, place, length);
        Some(place)
    }
}

/// The counters that `stub_status` shows.
#[derive(Clone, Copy)]
enum Counter {
    /// Open connections: nginx counts down when it closes one, and we count up when we open one.
    Active,
    /// Requests of clients: nginx counts each request that it makes, and we undo that for ours.
    Requests,
}

/// Adds to a counter of nginx, with wrap-around, if nginx has counters.
fn count(counter: Counter, by: usize) {
    // SAFETY: nginx points to a number in memory that all of its processes share and change
    // atomically; this memory lives as long as the processes.
    unsafe {
        let place = place_of(counter);
        if !place.is_null() {
            AtomicUsize::from_ptr(place).fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// The address of a counter, or null. Its symbol is looked up at run time: the nginx that loads a
/// module may be configured otherwise than the headers that the module was built with.
#[cfg(feature = "export-modules")]
unsafe fn place_of(counter: Counter) -> *mut usize {
    use core::ffi::c_char;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const ALL_LIBRARIES: *mut c_void = ptr::null_mut();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const ALL_LIBRARIES: *mut c_void = ptr::without_provenance_mut(usize::MAX - 1);

    unsafe extern "C" {
        fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    }
    let name = match counter {
        Counter::Active => c"ngx_stat_active",
        Counter::Requests => c"ngx_stat_requests",
    };
    // SAFETY: the name ends in NUL; the symbol, if there is one, is that of a pointer.
    unsafe {
        let symbol = dlsym(ALL_LIBRARIES, name.as_ptr()).cast::<*mut usize>();
        symbol.as_ref().map_or(ptr::null_mut(), |place| *place)
    }
}

#[cfg(all(not(feature = "export-modules"), nginx_stat_stub))]
unsafe fn place_of(counter: Counter) -> *mut usize {
    // SAFETY: nginx sets both before it starts a worker.
    let place = unsafe {
        match counter {
            Counter::Active => ngx::ffi::ngx_stat_active,
            Counter::Requests => ngx::ffi::ngx_stat_requests,
        }
    };
    place.cast()
}

#[cfg(all(not(feature = "export-modules"), not(nginx_stat_stub)))]
unsafe fn place_of(_: Counter) -> *mut usize {
    ptr::null_mut()
}
