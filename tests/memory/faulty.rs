//! A library that misuses memory in nginx when it is loaded, as the variable `FAULT` has it: what
//! scripts/check/memory must see, or it sees nothing.

use std::ffi::c_void;
use std::hint::black_box;

unsafe extern "C" {
    fn ngx_create_pool(size: usize, log: *const c_void) -> *mut c_void;
    fn ngx_destroy_pool(pool: *mut c_void);
    fn ngx_palloc(pool: *mut c_void, size: usize) -> *mut u8;
}

/// A log that says nothing: zero is its level.
static LOG: [u64; 64] = [0; 64];

#[used]
#[unsafe(link_section = ".init_array")]
static LOADED: extern "C" fn() = misuse;

extern "C" fn misuse() {
    let fault = std::env::var("FAULT").unwrap_or_default();
    // SAFETY: it is sound but for what is wrong on purpose.
    unsafe {
        let pool = ngx_create_pool(4096, LOG.as_ptr().cast());
        let memory = ngx_palloc(pool, 100);
        ngx_palloc(pool, 100);
        if fault == "beyond its end" {
            memory.add(black_box(100)).write(1);
        }
        ngx_destroy_pool(pool);
        if fault == "after its pool" {
            memory.add(black_box(50)).write(1);
        }
    }
    if fault == "for ever" {
        black_box(Box::leak(Box::new([1u8; 1000])));
    }
}
