//! What the helpers of mail servers share: one question to the node's line gate (docs/line-gate.md), and the answer.
//!
//! They run once for each login, so they know the standard library alone, and whatever goes wrong lets the login go on:
//! a node that is away or slow refuses nobody.

pub mod ask;
pub mod fd;
pub mod options;
pub mod pam;
pub mod password;
