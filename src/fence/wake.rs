//! Waking a request that waits for something that happens elsewhere.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use ngx::ffi::{
    ngx_event_t, ngx_http_finalize_request, ngx_http_post_request, ngx_http_request_t,
    ngx_http_run_posted_requests, ngx_posted_events, ngx_queue_insert_before, ngx_queue_remove,
};

use super::guard::guard;
use super::request::Request;
use super::status::{INTERNAL_SERVER_ERROR, OK};

/// Resumes a request that a phase handler left waiting, in the next iteration of the event loop.
///
/// Keep a waker no longer than its request. Once the waker is dropped, the request is not woken.
pub(crate) struct Waker(NonNull<Inner>);

struct Inner {
    event: UnsafeCell<ngx_event_t>,
    request: *mut ngx_http_request_t,
    is_posted: Cell<bool>,
}

impl Waker {
    /// A waker of this request.
    pub(crate) fn new(request: Request<'_>) -> Self {
        let inner = Inner {
            // SAFETY: an event is made of pointers, numbers and flags, of which zero means none.
            event: UnsafeCell::new(unsafe { MaybeUninit::zeroed().assume_init() }),
            request: request.as_raw(),
            is_posted: Cell::new(false),
        };
        let inner = NonNull::from(Box::leak(Box::new(inner)));
        // SAFETY: the box is ours until it is dropped; the connection's log lives as long as the
        // request.
        unsafe {
            let event = inner.as_ref().event.get();
            (*event).data = inner.as_ptr().cast();
            (*event).handler = Some(woken);
            (*event).log = (*(*request.as_raw()).connection).log;
        }
        Self(inner)
    }

    /// Wakes the request; idempotent until the request runs.
    pub(crate) fn wake(&self) {
        // SAFETY: the box lives as long as `self`. nginx's queue of events is ready in a worker,
        // and the event is in no queue.
        unsafe {
            let inner = self.0.as_ref();
            if !inner.is_posted.replace(true) {
                let node = &raw mut (*inner.event.get()).queue;
                ngx_queue_insert_before(&raw mut ngx_posted_events, node);
            }
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // SAFETY: the box is ours; the event is in the queue if `wake` put it there and `woken`
        // does not say otherwise.
        unsafe {
            let inner = Box::from_raw(self.0.as_ptr());
            if inner.is_posted.get() {
                ngx_queue_remove(&raw mut (*inner.event.get()).queue);
            }
        }
    }
}

unsafe extern "C" fn woken(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: nginx took the event out of its queue to call its handler; `data` is the waker's,
        // which lives as long as its request. Running the posted requests may end both.
        unsafe {
            let inner = (*event).data.cast::<Inner>();
            (*inner).is_posted.set(false);
            let request = (*inner).request;
            let connection = (*request).connection;
            if ngx_http_post_request(request, ptr::null_mut()) != OK {
                ngx_http_finalize_request(request, INTERNAL_SERVER_ERROR);
            }
            ngx_http_run_posted_requests(connection);
        }
    });
}
