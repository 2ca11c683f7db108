use base::Address;
use rules::accounts::{Geo, Located};

use crate::Random;

/// How many countries there are.
const COUNTRIES: u32 = 40;

/// The first /16 in which people live, and how many there are.
const FIRST: u32 = 0x0b00;
const COUNT: u32 = 0x9500;

/// A world in which every /16 is in one country.
#[derive(Clone, Copy, Debug)]
pub struct Countries;

impl Geo for Countries {
    fn locate(&self, address: Address) -> Located {
        let network = (address.bits() as u32) >> 16;
        let country = (network.wrapping_sub(FIRST) % COUNTRIES) as u8;
        Located { country: Some([b'A' + country / 26, b'A' + country % 26]), asn: None }
    }
}

/// Some country.
pub(crate) const fn country(random: &mut Random) -> u32 {
    random.below(COUNTRIES as u64) as u32
}

/// Some /16 in that country.
pub(crate) const fn network_in(country: u32, random: &mut Random) -> u32 {
    FIRST + random.below((COUNT / COUNTRIES) as u64) as u32 * COUNTRIES + country
}
