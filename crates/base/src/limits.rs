//! The limits that more than one room must agree on. A limit of one room stands in that room.

/// Longest login that is told apart from others, in bytes. RFC 5321 allows 64 + 1 + 255 for an address, but no login
/// in use comes near; a longer one is cut, so that it costs no more.
pub const LOGIN_BYTES_MAX: usize = 192;

/// Most lists that one node can have, `blocked` included: a set of lists is a 32-bit mask.
pub const LISTS_MAX: usize = 32;

/// Most rules that one node can have.
pub const RULES_MAX: usize = 256;

/// Longest log line that is read whole, in bytes; of a longer one only the beginning is looked at.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
