//! Serials: the numbers of changes, cut to the 32 bits of a SOA record (RFC 1982).

use crate::serve::wire::soa_serial;

/// Whether a secondary with the zone at `theirs` has nothing to fetch where the last change is `serial`: it has the
/// same, or something newer (RFC 1995 section 2).
pub(crate) const fn is_current(serial: u64, theirs: u32) -> bool {
    soa_serial(serial).wrapping_sub(theirs).cast_signed() <= 0
}

/// Whether the secondary's zone is newer than that of the SOA serial `ours`: it takes nothing from us.
pub(crate) const fn is_ahead(ours: u32, theirs: u32) -> bool {
    ours.wrapping_sub(theirs).cast_signed() < 0
}

/// The number of the change that `theirs` stands for, seen from the later one `serial`. `None` if there is none, or if
/// it stands for two.
pub(crate) const fn past_of(serial: u64, theirs: u32) -> Option<u64> {
    match theirs {
        0 | u32::MAX => None,
        theirs => serial.checked_sub((serial as u32).wrapping_sub(theirs) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secondaries_before_and_behind() {
        let wrap = 1 << 32;
        let cases: [(u64, u32, bool, Option<u64>); 10] = [
            (9, 9, true, Some(9)),
            (9, 8, false, Some(8)),
            (9, 10, true, None),
            (wrap + 5, 3, false, Some(wrap + 3)),
            (wrap + 5, u32::MAX - 1, false, Some(wrap - 2)),
            (wrap + 5, u32::MAX, false, None),
            (wrap, u32::MAX, true, None),
            (wrap, u32::MAX - 3, false, Some(wrap - 4)),
            (wrap - 3, 4, true, Some(4)),
            (9, 0, false, None),
        ];
        for (serial, theirs, current, past) in cases {
            assert_eq!((is_current(serial, theirs), past_of(serial, theirs)), (current, past), "{serial} {theirs}");
            let ours = soa_serial(serial);
            assert_eq!(is_ahead(ours, theirs), current && ours != theirs, "{serial} {theirs}");
        }
    }
}
