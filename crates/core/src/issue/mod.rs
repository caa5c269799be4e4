//! Keys and tokens that are made, for otools, Python and tests.

pub mod sign;

pub mod encrypt;
