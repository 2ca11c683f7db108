//! Networks in order as a stream of bytes: two bytes for each of ten million random addresses.
//!
//! ```text
//!  "RTN1"  network*  end      IPv4
//!          network*  end      IPv6
//!
//!  network  LEB128 of (first address - that of the network before) * 2, for a single address
//!           the same + 1, and the length as one byte, for others
//!  end      1, 255
//! ```
//!
//! The networks of a family ascend by first address, then by length, each once. A stream without its second end was cut
//! off. It may come from anywhere: reading keeps nothing but a buffer of fixed size, and refuses what is out of order.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::io::{self, Read, Write};

use base::{Address, Network};

/// What a stream begins with.
const MAGIC: [u8; 4] = *b"RTN1";

/// Stands in the place of a length where a family ends.
const END: u8 = u8::MAX;

/// How much is read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// Most bytes of one network: the difference of two IPv6 addresses with one bit more, and the length.
const NETWORK_BYTES_MAX: usize = 20;

/// Why a stream of networks cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It does not begin as one.
    #[error("this is no stream of networks")]
    Foreign,
    /// It ends too early.
    #[error("the stream of networks is cut off")]
    Cut,
    /// A network is none, or does not come after the one before it.
    #[error("the stream of networks is broken behind {0} networks")]
    Broken(u64),
    /// It cannot be read on.
    #[error("the stream of networks cannot be read on: {0}")]
    Unreadable(#[from] io::Error),
}

/// Writes networks, which must come in order.
pub struct Encoder<W> {
    out: W,
    is_v6: bool,
    before: u128,
}

impl<W: Write> Encoder<W> {
    /// Begins a stream.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        Ok(Self { out, is_v6: false, before: 0 })
    }

    /// Writes the next one.
    pub fn push(&mut self, network: Network) -> io::Result<()> {
        let (bits, is_v6) = match network.base() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), false),
            IpAddr::V6(v6) => (v6.to_bits(), true),
        };
        if is_v6 && !self.is_v6 {
            self.end_family()?;
        }
        let ascends = is_v6 == self.is_v6 && bits >= self.before;
        let difference = bits.checked_sub(self.before).filter(|_| ascends);
        let difference = difference.ok_or_else(|| io::Error::other("networks are written in order"))?;
        self.before = bits;
        let mut bytes = [0; NETWORK_BYTES_MAX];
        // The highest bit of a difference is shifted out of 128 bits, so that the first byte is made apart.
        let is_host = network.is_host();
        let mut rest = difference >> 6;
        bytes[0] = (difference as u8 & 0x3f) << 1 | u8::from(!is_host) | u8::from(rest > 0) << 7;
        let mut length = 1;
        while rest > 0 {
            bytes[length] = rest as u8 & 0x7f | u8::from(rest > 0x7f) << 7;
            rest >>= 7;
            length += 1;
        }
        if !is_host {
            bytes[length] = network.length();
            length += 1;
        }
        self.out.write_all(&bytes[..length])
    }

    fn end_family(&mut self) -> io::Result<()> {
        (self.is_v6, self.before) = (true, 0);
        self.out.write_all(&[1, END])
    }

    /// Ends the stream and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.is_v6 {
            self.end_family()?;
        }
        self.end_family()?;
        Ok(self.out)
    }
}

/// Reads networks; after an error, or the end, nothing more comes.
pub struct Decoder<R> {
    input: R,
    buffer: Box<[u8]>,
    at: usize,
    filled: usize,
    state: State,
    is_v6: bool,
    before: (u128, u8),
    count: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Reading,
    Over,
}

impl<R: Read> Decoder<R> {
    /// Reads from `input`, which needs no buffer of its own.
    pub fn new(input: R) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into();
        Self { input, buffer, at: 0, filled: 0, state: State::New, is_v6: false, before: (0, 0), count: 0 }
    }

    fn read(&mut self) -> Result<Option<Network>, Malformed> {
        if self.state == State::New {
            for byte in MAGIC {
                if self.byte()? != byte {
                    return Err(Malformed::Foreign);
                }
            }
            self.state = State::Reading;
        }
        loop {
            let (difference, is_host) = self.difference()?;
            let longest = if self.is_v6 { 128 } else { 32 };
            let length = if is_host { longest } else { self.byte()? };
            if length != END {
                return self.network(difference, length, longest).map(Some).ok_or(Malformed::Broken(self.count));
            }
            if difference != 0 {
                return Err(Malformed::Broken(self.count));
            }
            if self.is_v6 {
                return Ok(None);
            }
            (self.is_v6, self.before) = (true, (0, 0));
        }
    }

    fn difference(&mut self) -> Result<(u128, bool), Malformed> {
        let first = self.byte()?;
        let mut difference = u128::from(first >> 1 & 0x3f);
        let (mut shift, mut more) = (6, first >= 0x80);
        while more {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if shift >= u128::BITS || bits << shift >> shift != bits {
                return Err(Malformed::Broken(self.count));
            }
            difference |= bits << shift;
            more = byte >= 0x80;
            shift += 7;
        }
        Ok((difference, first & 1 == 0))
    }

    /// The network, if it is one and comes after the one before.
    fn network(&mut self, difference: u128, length: u8, longest: u8) -> Option<Network> {
        let bits = self.before.0.checked_add(difference)?;
        let ip = if self.is_v6 {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).ok()?))
        };
        let network = Network::containing(Address::new(ip), length);
        // Lengths count from 1 here, so that the very first network may be the widest.
        let here = (bits, length + 1);
        let fits = length <= longest && network.base() == ip && here > self.before;
        self.before = here;
        self.count += 1;
        fits.then_some(network)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        if self.at == self.filled {
            self.at = 0;
            self.filled = loop {
                match self.input.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            if self.filled == 0 {
                return Err(Malformed::Cut);
            }
        }
        self.at += 1;
        Ok(self.buffer[self.at - 1])
    }
}

impl<R: Read> Iterator for Decoder<R> {
    type Item = Result<Network, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Over {
            return None;
        }
        let next = self.read().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Over;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(networks: &[Network]) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new()).unwrap();
        for network in networks {
            encoder.push(*network).unwrap();
        }
        encoder.finish().unwrap()
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<Network>, Malformed> {
        Decoder::new(bytes).collect()
    }

    fn network() -> impl Strategy<Value = Network> {
        let v4 = (any::<u32>(), 0_u8..=32).prop_map(|(bits, length)| (IpAddr::V4(bits.into()), length));
        let v6 = (any::<u128>(), 0_u8..=128).prop_map(|(bits, length)| (IpAddr::V6(bits.into()), length));
        prop_oneof![v4, v6].prop_map(|(ip, length)| Network::containing(Address::new(ip), length))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(mut networks in prop::collection::vec(network(), 0..60)) {
            networks.sort_unstable();
            networks.dedup();
            let bytes = encoded(&networks);
            prop_assert_eq!(&decoded(&bytes).unwrap(), &networks);
            for cut in 0..bytes.len() {
                prop_assert!(matches!(decoded(&bytes[..cut]), Err(Malformed::Cut)), "{}", cut);
            }
        }

        #[test]
        fn whatever_comes_is_in_order_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&MAGIC[..], &bytes].concat();
            let read: Vec<Network> = Decoder::new(&*bytes).map_while(Result::ok).collect();
            prop_assert!(read.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn broken_streams_are_refused() {
        let cases: [(&[u8], &str); 7] = [
            (b"RTN2", "this is no stream of networks"),
            (b"RTN1\x02\x00", "the stream of networks is broken behind 2 networks"),
            (b"RTN1\x03\x21\x01\xff", "the stream of networks is broken behind 1 networks"),
            (b"RTN1\x03\x10\x01\xff", "the stream of networks is broken behind 1 networks"),
            (b"RTN1\x03\xff", "the stream of networks is broken behind 0 networks"),
            (b"RTN1\xfe\xff\xff\xff\xff\x01", "the stream of networks is broken behind 0 networks"),
            (&[0xff; 40], "this is no stream of networks"),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(decoded(bytes).unwrap_err().to_string(), wanted, "{bytes:?}");
        }
        let endless = [&MAGIC[..], &[0xff; 40]].concat();
        assert!(matches!(decoded(&endless), Err(Malformed::Broken(0))));
    }

    #[test]
    fn out_of_order_is_not_written() {
        let mut encoder = Encoder::new(Vec::new()).unwrap();
        encoder.push("192.0.2.1".parse().unwrap()).unwrap();
        assert!(encoder.push("192.0.2.0".parse().unwrap()).is_err());
        encoder.push("::".parse().unwrap()).unwrap();
        assert!(encoder.push("192.0.2.2".parse().unwrap()).is_err());
    }
}
