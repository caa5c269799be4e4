//! Keys and tokens that are made, for otools, Python and tests.

pub mod encrypt;

pub mod sign;
