//! How often somebody may take himself off a list: how many requests a network has, and how long whoever is listed again
//! and again has to wait.

use core::time::Duration;
use std::collections::HashMap;

use base::{Address, Network, Timestamp};

/// How long a removal is remembered: whoever was not listed for so long begins anew.
pub const REMEMBERED_FOR: Duration = Duration::from_hours(90 * 24);
/// How long the second removal has to wait after the first; each further one twice as long.
pub const WAIT_FIRST: Duration = Duration::from_hours(24);
/// Longest that a removal has to wait.
pub const WAIT_MAX: Duration = Duration::from_hours(30 * 24);
/// Networks whose requests are counted at once. When there are more, all counts begin anew.
pub const NETWORKS_MAX: usize = 65_536;

/// When an address may be taken off next, if it was at these moments before; none if at once.
pub fn next_removal(now: Timestamp, before: impl IntoIterator<Item = Timestamp>) -> Option<Timestamp> {
    let (mut count, mut last) = (0_u32, Timestamp::EPOCH);
    for at in before.into_iter().filter(|at| now.since(*at) <= REMEMBERED_FOR) {
        (count, last) = (count + 1, last.max(at));
    }
    let doublings = count.checked_sub(1)?.min(5);
    let next = last.plus((WAIT_FIRST * (1 << doublings)).min(WAIT_MAX));
    (next > now).then_some(next)
}

/// The network of whoever shares a fate with the address: its /24, for IPv6 its /48.
pub fn around(address: Address) -> Network {
    Network::containing(address, if address.ip().is_ipv4() { 24 } else { 48 })
}

/// Counts by network how often something was asked for.
#[derive(Debug)]
pub struct Quota {
    most: u32,
    within: Duration,
    counts: HashMap<Network, (Timestamp, u32)>,
}

impl Quota {
    /// So many by each network within each such time.
    pub fn new(most: u32, within: Duration) -> Self {
        Self { most, within, counts: HashMap::new() }
    }

    /// Counts one.
    ///
    /// # Errors
    /// There were enough: says how long to wait.
    pub fn take(&mut self, now: Timestamp, network: Network) -> Result<(), Duration> {
        if self.counts.len() >= NETWORKS_MAX && !self.counts.contains_key(&network) {
            let within = self.within;
            self.counts.retain(|_, (began, _)| now.since(*began) < within);
            if self.counts.len() >= NETWORKS_MAX {
                self.counts.clear();
            }
        }
        let (began, count) = self.counts.entry(network).or_insert((now, 0));
        if now.since(*began) >= self.within {
            (*began, *count) = (now, 0);
        }
        if *count >= self.most {
            return Err(self.within.saturating_sub(now.since(*began)));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    #[test]
    fn whoever_comes_back_waits_longer() {
        let days_ago = |days: &u64| NOW.minus(Duration::from_hours(24 * days));
        let cases: [(&[u64], Option<u64>); 9] = [
            (&[], None),
            (&[0], Some(1)),
            (&[1], None),
            (&[0, 5], Some(2)),
            (&[5, 0, 9], Some(4)),
            (&[1, 5, 9], Some(3)),
            (&[0, 1, 2, 3, 4, 5, 6, 7], Some(30)),
            (&[91], None),
            (&[0, 91, 92], Some(1)),
        ];
        for (before, wanted) in cases {
            let next = next_removal(NOW, before.iter().map(days_ago));
            let wanted = wanted.map(|days| NOW.plus(Duration::from_hours(24 * days)));
            assert_eq!(next, wanted, "{before:?}");
        }
    }

    #[test]
    fn a_network_asks_so_often_and_no_more() {
        let mut quota = Quota::new(2, Duration::from_mins(1));
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let [one, other] = ["192.0.2.7", "198.51.100.7"].map(|text| around(text.parse().unwrap()));
        let told: Vec<_> = [(0, one), (10, one), (20, one), (20, other), (59, one), (60, one)]
            .map(|(second, network)| quota.take(at(second), network).map_err(|wait| wait.as_secs()))
            .into();
        assert_eq!(told, [Ok(()), Ok(()), Err(40), Ok(()), Err(1), Ok(())]);
        for number in 0..2 * NETWORKS_MAX as u32 {
            let network = around(Address::new(std::net::Ipv4Addr::from(number << 8).into()));
            quota.take(at(61), network).unwrap();
            assert!(quota.counts.len() <= NETWORKS_MAX);
        }
    }
}
