//! The embedded public key, and what the nginx headers say: nothing else.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The key that is embedded when `OJWT_PUBLIC_KEY` is not set, if it exists.
const DEFAULT_KEY: &str = "keys/public_key.pem";

/// The fields that `src/fence` touches, by type.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "ngx_http_request_t",
        &[
            "connection",
            "ctx",
            "main_conf",
            "loc_conf",
            "pool",
            "headers_in",
            "headers_out",
            "args",
            "unparsed_uri",
            "http_version",
            "http_protocol",
            "http_connection",
            "uri",
            "phase_handler",
            "log_handler",
            "main",
            "parent",
            "request_body",
            "srv_conf",
            "variables",
            "read_event_handler",
            "write_event_handler",
            "post_subrequest",
            "request_line",
            "headers_in.headers",
            "headers_in.authorization",
            "headers_in.referer",
            "headers_in.host",
            "headers_in.server",
            "headers_in.content_length_n",
            "headers_in.keep_alive_n",
            "headers_out.headers",
            "headers_out.status",
            "headers_out.content_encoding",
            "headers_out.www_authenticate",
        ],
    ),
    (
        "ngx_connection_t",
        &[
            "data",
            "read",
            "write",
            "recv",
            "send",
            "recv_chain",
            "send_chain",
            "listening",
            "log",
            "pool",
            "type",
            "sockaddr",
            "socklen",
            "addr_text",
            "local_sockaddr",
            "local_socklen",
            "buffer",
            "number",
            "start_time",
        ],
    ),
    ("ngx_http_connection_t", &["addr_conf", "conf_ctx"]),
    ("ngx_http_log_ctx_t", &["connection", "request", "current_request"]),
    ("ngx_http_core_srv_conf_t", &["server_names", "ctx"]),
    ("ngx_http_server_name_t", &["name"]),
    ("ngx_os_io_t", &["recv", "recv_chain", "send", "send_chain"]),
    ("ngx_list_part_t", &["elts", "nelts", "next"]),
    ("ngx_table_elt_t", &["hash", "key", "value", "lowcase_key"]),
    ("ngx_str_t", &["len", "data"]),
    ("ngx_pool_t", &["cleanup", "log"]),
    ("ngx_pool_cleanup_t", &["handler", "data", "next"]),
    ("ngx_log_t", &["log_level", "handler", "data", "action", "next"]),
    ("ngx_cycle_t", &["log", "connection_n", "modules", "conf_ctx"]),
    ("ngx_core_conf_t", &["master", "username", "user", "group"]),
    ("ngx_time_t", &["sec"]),
    ("ngx_array_t", &["elts", "nelts"]),
    ("ngx_conf_t", &["args", "cycle", "pool", "conf_file", "log", "ctx"]),
    ("ngx_conf_file_t", &["file", "line"]),
    ("ngx_file_t", &["name"]),
    ("ngx_http_conf_ctx_t", &["main_conf", "srv_conf"]),
    (
        "ngx_http_core_main_conf_t",
        &[
            "phases",
            "phase_engine.handlers",
            "servers",
            "variables",
            "variables_keys",
            "prefix_variables",
        ],
    ),
    ("ngx_http_phase_handler_t", &["checker"]),
    ("ngx_hash_keys_arrays_t", &["keys"]),
    ("ngx_hash_key_t", &["key", "value"]),
    ("ngx_http_compile_complex_value_t", &["cf", "value", "complex_value"]),
    ("ngx_http_complex_value_t", &["value", "flushes"]),
    ("ngx_http_variable_t", &["name", "get_handler", "data", "flags"]),
    ("ngx_http_post_subrequest_t", &["handler", "data"]),
    ("ngx_event_t", &["data", "handler", "log", "timer", "queue"]),
    ("ngx_chain_t", &["buf", "next"]),
    ("ngx_buf_t", &["pos", "last", "file_pos", "file_last", "file", "num"]),
    ("ngx_http_variable_value_t", &["data"]),
    ("ngx_command_t", &["name", "type", "set", "conf", "offset", "post"]),
    (
        "ngx_module_t",
        &[
            "ctx_index",
            "index",
            "name",
            "version",
            "signature",
            "ctx",
            "commands",
            "type",
            "init_module",
        ],
    ),
    (
        "ngx_http_module_t",
        &[
            "preconfiguration",
            "postconfiguration",
            "create_main_conf",
            "create_loc_conf",
            "merge_loc_conf",
        ],
    ),
];

/// The constant that is there where nginx counts what `stub_status` shows.
const HAS_STAT_STUB: &str = "OJWT_HAS_STAT_STUB";

/// Fields that only an nginx with regular expressions has.
const PCRE_FIELDS: &[(&str, &[&str])] =
    &[("ngx_http_request_t", &["captures", "ncaptures", "captures_data"])];

/// Fields that only an nginx with TLS has.
const SSL_FIELDS: &[(&str, &[&str])] = &[("ngx_connection_t", &["ssl"])];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    embed_key(&out_dir)?;
    prove_layout(&out_dir)
}

/// Writes `embedded_key.rs`: an `Option<&[u8]>` with the file that `OJWT_PUBLIC_KEY` names.
fn embed_key(out_dir: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=OJWT_PUBLIC_KEY");
    let file = match env::var("OJWT_PUBLIC_KEY") {
        Ok(named) if named.is_empty() => None,
        Ok(named) => Some(PathBuf::from(named)),
        Err(_) => {
            // The folder is always there; a file that is missing would count as changed.
            println!("cargo::rerun-if-changed=keys");
            Some(PathBuf::from(DEFAULT_KEY)).filter(|file| file.exists())
        }
    };
    let expression = match file {
        None => "None".to_owned(),
        Some(file) => {
            println!("cargo::rerun-if-changed={}", file.display());
            let key = fs::read(&file).map_err(|error| {
                format!("the key to embed, {}, cannot be read: {error}", file.display())
            })?;
            if String::from_utf8_lossy(&key).contains("PRIVATE KEY") {
                let message = format!(
                    "the key to embed, {}, is a private key: it must never leave its owner",
                    file.display()
                );
                return Err(message.into());
            }
            format!("Some(&{key:?})")
        }
    };
    fs::write(out_dir.join("embedded_key.rs"), expression)?;
    Ok(())
}

/// Writes `layout.rs`: for each field an assertion that Rust and C place it alike.
fn prove_layout(out_dir: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rustc-check-cfg=cfg(nginx_ssl, nginx_pcre, nginx_stat_stub)");
    let features = env::var("DEP_NGINX_FEATURES")?;
    let has = |names: &[&str]| features.split(',').any(|feature| names.contains(&feature));
    let has_ssl = has(&["ssl", "compat"]);
    let mut fields = FIELDS.to_vec();
    if has(&["pcre", "pcre2"]) {
        println!("cargo::rustc-cfg=nginx_pcre");
        fields.extend(PCRE_FIELDS);
    }
    if has_ssl {
        println!("cargo::rustc-cfg=nginx_ssl");
        fields.extend(SSL_FIELDS);
    }

    let mut header = String::from(
        "#include <ngx_config.h>\n#include <ngx_core.h>\n#include <ngx_http.h>\nenum ojwt_layout {\n",
    );
    let mut assertions = String::new();
    for (kind, names) in fields {
        for name in names {
            let constant = format!("OJWT_{kind}_{}", name.replace('.', "__"));
            writeln!(header, "{constant} = offsetof({kind}, {name}),")?;
            // bindgen appends an underscore to what is a keyword in Rust.
            let field = if *name == "type" { "type_" } else { name };
            writeln!(
                assertions,
                "const _: () = assert!(core::mem::offset_of!(ngx::ffi::{kind}, {field}) == {constant} as usize);"
            )?;
        }
    }
    // No feature that nginx-sys knows of.
    writeln!(header, "#if (NGX_STAT_STUB)\n{HAS_STAT_STUB} = 1,\n#endif\n}};")?;

    let includes = env::var("DEP_NGINX_INCLUDE")?;
    // For a test that compiles another module.
    println!("cargo::rustc-env=OJWT_NGINX_INCLUDE={includes}");
    // nginx-sys 0.5.0 misspells the key, so that the value comes with it.
    let cflags = env::var("DEP_NGINX_CFLAGS").or_else(|_| env::var("DEP_NGINX_METADATA"))?;
    let cflags = cflags.strip_prefix("cflags=").unwrap_or(&cflags);
    let constants = bindgen::builder()
        .header_contents("layout.h", &header)
        .clang_args(env::split_paths(&includes).map(|path| format!("-I{}", path.display())))
        .clang_args(cflags.split_whitespace())
        .allowlist_type("ojwt_layout")
        .prepend_enum_name(false)
        .layout_tests(false)
        .generate()?
        .to_string();
    if constants.contains(HAS_STAT_STUB) {
        println!("cargo::rustc-cfg=nginx_stat_stub");
    }
    fs::write(out_dir.join("layout.rs"), constants + &assertions)?;
    Ok(())
}
