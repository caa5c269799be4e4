//! JSON Web Tokens checked inside nginx: the dynamic module `ngx_http_ojwt_module`.
//!
//! The story of a request, in the order of the modules below. nginx loads the tables of [`module`],
//! and hands each directive that it reads to [`config`]; when a level of the configuration is
//! complete, it is sealed into a [`gate`], with the [`keys`] and the [`lists`] that it has. A
//! request asks a gate in one of nginx's phases or through a variable, both of [`answer`]. The gate
//! looks a token up, gathers keys or has them fetched, lets `ojwt-core` judge, and remembers the
//! outcome for as long as the client's request lives.
//!
//! [`fence`] holds what touches nginx's memory. A room uses only rooms that stand below it, which a
//! test checks.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod module;

mod answer;

mod config;

mod gate;

mod keys;

mod lists;

mod net;

mod file;

#[allow(unsafe_code)]
mod fence;
