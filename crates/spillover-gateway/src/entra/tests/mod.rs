mod expiry;
mod fake;
mod identity;
mod refresh;
mod schedule;
mod secrets;
mod server;
mod sign_in;
