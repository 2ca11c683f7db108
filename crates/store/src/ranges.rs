//! Which texts the addresses of a network can have, so that the index on the address's text serves networks too.

use std::net::IpAddr;

use base::Network;

/// Text intervals `[from, to)`, not overlapping, that hold the text of every address of `network`. They may hold texts
/// of other addresses, which the reader sorts out.
///
/// IPv4 is cut at whole octets: `192.0.2.0/23` is searched in `192.0.`. IPv6 is cut at whole groups, and as its texts
/// leave out one run of zero groups (RFC 5952), every run of the prefix that could be left out makes one more interval:
/// addresses of `2001:db8:0:1::/64` begin with `2001:db8:0:1:`, those of `2001:db8::/64` with `2001:db8::` or, where a
/// longer run follows, `2001:db8:0:0:`.
pub(crate) fn text_ranges(network: Network) -> Vec<(String, String)> {
    match network.base() {
        IpAddr::V4(v4) => {
            let octets = &v4.octets()[..usize::from(network.length() / 8).min(3)];
            vec![beginning_with(octets.iter().fold(String::new(), |text, octet| text + &format!("{octet}.")))]
        }
        IpAddr::V6(v6) => {
            let groups = &v6.segments()[..usize::from(network.length() / 16).min(7)];
            let joined =
                |groups: &[u16]| groups.iter().fold(String::new(), |text, group| text + &format!("{group:x}:"));
            let mut prefixes = vec![joined(groups)];
            prefixes.extend(
                runs(groups).map(|start| if start == 0 { "::".into() } else { joined(&groups[..start]) + ":" }),
            );
            prefixes.into_iter().map(beginning_with).collect()
        }
    }
}

/// Where the zero runs begin that a text could leave out: of two groups or more, or at the end, where the run may go on
/// behind the prefix.
fn runs(groups: &[u16]) -> impl Iterator<Item = usize> {
    (0..groups.len()).filter(|&start| {
        let length = groups[start..].iter().take_while(|group| **group == 0).count();
        let begins = start == 0 || groups[start - 1] != 0;
        begins && (length >= 2 || (length == 1 && start + 1 == groups.len()))
    })
}

/// The interval of the texts that begin with `prefix`, which is empty or ends in `.` or `:`.
fn beginning_with(prefix: String) -> (String, String) {
    let mut end = prefix.clone();
    match end.pop() {
        // Texts of addresses hold nothing above `f`.
        None => end.push('g'),
        Some('.') => end.push('/'),
        Some(_) => end.push(';'),
    }
    (prefix, end)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use base::Address;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn examples() {
        let cases = [
            ("192.0.2.0/24", "192.0.2."),
            ("192.0.2.0/23", "192.0."),
            ("0.0.0.0/0", ""),
            ("2001:db8:0:1::/64", "2001:db8:0:1:"),
            ("2001:db8::/64", "2001:db8:0:0: 2001:db8::"),
            ("2001:db8::/48", "2001:db8:0: 2001:db8::"),
            ("2001:0:0:1::/64", "2001:0:0:1: 2001::"),
            ("::/32", "0:0: ::"),
            ("::/0", ""),
        ];
        for (network, wanted) in cases {
            let got: Vec<_> = text_ranges(network.parse().unwrap()).into_iter().map(|(from, _)| from).collect();
            assert_eq!(got.join(" "), wanted, "{network}");
        }
    }

    /// Addresses with many zero groups, where the texts differ.
    fn addresses() -> impl Strategy<Value = Address> {
        let group = prop_oneof![3 => Just(0u16), 1 => 1u16..4, 1 => any::<u16>()];
        prop_oneof![
            any::<u32>().prop_map(|bits| Address::new(Ipv4Addr::from_bits(bits).into())),
            prop::array::uniform8(group).prop_map(|groups| Address::new(Ipv6Addr::from(groups).into())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn every_address_of_a_network_is_in_exactly_one_of_its_ranges(address in addresses(), length in 0u8..=128) {
            let network = Network::containing(address, length);
            let text = address.to_string();
            let hits = text_ranges(network).iter().filter(|(from, to)| *from <= text && text < *to).count();
            prop_assert_eq!(hits, 1, "{} in {}: {:?}", text, network, text_ranges(network));
        }
    }
}
