//! JSON Web Tokens checked inside nginx.
