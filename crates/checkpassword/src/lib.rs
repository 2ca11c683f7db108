//! What the helpers of mail servers share: one question to the node's line gate (docs/line-gate.md), and the answer.
//!
//! They run once for each login, so they know the standard library alone, and whatever goes wrong lets the login go on:
//! a node that is away or slow refuses nobody.

#![expect(clippy::disallowed_methods, reason = "these programs are shells: they live on the environment and sockets")]

pub mod ask;
pub mod fd;
pub mod pam;
pub mod password;
