use std::net::Ipv4Addr;
use std::time::Duration;

use base::{Address, Timestamp};

use crate::geo::{country, network_in};
use crate::people::stranger;
use crate::{Mail, Person, Random};

/// How a stolen account is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Theft {
    /// Each message from another machine of a botnet.
    Botnet,
    /// As fast as it goes, from one address.
    Burst,
    /// The same with many recipients in each message.
    Groups,
    /// Groups just small enough to look like friends.
    SmallGroups,
    /// 25 an hour, from one address.
    Slow,
    /// To an old list, of which every third address is no more.
    StaleList,
    /// A few messages a day with an invoice, also to people whom the owner knows.
    Fraud,
}

impl Theft {
    /// All ways.
    pub const ALL: [Self; 7] =
        [Self::Botnet, Self::Burst, Self::Groups, Self::SmallGroups, Self::Slow, Self::StaleList, Self::Fraud];
}

/// What a thief sends who has somebody's password from a moment on, for three days.
pub fn steal(theft: Theft, owner: &Person, from: Timestamp, seed: u64) -> Vec<Mail> {
    let mut random = Random::new(seed);
    let (count, pause) = match theft {
        Theft::Botnet => (400, 60),
        Theft::Burst => (1000, 1),
        Theft::Groups => (100, 30),
        Theft::SmallGroups => (50, 3600),
        Theft::Slow => (25 * 72, 144),
        Theft::StaleList => (500, 20),
        Theft::Fraud => (9, 8 * 3600),
    };
    // One in five sits in the owner's country; one in two writes every text anew.
    let here = if seed.is_multiple_of(5) { owner.country } else { country(&mut random) };
    // One in the very network of the owner looks like him: no sign is told of there.
    let mut own = network_in(here, &mut random);
    while owner.lives_in(own) {
        own = network_in(here, &mut random);
    }
    let has_one_text = seed.is_multiple_of(2) && theft != Theft::Fraud;
    let address = |random: &mut Random, network: u32| {
        Address::new(Ipv4Addr::from_bits(network << 16 | random.below(65_536) as u32).into())
    };
    let fixed = address(&mut random, own);
    (0..count)
        .map(|number: u64| {
            let at = from.plus(Duration::from_secs(number * pause + random.below(pause)));
            let address = match theft {
                Theft::Botnet => {
                    let country = country(&mut random);
                    let other = network_in(country, &mut random);
                    address(&mut random, other)
                }
                Theft::Burst | Theft::Groups | Theft::SmallGroups | Theft::Slow | Theft::StaleList | Theft::Fraud => {
                    fixed
                }
            };
            let many = match theft {
                Theft::Groups => 20,
                Theft::SmallGroups => 12,
                Theft::Botnet | Theft::Burst | Theft::Slow | Theft::StaleList | Theft::Fraud => 1,
            };
            let recipients = (0..many)
                .map(|_| match theft {
                    Theft::Fraud if random.once_in(2) => {
                        let known = owner.contact(random.next()).cloned();
                        (known.unwrap_or_else(|| stranger(&mut random)), true)
                    }
                    Theft::StaleList => (stranger(&mut random), !random.once_in(3)),
                    Theft::Botnet | Theft::Burst | Theft::Groups | Theft::SmallGroups | Theft::Slow | Theft::Fraud => {
                        (stranger(&mut random), true)
                    }
                })
                .collect();
            let body = if has_one_text { seed } else { random.next() };
            Mail { at, address, recipients, client: format!("robot {seed}"), body }
        })
        .collect()
}
