//! An account as bytes, to be kept over a restart: numbers in little-endian order, lists with their length before them. What
//! is only of the last minutes is left out.

use base::Timestamp;

use super::account::Account;
use super::known::Known;
use super::places::{CLIENTS_MAX, PLACES_MAX, Place, Program};
use super::sign::SIGNS;
use super::step::Step;

/// The first byte; another one is another form.
const FORM: u8 = 1;

/// Most bytes of an account: two memories of names, each of two full generations, and some hundred numbers.
pub(super) const BYTES_MAX: usize = 4 * 256 * 8 + 1024;

pub(super) fn write(account: &Account) -> Vec<u8> {
    let mut out = vec![FORM];
    let millis = |out: &mut Vec<u8>, at: Timestamp| out.extend(at.as_millis().to_le_bytes());
    millis(&mut out, account.first);
    millis(&mut out, account.last);
    out.extend(account.recipients.to_le_bytes());
    out.extend(account.hours);
    let told = Step::ALL.into_iter().position(|step| step == account.told).map_or(0, |place| place as u8 + 1);
    out.push(told);
    out.push(SIGNS as u8);
    out.extend(account.points.iter().flat_map(|points| points.to_le_bytes()));
    let places: Vec<&Place> = account.places.0.iter().filter(|place| place.network != 0).collect();
    out.push(places.len() as u8);
    for place in places {
        out.extend(place.network.to_le_bytes());
        millis(&mut out, place.first);
        millis(&mut out, place.last);
        out.extend(place.asn.to_le_bytes());
        out.extend(place.country.to_le_bytes());
        out.push(u8::from(place.is_vouched));
    }
    let clients: Vec<&Program> = account.clients.0.iter().filter(|known| known.client != 0).collect();
    out.push(clients.len() as u8);
    for program in clients {
        out.extend(program.client.to_le_bytes());
        millis(&mut out, program.last);
        out.extend([u8::from(program.is_owners), program.friends, program.strangers]);
    }
    for words in account.known.generations().into_iter().chain(account.domains.generations()) {
        out.extend((words.len() as u16).to_le_bytes());
        out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    debug_assert!(out.len() <= BYTES_MAX, "the limit covers every account");
    out
}

/// The account of these bytes; none if they make no sense.
pub(super) fn read(bytes: &[u8]) -> Option<Account> {
    let mut input = Input(bytes);
    if input.byte()? != FORM {
        return None;
    }
    let mut account = Account::new(input.time()?);
    account.last = input.time()?;
    account.recipients = u32::from_le_bytes(input.take()?);
    account.hours = input.take()?;
    account.told = Step::from_place(input.byte()?);
    for sign in 0..usize::from(input.byte()?) {
        let points = f32::from_le_bytes(input.take()?);
        if let (Some(place), true) = (account.points.get_mut(sign), points.is_finite()) {
            *place = points.max(0.0);
        }
    }
    for place in 0..usize::from(input.byte()?) {
        let read = Place {
            network: u64::from_le_bytes(input.take()?),
            first: input.time()?,
            last: input.time()?,
            asn: u32::from_le_bytes(input.take()?),
            country: u16::from_le_bytes(input.take()?),
            is_vouched: input.byte()? != 0,
        };
        *account.places.0.get_mut(place).filter(|_| place < PLACES_MAX)? = read;
    }
    for client in 0..usize::from(input.byte()?) {
        let read = Program {
            client: u64::from_le_bytes(input.take()?),
            last: input.time()?,
            is_owners: input.byte()? != 0,
            friends: input.byte()?,
            strangers: input.byte()?,
        };
        *account.clients.0.get_mut(client).filter(|_| client < CLIENTS_MAX)? = read;
    }
    account.known = Known::from_generations(input.words()?, input.words()?)?;
    account.domains = Known::from_generations(input.words()?, input.words()?)?;
    account.is_changed = false;
    input.0.is_empty().then_some(account)
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.take().map(u64::from_le_bytes).map(Timestamp::from_millis)
    }

    fn words(&mut self) -> Option<Box<[u64]>> {
        let count = u16::from_le_bytes(self.take()?);
        (0..count).map(|_| self.take().map(u64::from_le_bytes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::places::Deed;
    use super::*;
    use crate::accounts::Sign;

    fn used() -> Account {
        let begin = Timestamp::from_secs(1_800_000_000);
        let mut account = Account::new(begin);
        for number in 0..3000_u64 {
            let at = begin.plus(Duration::from_secs(number * 3600));
            let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let network = if number % 50 == 49 { mixed } else { 7 };
            let deed = Deed { network, country: 0x4445, asn: 64500, client: 1 + mixed % 9, ..Deed::default() };
            account.asks(at, &Deed { recipient: mixed, domain: mixed >> 3, message: number, ..deed });
            account.sent(at, number);
        }
        account.failed(account.last, Sign::Bounced, Some(9));
        account.told = Step::Hold;
        account
    }

    #[test]
    fn what_is_kept_is_what_was_known() {
        let account = used();
        let bytes = write(&account);
        assert!(bytes.len() <= BYTES_MAX, "{}", bytes.len());
        let read = read(&bytes).unwrap();
        assert_eq!(write(&read), bytes);
        assert_eq!((read.points, read.told, &read.known), (account.points, Step::Hold, &account.known));
        assert_eq!((read.places, read.clients, read.hours), (account.places, account.clients, account.hours));
        let at = account.last;
        assert!(read.score(at) > 0.0 && (read.score(at) - account.score(at)).abs() < f32::EPSILON);
    }

    #[test]
    fn bytes_that_make_no_sense_are_no_account() {
        let bytes = write(&used());
        assert!((0..bytes.len()).all(|length| read(&bytes[..length]).is_none()));
        assert!(read(&[&bytes[..], &[0]].concat()).is_none());
        assert!(read(&[&[FORM + 1], &bytes[1..]].concat()).is_none());
    }
}
