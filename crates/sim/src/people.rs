use std::net::Ipv4Addr;
use std::time::Duration;

use base::{Address, Timestamp};

use crate::geo::{country, network_in};
use crate::{BEGIN, DAY, Mail, Random};

/// What somebody does with his account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// Writes to people he knows, and meets some.
    Plain,
    /// The same, and is away for days again and again.
    Traveller,
    /// Sends a newsletter to all of his readers each week.
    Newsletter,
    /// Runs a list with addresses of which some are stale, and new ones come each day.
    ListOwner,
    /// Has a telephone and nothing else, travels with it, loses it far from home and buys another one there.
    PhoneOnly,
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    /// His login.
    pub login: String,
    habit: Habit,
    random: Random,
    /// Those he knows; he meets more.
    contacts: Vec<String>,
    /// Where he lives and works.
    home: [Address; 2],
    /// Where that is.
    pub(crate) country: u32,
    /// The networks of his phone's provider.
    phone: [u32; 3],
    /// The day on which he has another phone.
    new_phone_on: u64,
    /// How many phones he had.
    phones: u64,
    /// Until which day he is away, and where.
    away: Option<(u64, [u32; 2])>,
    /// Readers of his newsletter or list.
    readers: usize,
}

/// A domain that many people have their address at, or one of their own.
fn domain(random: &mut Random) -> String {
    match random.below(10) {
        0..=5 => format!("big{}.example", random.below(6)),
        _ => format!("own{}.example", random.below(20_000)),
    }
}

/// Some address of a /16.
fn address_in(network: u32, random: &mut Random) -> Address {
    Address::new(Ipv4Addr::from_bits(network << 16 | random.below(65_536) as u32).into())
}

/// Somebody's address.
pub(crate) fn stranger(random: &mut Random) -> String {
    let domain = domain(random);
    format!("p{}@{domain}", random.next())
}

impl Person {
    /// Somebody, who is another for each number.
    pub fn new(number: u64, habit: Habit) -> Self {
        let mut random = Random::new(number.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let contacts = (0..random.between(15, 150)).map(|_| stranger(&mut random)).collect();
        let country = country(&mut random);
        let home = [(); 2].map(|()| {
            let network = network_in(country, &mut random);
            address_in(network, &mut random)
        });
        let phone = [(); 3].map(|()| network_in(country, &mut random));
        let new_phone_on = random.between(40, 120);
        let readers = random.between(100, 400) as usize;
        let (login, phones, away) = (format!("user{number}"), 1, None);
        Self { login, habit, random, contacts, home, country, phone, new_phone_on, phones, away, readers }
    }

    /// What he sends on a day, in its order.
    pub fn day(&mut self, day: u64) -> Vec<Mail> {
        self.plan(day);
        let is_weekend = day % 7 >= 5;
        let most = if is_weekend { 4 } else { 16 };
        let count = self.random.below(most + 1);
        let mut mails: Vec<Mail> = (0..count).map(|_| self.mail(day)).collect();
        let sends_to_all = match self.habit {
            Habit::Newsletter => day % 7 == 1,
            Habit::ListOwner => !is_weekend,
            Habit::Plain | Habit::Traveller | Habit::PhoneOnly => false,
        };
        if sends_to_all && day > 10 && self.away.is_none() {
            mails.extend(self.newsletter(day));
        }
        // Somebody who is away meets a whole group, and writes to all of them at once.
        if self.away.is_some() && self.random.once_in(25) {
            let group = self.random.between(4, 12);
            let recipients = (0..group).map(|_| (stranger(&mut self.random), true)).collect();
            let (at, (address, client), body) = (self.moment(day), self.place(), self.random.next());
            mails.push(Mail { at, address, recipients, client, body });
        }
        mails.sort_by_key(|mail| mail.at);
        mails
    }

    /// Somebody he knows; none if he knows nobody.
    pub fn contact(&self, number: u64) -> Option<&String> {
        self.contacts.get(number as usize % self.contacts.len().max(1))
    }

    /// Whether he is at home in that /16.
    pub(crate) fn lives_in(&self, network: u32) -> bool {
        let of_home = |address: &Address| (address.bits() as u32) >> 16;
        self.home.iter().map(of_home).chain(self.phone).any(|own| own == network)
    }

    fn plan(&mut self, day: u64) {
        if self.away.is_some_and(|(until, _)| day >= until) {
            self.away = None;
        }
        let leaves = match self.habit {
            Habit::Traveller | Habit::PhoneOnly => self.random.once_in(12),
            Habit::Plain | Habit::Newsletter | Habit::ListOwner => self.random.once_in(120),
        };
        if day > 14 && leaves && self.away.is_none() {
            // Every other journey is one within the country.
            let country = if self.random.once_in(2) { self.country } else { country(&mut self.random) };
            let places = [(); 2].map(|()| network_in(country, &mut self.random));
            self.away = Some((day + self.random.between(2, 12), places));
        }
        // Who has nothing else loses it while he is away.
        let is_lost = self.habit != Habit::PhoneOnly || self.away.is_some();
        if day >= self.new_phone_on && is_lost && self.phones == 1 {
            self.phones = 2;
            self.phone = [(); 3].map(|()| network_in(self.country, &mut self.random));
        }
    }

    fn mail(&mut self, day: u64) -> Mail {
        let count = if self.random.once_in(8) { self.random.between(2, 6) } else { 1 };
        let recipients = (0..count).map(|_| self.recipient()).collect();
        let (at, (address, client), body) = (self.moment(day), self.place(), self.random.next());
        Mail { at, address, recipients, client, body }
    }

    /// Mostly those whom he writes to most; now and then somebody new, and now and then he mistypes.
    fn recipient(&mut self) -> (String, bool) {
        if self.random.once_in(14) {
            let new = stranger(&mut self.random);
            self.contacts.push(new.clone());
            return (new, true);
        }
        if self.random.once_in(200) {
            return (format!("typo{}@big1.example", self.random.next()), false);
        }
        let most = self.contacts.len() as u64;
        let place = self.random.below(most).min(self.random.below(most)).min(self.random.below(most));
        (self.contacts[place as usize].clone(), true)
    }

    /// One message to each reader, as a program sends them, some of them to addresses that are no more.
    fn newsletter(&mut self, day: u64) -> Vec<Mail> {
        let start = self.moment(day);
        let stale = if self.habit == Habit::ListOwner { 30 } else { 100 };
        let (readers, body) = (self.readers as u64, self.random.next());
        self.readers += self.random.below(8) as usize;
        let mail = |number: u64| Mail {
            at: start.plus(Duration::from_secs(number)),
            address: self.home[0],
            recipients: vec![(
                format!("{}-reader{number}@big{}.example", self.login, number % 6),
                !number.is_multiple_of(stale),
            )],
            client: format!("newsletter of {}", self.login),
            body,
        };
        (0..readers).map(mail).collect()
    }

    /// Some moment of his day; away, it is another time of the day here.
    fn moment(&mut self, day: u64) -> Timestamp {
        let hour = self.random.between(7, 20) + if self.away.is_some() { 8 } else { 0 };
        BEGIN.plus(Duration::from_secs(day * DAY + hour % 24 * 3600 + self.random.below(3600)))
    }

    /// Where he is, and with what he writes.
    fn place(&mut self) -> (Address, String) {
        let on_the_way = self.random.once_in(3);
        let has_phone = on_the_way || self.habit == Habit::PhoneOnly;
        let client = if has_phone { format!("phone {}", self.phones) } else { "laptop".to_owned() };
        let address = match self.away {
            Some((_, places)) => {
                let place = if on_the_way { places[1] } else { places[0] };
                address_in(place, &mut self.random)
            }
            None if on_the_way => {
                let network = self.phone[self.random.below(3) as usize];
                address_in(network, &mut self.random)
            }
            None => self.home[usize::from(self.random.once_in(2))],
        };
        (address, format!("{client} of {}", self.login))
    }
}
