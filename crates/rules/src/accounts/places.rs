//! Where an account is used from, and with what.

use core::time::Duration;

use base::Timestamp;

/// Places that are known of one account; the one that was used longest ago gives way.
pub(super) const PLACES_MAX: usize = 8;
/// Programs that are known of one account; the one that was used longest ago gives way.
pub(super) const CLIENTS_MAX: usize = 6;
/// So long after it was first seen a place is home, if it was used in between as its owner does.
const HOME_AFTER: Duration = Duration::from_hours(7 * 24);
/// A place that was not used for so long is none any more.
const PLACE_FOR: Duration = Duration::from_hours(90 * 24);
/// Within this time strange places add up.
pub(super) const MOVING: Duration = Duration::from_hours(24);
/// To so many people whom the owner knows a new program has written before it is taken for his.
const FRIENDS_MIN: u8 = 3;
/// Nobody gets from one country to another so quickly.
const TOO_QUICK: Duration = Duration::from_mins(20);

/// Something that an account does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Deed {
    /// The network it comes from, wide enough that a phone does not leave it each minute.
    pub(super) network: u64,
    /// The country, as two letters; zero if it is not known.
    pub(super) country: u16,
    /// Who runs the network; zero if it is not known.
    pub(super) asn: u32,
    /// What the program shows of itself; zero if nobody tells.
    pub(super) client: u64,
    pub(super) recipient: u64,
    pub(super) domain: u64,
    /// The message it belongs to.
    pub(super) message: u64,
}

/// Where an account is used from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// Zero if there is none.
    pub(super) network: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) asn: u32,
    pub(super) country: u16,
    /// Whether the owner's own program was used there.
    pub(super) is_vouched: bool,
}

/// All of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Places(pub(super) [Place; PLACES_MAX]);

impl Places {
    /// Takes note of a place.
    pub(super) fn visit(&mut self, at: Timestamp, deed: &Deed, is_young: bool, is_vouched: bool) {
        let Deed { network, asn, country, .. } = *deed;
        // Until it is grown up, everything that it uses is its home.
        let first = if is_young { at.minus(HOME_AFTER) } else { at };
        let place = match self.0.iter().position(|place| place.network == network) {
            Some(place) => place,
            None => {
                let oldest = self.0.iter().enumerate().min_by_key(|(_, place)| place.last);
                let place = oldest.map_or(0, |(place, _)| place);
                self.0[place] = Place { network, first, last: at, ..Place::default() };
                place
            }
        };
        let place = &mut self.0[place];
        (place.asn, place.country) = (asn, country);
        place.last = place.last.max(at);
        place.is_vouched |= is_vouched;
    }

    pub(super) fn is_home(&self, at: Timestamp, network: u64) -> bool {
        self.0.iter().find(|place| place.network == network).is_some_and(|place| place.is_home(at))
    }

    /// How many places lately are not home; those of one provider are one.
    pub(super) fn strange(&self, at: Timestamp) -> usize {
        let is_strange =
            |place: &Place| place.network != 0 && at.since(place.last) <= MOVING && at.since(place.first) < HOME_AFTER;
        let is_new_provider = |number: usize| {
            let place = &self.0[number];
            let is_same = |other: &Place| place.asn != 0 && other.asn == place.asn && is_strange(other);
            is_strange(place) && !self.0[..number].iter().any(is_same)
        };
        (0..PLACES_MAX).filter(|number| is_new_provider(*number)).count()
    }

    /// Whether it was never used from that country: neither is the owner at home there, nor was his program seen there.
    pub(super) fn is_foreign(&self, at: Timestamp, country: u16) -> bool {
        let is_own = |place: &Place| place.country == country && (place.is_home(at) || place.is_vouched);
        country != 0 && !self.0.iter().any(is_own)
    }

    /// Whether a program of the owner's was lately used there, or in that country.
    pub(super) fn is_vouched(&self, at: Timestamp, deed: &Deed) -> bool {
        let is_near = |place: &Place| {
            place.network == deed.network
                || deed.country != 0 && place.country == deed.country && !self.is_home_country(at, deed.country)
        };
        self.0.iter().any(|place| place.is_vouched && is_near(place))
    }

    /// Whether the owner is at home in that country: there, a program of his says nothing about another place.
    fn is_home_country(&self, at: Timestamp, country: u16) -> bool {
        self.0.iter().any(|place| place.country == country && place.is_home(at))
    }

    /// Whether the account was used in another country a moment ago.
    pub(super) fn is_too_far(&self, at: Timestamp, deed: &Deed) -> bool {
        let is_elsewhere =
            |place: &Place| place.country != 0 && place.country != deed.country && at.since(place.last) <= TOO_QUICK;
        deed.country != 0 && self.0.iter().any(is_elsewhere)
    }
}

impl Place {
    fn is_home(&self, at: Timestamp) -> bool {
        self.network != 0 && at.since(self.last) <= PLACE_FOR && at.since(self.first) >= HOME_AFTER
    }
}

/// Whose program something was done with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Client {
    /// Nobody tells.
    Unknown,
    /// One that the owner uses at home.
    Owners,
    /// Another.
    Strange,
}

/// A program that an account was used with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Program {
    /// What it shows of itself; zero if there is none.
    pub(super) client: u64,
    pub(super) last: Timestamp,
    /// Whether it was used at home.
    pub(super) is_owners: bool,
    /// Messages that it sent from elsewhere to people whom the owner knows, and to others.
    pub(super) friends: u8,
    pub(super) strangers: u8,
}

impl Program {
    /// Whether it is used as its owner would use a new one: he writes to those he knows.
    const fn is_plausible(&self) -> bool {
        self.friends >= FRIENDS_MIN && self.friends / 2 > self.strangers
    }
}

/// The programs of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Clients(pub(super) [Program; CLIENTS_MAX]);

impl Clients {
    /// Takes note of one; whose it is.
    pub(super) fn uses(&mut self, at: Timestamp, client: u64, is_owners: bool) -> Client {
        if client == 0 {
            return Client::Unknown;
        }
        let number = match self.0.iter().position(|known| known.client == client) {
            Some(number) => number,
            None => {
                // One that the owner used never gives way to one that he did not.
                let oldest = self.0.iter().enumerate().min_by_key(|(_, known)| (known.is_owners, known.last));
                let number = oldest.map_or(0, |(number, _)| number);
                if self.0[number].is_owners && !is_owners {
                    return Client::Strange;
                }
                self.0[number] = Program { client, ..Program::default() };
                number
            }
        };
        let program = &mut self.0[number];
        program.last = at.max(program.last);
        program.is_owners |= is_owners;
        match (program.is_owners, program.is_plausible()) {
            (true, _) => Client::Owners,
            (false, true) => Client::Unknown,
            (false, false) => Client::Strange,
        }
    }

    /// A message was begun with it from elsewhere, to somebody whom the owner knows or does not.
    pub(super) fn begins(&mut self, client: u64, is_to_friend: bool) {
        if let Some(program) = self.0.iter_mut().find(|known| client != 0 && known.client == client) {
            let count = if is_to_friend { &mut program.friends } else { &mut program.strangers };
            *count = count.saturating_add(1);
        }
    }
}
