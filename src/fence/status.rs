//! The return codes of functions that nginx calls or offers.

use ngx::ffi::{NGX_AGAIN, NGX_DECLINED, NGX_DONE, NGX_ERROR, ngx_int_t};

pub(crate) const OK: ngx_int_t = 0;
pub(crate) const ERROR: ngx_int_t = NGX_ERROR as ngx_int_t;
pub(crate) const AGAIN: ngx_int_t = NGX_AGAIN as ngx_int_t;
pub(crate) const DECLINED: ngx_int_t = NGX_DECLINED as ngx_int_t;
pub(crate) const DONE: ngx_int_t = NGX_DONE as ngx_int_t;
pub(crate) const INTERNAL_SERVER_ERROR: ngx_int_t = 500;
