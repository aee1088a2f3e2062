//! Golden files: everything that users, operators and clients see of the gateway, compared with the texts in `tests/golden`.
//! A test that fails shows the lines that differ. Run it with `UPDATE_GOLDEN=1` to rewrite its file, and review the change.
//! Ports, times and random values are masked as `<n>`, and nothing else: a change of any other byte is a change for a user.

mod admin;
mod commands;
mod entry;
mod file;
mod log;
mod log_backends;
mod log_requests;
mod pool;
