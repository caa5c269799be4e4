//! The tables that nginx reads, and the functions that it calls: each finds its configuration and
//! request, and runs a safe function of the modules below, guarded.

use core::ffi::{c_char, c_void};
use core::ptr;

use ngx::ffi::{
    NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MODULE, ngx_command_t, ngx_conf_t, ngx_http_module_t,
    ngx_http_output_header_filter_pt, ngx_http_request_t, ngx_http_top_header_filter,
    ngx_http_variable_value_t, ngx_int_t, ngx_module_t, ngx_str_t, ngx_uint_t,
};

use crate::conf::{LocationConf, MainConf};
use crate::directives::{ConfError, DIRECTIVES, Directive};
use crate::fence::conf::{self, Conf, FAILED};
use crate::fence::guard::{guard, silence_panics};
use crate::fence::log::Level;
use crate::fence::request::{self, Request};
use crate::fence::variable::{self, Value};
use crate::fence::{ERROR, OK};
use crate::variables::{VARIABLES, Variable};
use crate::{keys, respond};

/// The module, under the name that nginx's own build looks for.
#[unsafe(no_mangle)]
static mut ngx_http_ojwt_module: ngx_module_t = ngx_module_t {
    ctx: &raw const CONTEXT as *mut c_void,
    commands: (&raw mut COMMANDS).cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    ..ngx_module_t::default()
};

/// What nginx reads of a dynamic module: the modules, their names, and where they go.
#[cfg(feature = "export-modules")]
mod exports {
    use super::{c_char, ngx_http_ojwt_module, ngx_module_t, ptr};

    #[unsafe(no_mangle)]
    static mut ngx_modules: [*const ngx_module_t; 2] =
        [&raw const ngx_http_ojwt_module, ptr::null()];

    #[unsafe(no_mangle)]
    static mut ngx_module_names: [*const c_char; 2] =
        [c"ngx_http_ojwt_module".as_ptr(), ptr::null()];

    /// Before the headers filter, which runs earlier for that: `add_header` may be the first to
    /// ask for an outcome, and the cookie filter comes to know of it.
    #[unsafe(no_mangle)]
    static mut ngx_module_order: [*const c_char; 3] =
        [c"ngx_http_ojwt_module".as_ptr(), c"ngx_http_headers_filter_module".as_ptr(), ptr::null()];
}

static CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(preconfiguration),
    postconfiguration: Some(postconfiguration),
    create_main_conf: Some(create_main_conf),
    init_main_conf: None,
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: Some(create_location_conf),
    merge_loc_conf: Some(merge_location_conf),
};

static mut COMMANDS: [ngx_command_t; DIRECTIVES.len() + 1] = commands();

/// The header filter that comes after ours.
static mut NEXT_HEADER_FILTER: ngx_http_output_header_filter_pt = None;

#[allow(clippy::indexing_slicing)] // Evaluated when compiled.
const fn commands() -> [ngx_command_t; DIRECTIVES.len() + 1] {
    let end = ngx_command_t {
        name: ngx_str_t { len: 0, data: ptr::null_mut() },
        type_: 0,
        set: None,
        conf: 0,
        offset: 0,
        post: ptr::null_mut(),
    };
    let mut commands = [end; DIRECTIVES.len() + 1];
    let mut index = 0;
    while index < DIRECTIVES.len() {
        commands[index] = ngx_command_t {
            name: conf::name(DIRECTIVES[index].name),
            type_: DIRECTIVES[index].usage as ngx_uint_t,
            set: Some(set_directive),
            conf: NGX_HTTP_LOC_CONF_OFFSET,
            // nginx does not look at it; it tells `set_directive` which one this is.
            offset: index,
            ..end
        };
        index += 1;
    }
    commands
}

/// The slot of this module in the arrays of contexts and configurations.
fn context_index() -> usize {
    // SAFETY: nginx writes it once, before it calls anything here, in a single thread.
    unsafe { ngx_http_ojwt_module.ctx_index }
}

unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    guard(ERROR, || {
        silence_panics();
        request::set_module(context_index());
        for (index, variable) in VARIABLES.iter().enumerate() {
            // SAFETY: nginx is reading the configuration `cf`.
            let registered =
                unsafe { variable::register(cf, variable.name, Some(get_variable), index) };
            if registered.is_none() {
                return ERROR;
            }
        }
        OK
    })
}

unsafe extern "C" fn postconfiguration(_cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: nginx builds the chain of filters anew for each configuration, in a single thread,
    // and no request runs meanwhile.
    unsafe {
        NEXT_HEADER_FILTER = ngx_http_top_header_filter;
        ngx_http_top_header_filter = Some(filter_header);
    }
    OK
}

unsafe extern "C" fn create_main_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        // SAFETY: nginx is reading the configuration `cf`.
        let Some(cf) = (unsafe { Conf::from_raw(cf) }) else { return ptr::null_mut() };
        match keys::embedded() {
            Ok(keys) => cf.own(MainConf { embedded_keys: keys.into() }).cast(),
            Err(error) => {
                let message = format!("the public key embedded in the ojwt module: {error}");
                cf.log(Level::Emerg, &message);
                ptr::null_mut()
            }
        }
    })
}

unsafe extern "C" fn create_location_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        // SAFETY: nginx is reading the configuration `cf`.
        let cf = unsafe { Conf::from_raw(cf) };
        cf.map_or(ptr::null_mut(), |cf| cf.own(LocationConf::default()).cast())
    })
}

unsafe extern "C" fn merge_location_conf(
    cf: *mut ngx_conf_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_char {
    guard(FAILED, || {
        // SAFETY: nginx is reading the configuration `cf`; both levels were made by
        // `create_location_conf`, are two, and nobody else looks at them now.
        let parts = unsafe {
            (
                Conf::from_raw(cf).and_then(|cf| cf.main_conf::<MainConf>(context_index())),
                outer.cast::<LocationConf>().as_mut(),
                inner.cast::<LocationConf>().as_mut(),
            )
        };
        let (Some(main), Some(outer), Some(inner)) = parts else { return FAILED };
        inner.merge(outer, main);
        ptr::null_mut()
    })
}

unsafe extern "C" fn set_directive(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guard(FAILED, || {
        // SAFETY: nginx is reading the configuration `cf` and hands the command of the directive
        // and the level that it stands in, which `create_location_conf` made.
        let parts =
            unsafe { (Conf::from_raw(cf), command.as_ref(), conf.cast::<LocationConf>().as_mut()) };
        let (Some(cf), Some(command), Some(conf)) = parts else { return FAILED };
        let Some(Directive { set, .. }) = DIRECTIVES.get(command.offset) else { return FAILED };
        match set(cf, conf) {
            Ok(()) => ptr::null_mut(),
            Err(ConfError(message)) => {
                cf.log(Level::Emerg, &message);
                FAILED
            }
        }
    })
}

unsafe extern "C" fn get_variable(
    request: *mut ngx_http_request_t,
    slot: *mut ngx_http_variable_value_t,
    index: usize,
) -> ngx_int_t {
    let Some(Variable { evaluate, on_fault, .. }) = VARIABLES.get(index) else {
        return ERROR;
    };
    let value = guard(Value::Text(on_fault.as_bytes()), || {
        // SAFETY: nginx is handling the request, which has a configuration of this module.
        let found = unsafe {
            Request::from_raw(request)
                .and_then(|request| Some((request, request.location_conf::<LocationConf>()?)))
        };
        match found {
            Some((request, conf)) => evaluate(request, conf),
            None => Value::Text(on_fault.as_bytes()),
        }
    });
    // SAFETY: nginx wants the value in `slot`; what it points to lives as long as the request.
    unsafe { value.store(slot) };
    OK
}

unsafe extern "C" fn filter_header(request: *mut ngx_http_request_t) -> ngx_int_t {
    guard((), || {
        // SAFETY: nginx is handling the request, which has a configuration of this module.
        let found = unsafe {
            Request::from_raw(request)
                .and_then(|request| Some((request, request.location_conf::<LocationConf>()?)))
        };
        if let Some((request, conf)) = found {
            respond::set_cookie(request, conf);
        }
    });
    // SAFETY: the filter was set when ours was put before it; it takes the request that we got.
    unsafe { NEXT_HEADER_FILTER.map_or(ERROR, |next| next(request)) }
}
