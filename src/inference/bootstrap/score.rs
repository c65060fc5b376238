//! The score bootstrap.
