//! Who is at the other end of a request that may have come through a web server.

use std::net::IpAddr;

use base::{Address, Network};

/// The client of a request: the other end of the connection; or, if that is one of `proxies`, the last address in
/// `X-Forwarded-For` that is none of them. What stands before it in the header is what the client says of himself.
/// None if nobody can tell.
pub(super) fn client(peer: Option<IpAddr>, forwarded: Option<&[u8]>, proxies: &[Network]) -> Option<Address> {
    let is_proxy = |address: &Address| proxies.iter().any(|proxy| proxy.contains(*address));
    let peer = Address::new(peer?);
    if !is_proxy(&peer) {
        return Some(peer);
    }
    let header = core::str::from_utf8(forwarded?).ok()?;
    let mut addresses = header.rsplit(',').map(|address| address.trim().parse::<Address>());
    // Something that is no address ends the chain of those who can be trusted.
    addresses.find(|address| address.as_ref().map_or(true, |address| !is_proxy(address)))?.ok()
}

/// Whether the address tells whose it is: one inside a house, or of this very host, is anybody's.
pub(super) fn is_telling(address: Address) -> bool {
    match address.ip() {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_who_it_is() {
        let proxies = ["127.0.0.1/32", "192.0.2.0/28"].map(|text| text.parse::<Network>().unwrap());
        let cases = [
            ("198.51.100.7", "203.0.113.9", Some("198.51.100.7")),
            ("198.51.100.7", "", Some("198.51.100.7")),
            ("127.0.0.1", "203.0.113.9", Some("203.0.113.9")),
            ("127.0.0.1", "", None),
            ("127.0.0.1", "203.0.113.1, 203.0.113.9", Some("203.0.113.9")),
            ("127.0.0.1", "203.0.113.9, 192.0.2.3", Some("203.0.113.9")),
            ("127.0.0.1", "198.51.100.7,203.0.113.9", Some("203.0.113.9")),
            ("127.0.0.1", "203.0.113.9, nobody", None),
            ("127.0.0.1", "127.0.0.1", None),
            ("::ffff:127.0.0.1", "2001:db8::1", Some("2001:db8::1")),
        ];
        for (peer, header, wanted) in cases {
            let header = (!header.is_empty()).then_some(header.as_bytes());
            let got = client(peer.parse().ok(), header, &proxies);
            assert_eq!(got, wanted.map(|text| text.parse().unwrap()), "{peer} {header:?}");
        }
        assert_eq!(client(None, None, &proxies), None);
    }
}
