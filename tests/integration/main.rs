//! The module in a real nginx: `harness` says how a test is written.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::needless_pass_by_value,
    clippy::format_collect
)]

mod harness;

mod advice;
mod auth_jwt;
mod auth_jwt_algorithms;
mod auth_jwt_cache;
mod auth_jwt_key_file;
mod auth_jwt_key_request;
mod auth_jwt_leeway;
mod auth_jwt_max_token_size;
mod auth_jwt_phase;
mod auth_jwt_require;
mod auth_jwt_require_claim;
mod auth_jwt_require_header;
mod auth_jwt_revocation_list;
mod auth_jwt_type;
mod auth_jwt_www_authenticate;
mod claim_variables;
mod decoded_ojwt;
mod documentation;
mod embedded_key;
mod examples;
mod hostile_requests;
mod key_request_abandoned;
mod key_request_isolation;
mod key_rotation;
mod key_sources;
mod logs;
mod memory;
mod migrating;
mod ojwt_cookie;
mod ojwt_status;
mod ojwt_token_from;
mod one_reading;
mod phases;
mod providers;
mod reload;
mod scripts;
mod second_names;
mod variables_in_scripts;
mod vectors;
mod versions;
mod without_token;
