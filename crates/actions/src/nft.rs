//! Sets of nftables: who is listed is dropped by the kernel, before any mail server hears of him.
//!
//! ```text
//! table inet ratter {
//!     set mail4_32 { type ipv4_addr; flags timeout; }        one for each length of networks
//!     chain input {
//!         type filter hook input priority -10                 before "established, related accept" of a firewall
//!         tcp dport { 25, 143, … } ip saddr & 255.255.255.255 @mail4_32 counter drop
//!     }
//! }
//! ```
//!
//! - `wire` is netlink: messages, attributes, answers. Everything here is bytes, and needs no socket.
//! - [`Ruleset`] says what the table, its chain and its sets are; [`Change`]s are elements that come and go.
//! - [`Plan`] knows what shall be in the sets and what is, and says what is to be changed.
//!
//! Elements have their timeouts in the kernel, so that a node that dies frees nobody early and nobody late. A hash set for
//! each length with a masked look-up takes one element in microseconds at any size, which an interval set does not.

mod diag;
mod plan;
mod ruleset;
mod wire;

pub use diag::{Connection, connections, destroy, dump as dump_connections};
pub use plan::{Held, Plan, SLACK};
pub use ruleset::{Area, Change, Element, Ruleset, SetName, TABLE, delete_table, dump, elements, put_changes};
pub use wire::{Answer, Batch, answers, generation, generation_of};
