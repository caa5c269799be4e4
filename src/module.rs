//! The tables that nginx reads, and the functions that it calls: each finds its configuration and
//! request, and runs a safe function of the modules below, guarded.

use core::ffi::{CStr, c_char, c_void};
use core::ptr;

use ngx::ffi::{
    NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MODULE, ngx_chain_t, ngx_command_t, ngx_conf_t, ngx_cycle_t,
    ngx_http_handler_pt, ngx_http_module_t, ngx_http_output_body_filter_pt,
    ngx_http_output_header_filter_pt, ngx_http_request_t, ngx_http_top_body_filter,
    ngx_http_top_header_filter, ngx_http_variable_value_t, ngx_int_t, ngx_module_t, ngx_str_t,
    ngx_uint_t,
};

use crate::answer::access::{self, Decision};
use crate::answer::respond;
use crate::answer::variables::{self, Evaluate, VARIABLES, Variable};
use crate::config::advice;
use crate::config::directives::{
    ConfError, DIRECTIVES, Directive, MAX_NAME, Set, check_name, is_shared_name, second_name,
};
use crate::config::location::LocationConf;
use crate::config::main_conf::{MainConf, NamedValue};
use crate::config::names;
use crate::config::settings::Phase;
use crate::fence::conf::{
    self, ACCESS_PHASE, Conf, FAILED, Owner, PREACCESS_PHASE, REWRITE_PHASE, SERVER_REWRITE_PHASE,
};
use crate::fence::guard::{guard, silence_panics};
use crate::fence::log::Level;
use crate::fence::printable;
use crate::fence::request::{self, Module, Request, Types};
use crate::fence::status::{DECLINED, DONE, ERROR, INTERNAL_SERVER_ERROR, OK};
use crate::fence::variable::{self, Name, Value};
use crate::fence::worker::Cycle;
use crate::gate::fetch::Readiness;
use crate::gate::judge;
use crate::gate::outcome::{Remembered, Visit};
use crate::keys::files;
use crate::keys::sources::LocatorWord;

/// The module, under the name that nginx's own build looks for; a dynamic module is found by its
/// tables.
#[cfg_attr(not(feature = "export-modules"), unsafe(no_mangle))]
#[allow(non_upper_case_globals)]
static mut ngx_http_ojwt_module: ngx_module_t = ngx_module_t {
    ctx: &raw const CONTEXT as *mut c_void,
    commands: (&raw mut COMMANDS).cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    init_module: Some(init_module),
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

    /// This module stands before the filter of `gunzip`, if there is one, so that `gunzip` runs
    /// earlier and an answer with keys arrives inflated. This module also stands before the headers
    /// filter, so that that filter runs earlier as well: `add_header` may be the first to ask for
    /// an outcome, which the cookie filter must then know.
    #[unsafe(no_mangle)]
    static mut ngx_module_order: [*const c_char; 4] = [
        c"ngx_http_ojwt_module".as_ptr(),
        c"ngx_http_gunzip_filter_module".as_ptr(),
        c"ngx_http_headers_filter_module".as_ptr(),
        ptr::null(),
    ];
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

static mut COMMANDS: [ngx_command_t; 2 * DIRECTIVES.len() + 1] = commands();

/// The second names of directives, where they have one.
static SECOND_NAMES: [Option<[u8; MAX_NAME]>; DIRECTIVES.len()] = second_names();

/// The header filter that comes after ours.
static mut NEXT_HEADER_FILTER: ngx_http_output_header_filter_pt = None;

/// The body filter that comes after ours.
static mut NEXT_BODY_FILTER: ngx_http_output_body_filter_pt = None;

#[allow(clippy::indexing_slicing)] // Evaluated when compiled.
const fn second_names() -> [Option<[u8; MAX_NAME]>; DIRECTIVES.len()] {
    let mut names = [None; DIRECTIVES.len()];
    let mut index = 0;
    while index < DIRECTIVES.len() {
        names[index] = second_name(DIRECTIVES[index].name);
        index += 1;
    }
    names
}

#[allow(clippy::indexing_slicing)] // Evaluated when compiled.
const fn commands() -> [ngx_command_t; 2 * DIRECTIVES.len() + 1] {
    // nginx reads the table up to one without a name.
    let end = ngx_command_t {
        name: ngx_str_t { len: 0, data: ptr::null_mut() },
        type_: 0,
        set: None,
        conf: 0,
        offset: 0,
        post: ptr::null_mut(),
    };
    let mut commands = [end; 2 * DIRECTIVES.len() + 1];
    let (mut index, mut count) = (0, 0);
    while index < DIRECTIVES.len() {
        let command = ngx_command_t {
            name: conf::name(DIRECTIVES[index].name),
            type_: DIRECTIVES[index].usage as ngx_uint_t,
            set: Some(set_directive),
            conf: NGX_HTTP_LOC_CONF_OFFSET,
            // nginx ignores the offset, which tells `set_directive` which directive this is.
            offset: index,
            ..end
        };
        commands[count] = command;
        count += 1;
        if let Some(name) = &SECOND_NAMES[index]
            && let Ok(name) = CStr::from_bytes_until_nul(name)
        {
            commands[count] = ngx_command_t { name: conf::name(name), ..command };
            count += 1;
        }
        index += 1;
    }
    commands
}

// SAFETY: the functions of `CONTEXT` make these, and nothing else.
unsafe impl Types for Module {
    type Main = MainConf;
    type Location = LocationConf;
    type Remembered = Remembered;
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
        // SAFETY: nginx is reading the configuration `cf`; nobody else looks at the main one now.
        let parts = unsafe {
            let cf = Conf::from_raw(cf);
            (cf, cf.and_then(|cf| cf.main_conf::<MainConf>(context_index())))
        };
        let (Some(cf), Some(main)) = parts else { return ERROR };
        // By now all modules are loaded.
        main.rival = cf.foreign_directive(&raw const ngx_http_ojwt_module, is_shared_name);
        let mut variables = VARIABLES.iter().enumerate();
        let registered = variables
            .try_for_each(|(index, variable)| register(cf, &variable.own_name(), index, variable));
        registered.map_or(ERROR, |()| OK)
    })
}

/// Registers a variable under a name; `None` if nginx refuses the name, and logs why.
fn register(cf: Conf<'_>, name: &str, index: usize, variable: &Variable) -> Option<()> {
    let (handler, kind) = handler(index, variable);
    // SAFETY: the handler is one for variables of that kind.
    unsafe { cf.add_variable(name.as_bytes(), Some(handler), kind) }
}

fn handler(index: usize, variable: &Variable) -> (Handler, Name) {
    match variable.evaluate {
        Evaluate::Plain(_) => (get_variable, Name::Whole(index)),
        Evaluate::Named(_) => (get_named_variable, Name::Prefix),
    }
}

/// Registers variables under the names that other modules may have, once all others have registered
/// theirs: a variable of another module stays as it is. Returns the names that are not ours.
///
/// nginx looks up the names that the configuration uses only after this.
fn register_shared_variables(cf: Conf<'_>, main: &MainConf) -> Option<Vec<&'static str>> {
    let mut foreign = Vec::new();
    for (index, variable) in VARIABLES.iter().enumerate() {
        if !variable.is_shared() {
            continue;
        }
        let (name, kind) = (variable.name, handler(index, variable).1);
        match cf.owner_of_variable(name.as_bytes(), kind) {
            Owner::Nobody if main.rival.is_none() || main.used.directives => {
                register(cf, name, index, variable)?;
            }
            // A `set` in one place is not meant to take the variable from all other places.
            Owner::Set if main.rival.is_none() => {
                cf.log(Level::Emerg, &format!("the duplicate \"{name}\" variable"));
                return None;
            }
            owner => {
                if owner == Owner::Module && main.rival.is_none() {
                    let message = format!(
                        "variable \"${name}\" is defined elsewhere: what a token says is in \"${}\"",
                        variable.own_name()
                    );
                    cf.log(Level::Warn, &message);
                }
                foreign.push(name);
            }
        }
    }
    Some(foreign)
}

unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    guard(ERROR, || {
        // SAFETY: nginx builds the chains of filters and the phases for each configuration, in
        // a single thread, and no request runs meanwhile; nobody else looks at the main
        // configuration now.
        unsafe {
            let Some(cf) = Conf::from_raw(cf) else { return ERROR };
            let Some(main) = cf.main_conf::<MainConf>(context_index()) else { return ERROR };
            let Some(foreign) = register_shared_variables(cf, main) else { return ERROR };
            let is_foreign = |name: &[u8]| foreign.iter().any(|foreign| is_of(name, foreign));
            if compile_locators(cf, main, is_foreign).is_none() {
                return ERROR;
            }
            main.used.variables =
                variables::used(cf.used_variables(), &main.named_values, is_foreign);
            advice::of_all(cf, main);
            NEXT_HEADER_FILTER = ngx_http_top_header_filter;
            ngx_http_top_header_filter = Some(filter_header);
            let mut handlers: Vec<(usize, ngx_http_handler_pt)> =
                vec![(PREACCESS_PHASE, Some(preaccess)), (ACCESS_PHASE, Some(access))];
            // What no directive asks for must not cost a request anything.
            if main.used.key_requests {
                main.stores.requests.know_hosts(cf.server_names());
                NEXT_BODY_FILTER = ngx_http_top_body_filter;
                ngx_http_top_body_filter = Some(filter_body);
                handlers.extend([SERVER_REWRITE_PHASE, REWRITE_PHASE].map(|phase| {
                    let handler: ngx_http_handler_pt = Some(rewrite);
                    (phase, handler)
                }));
            }
            // What is added last runs first.
            handlers.push((SERVER_REWRITE_PHASE, Some(redact)));
            let added = handlers
                .into_iter()
                .try_for_each(|(phase, handler)| cf.add_handler(phase, handler));
            added.map_or(ERROR, |()| OK)
        }
    })
}

/// Compiles the locators of keys again, now that all variables that show a token have names; `None`
/// if memory is short. Names for which `is_foreign` is true belong to other modules.
///
/// # Safety
///
/// Call it in the postconfiguration, with the module's main configuration.
unsafe fn compile_locators(
    cf: Conf<'_>,
    main: &mut MainConf,
    is_foreign: impl Fn(&[u8]) -> bool,
) -> Option<()> {
    let named = &main.named_values;
    let shows_token = |name: &[u8]| variables::shows_token(name, named, &is_foreign);
    for LocatorWord { locator, word } in main.locators.drain(..) {
        let (value, text) = match locator.without_token {
            None => (locator.value, variables::with_token_encoded(&word, shows_token)),
            Some(value) => (value, variables::without_token(&word, shows_token)),
        };
        if let Some(text) = text {
            // SAFETY: the configuration is being read, and the locator is one of its own.
            unsafe { cf.compile_anew(value, &text) }?;
        }
    }
    Some(())
}

/// Whether a name is that of a variable, or begins with its prefix.
fn is_of(name: &[u8], variable: &str) -> bool {
    name == variable.as_bytes() || variable.ends_with('_') && name.starts_with(variable.as_bytes())
}

/// nginx calls this when it has read the whole configuration.
unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guard(OK, || {
        // SAFETY: nginx hands the cycle that it is making; nobody else looks at the main
        // configuration.
        let parts = unsafe {
            let cycle = Cycle::from_raw(cycle);
            (cycle, cycle.and_then(|cycle| cycle.main_conf::<MainConf>(context_index())))
        };
        if let (Some(cycle), Some(main)) = parts
            && let Some(worker) = cycle.worker()
        {
            for warning in advice::of_files(&worker, main) {
                cycle.warn(&warning);
            }
        }
        OK
    })
}

unsafe extern "C" fn create_main_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        // SAFETY: nginx is reading the configuration `cf`.
        let Some(cf) = (unsafe { Conf::from_raw(cf) }) else { return ptr::null_mut() };
        let Some(folder) = cf.folder() else { return ptr::null_mut() };
        match files::embedded() {
            Ok((keys, warnings)) => {
                for warning in warnings {
                    let message = format!("the public key embedded in the ojwt module: {warning}");
                    cf.log(Level::Warn, &message);
                }
                cf.own(MainConf::new(keys, folder)).cast()
            }
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
            let cf = Conf::from_raw(cf);
            (
                cf,
                cf.and_then(|cf| cf.main_conf::<MainConf>(context_index())),
                outer.cast::<LocationConf>().as_mut(),
                inner.cast::<LocationConf>().as_mut(),
            )
        };
        let (Some(cf), Some(main), Some(outer), Some(inner)) = parts else { return FAILED };
        if let Some([inner, outer]) = inner.mixed_keys(outer) {
            let message = format!(
                "\"{inner}\" does not replace the \"{outer}\" of the level around it: the keys of both \
                 count; repeat the latter to say so"
            );
            cf.log(Level::Warn, &message);
        }
        inner.merge(outer, main);
        main.note_arguments(inner.sources());
        advice::of_level(cf, inner, main);
        if !main.has_warned && inner.trusts_a_public_key() {
            main.has_warned = true;
            cf.log(
                Level::Warn,
                "\"auth_jwt_type encrypted\" with an RSA key: anyone who has its public key can make \
                 a token; \"nested\" asks for a signature, too",
            );
        }
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
        // SAFETY: as above; it is another object than the level.
        let Some(main) = (unsafe { cf.main_conf::<MainConf>(context_index()) }) else {
            return FAILED;
        };
        main.used.directives = true;
        let checked = main.rival.as_ref().map_or(Ok(()), |rival| check_name(cf, rival));
        let result = checked.and_then(|()| match set {
            Set::Level(set) => set(cf, conf),
            Set::Shared(set) => set(cf, conf, main),
            Set::Variable(read) => read(cf).and_then(|named| add_named_value(cf, main, named)),
        });
        match result {
            Ok(()) => ptr::null_mut(),
            Err(ConfError(message)) => {
                cf.log(Level::Emerg, &message);
                FAILED
            }
        }
    })
}

/// Registers the variable of a named value, and keeps where its value is found.
fn add_named_value(cf: Conf<'_>, main: &mut MainConf, named: NamedValue) -> Result<(), ConfError> {
    let refused = || ConfError(format!("variable \"${}\"", printable(&named.variable)));
    let index = Name::Whole(main.named_values.len());
    // SAFETY: the handler is one for variables.
    unsafe {
        cf.add_variable(&named.variable, Some(get_named_value), index).ok_or_else(refused)?;
    }
    main.named_values.push(named);
    Ok(())
}

/// A function that nginx calls for the value of a variable.
type Handler = unsafe extern "C" fn(
    *mut ngx_http_request_t,
    *mut ngx_http_variable_value_t,
    usize,
) -> ngx_int_t;

unsafe extern "C" fn get_variable(
    request: *mut ngx_http_request_t,
    slot: *mut ngx_http_variable_value_t,
    index: usize,
) -> ngx_int_t {
    let Some(Variable { evaluate: Evaluate::Plain(evaluate), on_fault, .. }) = VARIABLES.get(index)
    else {
        return ERROR;
    };
    // SAFETY: nginx is handling the request, and wants the value in `slot`.
    unsafe { store(request, slot, on_fault, evaluate) }
}

unsafe extern "C" fn get_named_variable(
    request: *mut ngx_http_request_t,
    slot: *mut ngx_http_variable_value_t,
    name: usize,
) -> ngx_int_t {
    // SAFETY: nginx calls the handler of a prefix with the name that was asked for.
    let asked = unsafe { variable::asked_name(name) };
    let named = VARIABLES.iter().find_map(|variable| match variable.evaluate {
        Evaluate::Named(evaluate) => {
            let end = names::first_name(asked).strip_prefix(variable.name.as_bytes())?;
            Some((evaluate, core::str::from_utf8(end).ok()?))
        }
        Evaluate::Plain(_) => None,
    });
    // SAFETY: nginx is handling the request, and wants the value in `slot`.
    unsafe {
        store(request, slot, "", |visit, conf| match named {
            Some((evaluate, name)) => evaluate(visit, conf, name),
            None => Value::Missing,
        })
    }
}

unsafe extern "C" fn get_named_value(
    request: *mut ngx_http_request_t,
    slot: *mut ngx_http_variable_value_t,
    index: usize,
) -> ngx_int_t {
    // SAFETY: nginx is handling the request, which has a main configuration of this module, and
    // wants the value in `slot`.
    unsafe {
        store(request, slot, "", |visit, conf| {
            let main = visit.request.main_conf();
            match main.and_then(|main| main.named_values.get(index)) {
                Some(named) => variables::named_value(visit, conf, named),
                None => Value::Missing,
            }
        })
    }
}

/// Stores the value of a variable where nginx wants it.
///
/// # Safety
///
/// The arguments are those of a variable's handler, which is running.
unsafe fn store(
    request: *mut ngx_http_request_t,
    slot: *mut ngx_http_variable_value_t,
    on_fault: &'static str,
    evaluate: impl for<'r> FnOnce(&Visit<'r>, &'r LocationConf) -> Value<'r>,
) -> ngx_int_t {
    let fault = Value::Text(on_fault.as_bytes());
    let value = guard(fault, || {
        // SAFETY: the caller's promise.
        match unsafe { at_hand(request) } {
            Some((visit, conf)) => evaluate(&visit, conf),
            None => fault,
        }
    });
    // SAFETY: the caller's promise; what the value points to lives as long as the request.
    unsafe { value.store(slot) };
    OK
}

/// The server rewrite phase, before nginx's own rewrite module: what nginx logs from here on is
/// redacted.
unsafe extern "C" fn redact(request: *mut ngx_http_request_t) -> ngx_int_t {
    guard(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx is handling the request.
        match unsafe { Request::from_raw(request) }.map(judge::redact_log) {
            Some(Ok(())) => DECLINED,
            Some(Err(_)) | None => INTERNAL_SERVER_ERROR,
        }
    })
}

/// The rewrite phases, before nginx's own rewrite module.
unsafe extern "C" fn rewrite(request: *mut ngx_http_request_t) -> ngx_int_t {
    guard(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx is handling the request, which has configurations of this module.
        let Some((visit, conf)) = (unsafe { at_hand(request) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        let Some(main) = visit.request.main_conf() else { return INTERNAL_SERVER_ERROR };
        match access::prefetch(&visit, conf, main.used.variables) {
            Readiness::Ready => DECLINED,
            Readiness::Waiting => DONE,
        }
    })
}

/// The phase before the access phase: other modules may still refuse a request that passes here.
unsafe extern "C" fn preaccess(request: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx is handling the request.
    unsafe { answer(request, Phase::Preaccess) }
}

/// The access phase.
unsafe extern "C" fn access(request: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx is handling the request.
    unsafe { answer(request, Phase::Access) }
}

/// What a phase returns to nginx; any fault denies.
///
/// # Safety
///
/// `request` must be null or a request that nginx is handling.
unsafe fn answer(request: *mut ngx_http_request_t, phase: Phase) -> ngx_int_t {
    guard(INTERNAL_SERVER_ERROR, || {
        // SAFETY: the caller's promise.
        let Some((visit, conf)) = (unsafe { at_hand(request) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        match access::decide(&visit, conf, phase) {
            Decision::Declined => DECLINED,
            Decision::Pass => OK,
            Decision::Wait => DONE,
            Decision::Refuse(status) => {
                ngx_int_t::try_from(status).unwrap_or(INTERNAL_SERVER_ERROR)
            }
        }
    })
}

unsafe extern "C" fn filter_header(request: *mut ngx_http_request_t) -> ngx_int_t {
    guard((), || {
        // SAFETY: nginx is handling the request.
        if let Some((visit, conf)) = unsafe { at_hand(request) } {
            respond::set_cookie(&visit, conf);
        }
    });
    // SAFETY: the filter was set when ours was put before it; it takes the request that we got.
    unsafe { NEXT_HEADER_FILTER.map_or(ERROR, |next| next(request)) }
}

unsafe extern "C" fn filter_body(
    request: *mut ngx_http_request_t,
    chain: *mut ngx_chain_t,
) -> ngx_int_t {
    let capture = guard(Err(()), || {
        // SAFETY: nginx is handling the request.
        Ok(unsafe { Request::from_raw(request) }.and_then(Request::capture))
    });
    match capture {
        // SAFETY: the filter was set when ours was put before it; it takes what we got.
        Ok(None) => unsafe { NEXT_BODY_FILTER.map_or(ERROR, |next| next(request, chain)) },
        Ok(Some(capture)) => guard(ERROR, || {
            // SAFETY: `chain` is what nginx hands to a body filter.
            let is_wanted = unsafe { capture.take(chain) };
            if is_wanted { OK } else { ERROR }
        }),
        Err(()) => ERROR,
    }
}

/// The visit of a request, and this module's configuration of the location that it is in.
///
/// # Safety
///
/// `request` must be null or a request that nginx is handling, for all of `'r`.
unsafe fn at_hand<'r>(request: *mut ngx_http_request_t) -> Option<(Visit<'r>, &'r LocationConf)> {
    // SAFETY: the caller's promise; every location has a configuration of this module.
    unsafe {
        let request = Request::from_raw(request)?;
        Some((Visit::new(request), request.location_conf()?))
    }
}
