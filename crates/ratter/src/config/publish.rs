//! `[publish]`: how much a published list may change before a person looks.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::forms::{duration, number};
use super::reader::Section;
use super::units::days;

/// How much published lists may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publish {
    /// Hundredths of a list by which rules may let it grow, and shrink.
    pub change: u8,
    /// Listings by which they always may.
    pub floor: usize,
    /// Within this time.
    pub within: Duration,
    /// The shortest prefix of an IPv4 network that is published; and of an IPv6 network.
    pub prefixes: (u8, u8),
}

const WITHIN: RangeInclusive<Duration> = Duration::from_mins(1)..=days(7);

pub(super) fn read(section: &Section<'_>) -> Option<Publish> {
    let change = section.setting("change", &number(1..=100));
    let floor = section.setting("floor", &number(1..=100_000_000));
    let within = section.setting("within", &duration(WITHIN));
    let v4 = section.setting("shortest-prefix", &number(1..=32));
    let v6 = section.setting("shortest-prefix-v6", &number(1..=64));
    Some(Publish { change: change?, floor: floor?, within: within?, prefixes: (v4?, v6?) })
}
