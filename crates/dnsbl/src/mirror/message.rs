//! Reads the messages of others' transfers: whatever is in them, the work is linear and the names end.

use crate::serve::wire::{HEADER_BYTES, NAME_BYTES_MAX, code};

/// Most compression pointers in one name: as many as a name can have labels.
const POINTERS_MAX: usize = 128;

/// A response and what its header says.
#[derive(Debug)]
pub(crate) struct Response<'m> {
    message: &'m [u8],
    pub(crate) id: u16,
    pub(crate) rcode: u8,
    /// The name in the question in wire form, if there is one.
    pub(crate) question: Option<Vec<u8>>,
    at: usize,
    answers: u16,
}

/// A record of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// In wire form, without pointers.
    pub(crate) owner: Vec<u8>,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
}

/// What a SOA record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Soa {
    pub(crate) serial: u32,
    /// In seconds, as the others.
    pub(crate) refresh: u32,
    pub(crate) retry: u32,
    pub(crate) expire: u32,
    pub(crate) minimum: u32,
}

impl Soa {
    /// Of the data of a record without pointers.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let mut at = 0;
        let mut names = Vec::new();
        for _ in 0..2 {
            at = name(data, at, &mut names)?;
        }
        let numbers: [u8; 20] = data.get(at..)?.try_into().ok()?;
        let [serial, refresh, retry, expire, minimum] =
            core::array::from_fn(|n| u32::from_be_bytes(core::array::from_fn(|octet| numbers[4 * n + octet])));
        Some(Self { serial, refresh, retry, expire, minimum })
    }
}

impl<'m> Response<'m> {
    /// None if it is no response to a query.
    pub(crate) fn read(message: &'m [u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER_BYTES>()?;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        // A response to a query, and not cut.
        if header[2] & 0xfa != 0x80 || count(4) > 1 {
            return None;
        }
        let mut at = HEADER_BYTES;
        let mut question = None;
        if count(4) == 1 {
            let mut name_bytes = Vec::new();
            at = name(message, at, &mut name_bytes)? + 4;
            question = Some(name_bytes);
        }
        Some(Self { message, id: count(0), rcode: header[3] & 0x0f, question, at, answers: count(6) })
    }

    /// How many records the answer has.
    pub(crate) const fn len(&self) -> usize {
        self.answers as usize
    }

    /// The next record of the answer: none behind the last, and a fault where one cannot be read.
    pub(crate) fn next(&mut self) -> Option<Result<Received, ()>> {
        self.answers = self.answers.checked_sub(1)?;
        Some(self.read_record().ok_or(()))
    }

    fn read_record(&mut self) -> Option<Received> {
        let mut owner = Vec::new();
        let fixed = name(self.message, self.at, &mut owner)?;
        let &[k0, k1, c0, c1, t0, t1, t2, t3, l0, l1] = self.message.get(fixed..)?.first_chunk::<10>()?;
        let (kind, start) = (u16::from_be_bytes([k0, k1]), fixed + 10);
        let end = start + usize::from(u16::from_be_bytes([l0, l1]));
        let data = written_out(self.message.get(..end)?, kind, start)?;
        self.at = end;
        let ttl = u32::from_be_bytes([t0, t1, t2, t3]);
        Some(Received { owner, kind, class: u16::from_be_bytes([c0, c1]), ttl, data })
    }
}

/// The data of a record that begins at `start` and ends with `message`, names written out. Only the types of RFC 1035 may
/// have pointers in their names (RFC 3597 section 4); some servers compress the next few too.
fn written_out(message: &[u8], kind: u16, start: usize) -> Option<Vec<u8>> {
    let (fixed, names) = match kind {
        // MD, MF, CNAME, MB, MG, MR, PTR and DNAME.
        code::NS | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 39 => (0, 1),
        // MINFO and RP.
        code::SOA | 14 | 17 => (0, 2),
        // AFSDB, RT and KX.
        code::MX | 18 | 21 | 36 => (2, 1),
        // SRV.
        33 => (6, 1),
        _ => (0, 0),
    };
    let mut data = message.get(start..start + fixed)?.to_vec();
    let mut at = start + fixed;
    for _ in 0..names {
        at = name(message, at, &mut data)?;
    }
    data.extend_from_slice(message.get(at..)?);
    u16::try_from(data.len()).is_ok().then_some(data)
}

/// Appends the name at `at` to `out`, without pointers, and says where it ends.
fn name(message: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let begin = out.len();
    let (mut place, mut end, mut pointers) = (at, None, 0);
    loop {
        let length = *message.get(place)?;
        match length {
            0 => {
                out.push(0);
                return (out.len() - begin <= NAME_BYTES_MAX).then_some(end.unwrap_or(place + 1));
            }
            1..=63 => {
                out.extend_from_slice(message.get(place..=place + usize::from(length))?);
                if out.len() - begin >= NAME_BYTES_MAX {
                    return None;
                }
                place += 1 + usize::from(length);
            }
            0xc0.. => {
                end = end.or(Some(place + 2));
                let target = usize::from(length & 0x3f) << 8 | usize::from(*message.get(place + 1)?);
                pointers += 1;
                if target >= place || pointers > POINTERS_MAX {
                    return None;
                }
                place = target;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(message: &[u8], at: usize) -> Option<(Vec<u8>, usize)> {
        let mut out = Vec::new();
        let end = name(message, at, &mut out)?;
        Some((out, end))
    }

    #[test]
    fn names() {
        type Case<'a> = (&'a [u8], usize, Option<(&'a [u8], usize)>);
        let cases: [Case<'_>; 7] = [
            (b"\x01a\0", 0, Some((b"\x01a\0", 3))),
            (b"\x01a\0\x01b\xc0\x00", 3, Some((b"\x01b\x01a\0", 7))),
            (b"\x01a\xc0\x00", 0, None),
            (b"\xc0\x00", 0, None),
            (b"\0\xc0\x02", 1, None),
            (b"\x40", 0, None),
            (b"\x05ab", 0, None),
        ];
        for (message, at, wanted) in cases {
            assert_eq!(read(message, at), wanted.map(|(name, end)| (name.to_vec(), end)), "{message:?}");
        }
        let long = b"\x01a".repeat(127);
        assert_eq!(read(&[&long[..], &[0]].concat(), 0).unwrap().0.len(), 255);
        assert!(read(&[&long[..], b"\x01a\0"].concat(), 0).is_none());
        // As many pointers as fit, each to the one before.
        let chain: Vec<u8> = (0..1000u16).flat_map(|n| (0xc000 | (n * 2).saturating_sub(1)).to_be_bytes()).collect();
        assert!(read(&[&[0], &chain[..]].concat(), 1999).is_none());
    }

    #[test]
    fn soa_records() {
        let mut data = b"\x01a\0\x01b\0".to_vec();
        data.extend((1..=5u32).flat_map(u32::to_be_bytes));
        let soa = Soa { serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 };
        assert_eq!(Soa::read(&data), Some(soa));
        assert_eq!(Soa::read(&data[..25]), None);
        data.push(0);
        assert_eq!(Soa::read(&data), None);
    }

    proptest! {
        #[test]
        fn garbage_ends(body in prop::collection::vec(any::<u8>(), 0..400), answers in 0u8..20) {
            let message = [&[0, 0, 0x84, 0, 0, 0, 0, answers, 0, 0, 0, 0][..], &body].concat();
            let mut response = Response::read(&message).unwrap();
            let mut count = 0;
            while let Some(Ok(record)) = response.next() {
                prop_assert!(record.owner.len() <= NAME_BYTES_MAX && record.data.len() <= 3 * message.len());
                count += 1;
            }
            prop_assert!(count <= usize::from(answers));
        }
    }
}
