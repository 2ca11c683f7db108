//! The HTTP gate: one question by `GET`, for whatever can open a URL; nginx' mail proxy; and passwords.
//!
//! | method and path | what it is |
//! |---|---|
//! | `GET /v1/check` | whether a client may go on; counts nothing |
//! | `POST /v1/report` | how a login went |
//! | `POST /v1/password` | what a password is worth |
//! | `GET /v1/nginx` | nginx' `auth_http` |
//! | `GET /v1/openapi.json` | all of this for programs |
//!
//! Questions and reports carry `address`, `login`, `service`, `session` and `stage` in the query, as the
//! [line gate](crate::line) has them, and are answered alike: as JSON, or, with `format=text` or `Accept: text/plain`, as
//! the number alone. What cannot be understood is answered with status 400 and the number 0, which lets the client
//! through.

mod gate;
mod nginx;
mod query;

pub use gate::{Count, Counters, Gate, Passwords, Settings};
pub use nginx::Backends;

/// The document that `GET /v1/openapi.json` serves (`OpenAPI` 3.1).
pub const OPENAPI: &str = include_str!("web/openapi.json");
