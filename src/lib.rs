//! JSON Web Tokens checked inside nginx: the dynamic module `ngx_http_ojwt_module`.
//!
//! The story of a request, in the order of the modules below. nginx loads the tables of
//! [`module`], and hands each directive it reads to [`directives`], which fills a [`conf`]; when
//! a level of the configuration is complete it is sealed into a gate, with the keys that [`keys`]
//! read and the lists that [`revocation`] watches, and [`advice`] warns of what is odd in it. A request asks a gate in nginx's access phase,
//! [`access`], or through a variable of [`variables`]: [`context`] looks a token up where [`source`]
//! says it may be, gathers the keys in their [`places`], has [`key_request`] fetch those that a URI has,
//! lets `ojwt-core` judge it, and remembers the outcome for as long as the client's request lives. [`respond`] tells the client that
//! a token is wanted, and gives it a cookie for the one that it brought in its URL.
//!
//! [`fence`] holds what touches nginx's memory. A module uses only those that stand below it.

mod module;

mod directives;

mod advice;

mod access;

mod variables;

mod respond;

mod context;

mod places;

mod conf;

mod key_request;

mod keys;

mod revocation;

mod file;

mod source;

mod fence;
