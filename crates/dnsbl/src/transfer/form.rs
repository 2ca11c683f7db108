//! What a zone's records say beside what is listed, as a number: who has the zone of an earlier process may be sent what
//! changed since only if they say the same now.

use core::hash::Hasher as _;

use base::{Address, ListSet, Network};
use listings::tree::{Changes, Tree};
use siphasher::sip::SipHasher13;

use super::outgoing::{Outgoing, Request};
use crate::serve::Zones;
use crate::serve::wire::{HEADER_BYTES, code};

/// Networks of each kind that names tell apart: written out, as a wildcard, as several of them, and with the shortest and the
/// longest texts.
const SAMPLE: [&str; 8] = [
    "1.1.1.1",
    "192.168.200.201",
    "10.0.0.0/8",
    "172.16.0.0/13",
    "2.6.0.0/24",
    "1::1",
    "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
    "fd00:1234::/46",
];

/// The name and the form of each zone: a hash of all that a transfer says, if each of the zone's lists has a sample of
/// networks. Another version of the program may write them otherwise, and is another form.
pub fn forms(zones: &Zones) -> Vec<(String, u64)> {
    let names = zones.names().map(|name| name.to_string().to_ascii_lowercase());
    names.enumerate().map(|(zone, name)| (name, form(zones, zone))).collect()
}

fn form(zones: &Zones, zone: usize) -> u64 {
    // All lists together, and each alone, because lists may have one text.
    let mut changes = Changes::default();
    let members = zones.all[zone].members;
    for network in SAMPLE.iter().filter_map(|text| text.parse::<Network>().ok()) {
        changes.set(network, members);
    }
    for (list, number) in members.iter().zip(1..) {
        let network = Network::containing(Address::new([198, 51, 100, number].into()), 32);
        changes.set(network, ListSet::EMPTY.with(list));
    }
    let mut tree = Tree::default();
    tree.apply(&mut changes);
    let mut opening = vec![0; HEADER_BYTES];
    opening.extend_from_slice(zones.all[zone].name.wire());
    opening.extend_from_slice(&code::SOA.to_be_bytes());
    opening.extend_from_slice(&code::CLASS_IN.to_be_bytes());
    let request = Request { zones, zone, opening: &opening, has_edns: false };
    let mut hasher = SipHasher13::new();
    hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
    // What is listed is kept by the names of lists: with another name it is another list, whatever its records say.
    for list in members.iter().filter_map(|list| zones.lists[list.index()].as_ref()) {
        hasher.write(list.name.as_bytes());
        hasher.write_u8(0);
    }
    let mut outgoing = Outgoing::whole(request, &tree, 0);
    let mut message = Vec::new();
    while outgoing.next_message(&mut message) {
        hasher.write(&message);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use base::ListId;

    use super::*;
    use crate::serve::{Members, Settings};
    use crate::transfer::testing;

    fn settings() -> Settings {
        let mut settings = testing::settings();
        for list in &mut settings.lists {
            list.text = "{ip} is listed. {url}".into();
        }
        settings.look_up_url = "https://bl.example.org/{ip}".into();
        settings
    }

    /// The zones whose form is another one with the settings changed.
    fn changed(change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let mut other = settings();
        change(&mut other);
        let zones = |settings: &Settings| forms(&Zones::new(settings).unwrap());
        let before = zones(&settings());
        zones(&other).into_iter().filter(|zone| !before.contains(zone)).map(|(name, _)| name).collect()
    }

    #[test]
    fn whatever_changes_a_record_changes_the_form() {
        let all = ["bl.example.org", "dyna.bl.example.org", "auth.bl.example.org", "all.bl.example.org"];
        let of_auth = [all[2], all[3]];
        assert_eq!(changed(|_| ()), [""; 0]);
        assert_eq!(changed(|it| it.lists[1].code = [127, 0, 0, 44].into()), of_auth);
        assert_eq!(changed(|it| it.lists[1].text = "{ip} is listed.".into()), of_auth);
        assert_eq!(changed(|it| it.lists[1].ttl = Duration::from_mins(4)), of_auth);
        assert_eq!(changed(|it| it.look_up_url = "https://bl.example.org/{ip}?".into()), all[1..]);
        assert_eq!(changed(|it| it.contact = "root@example.org".into()), all);
        assert_eq!(changed(|it| it.apex_ttl = Duration::from_hours(2)), all);
        assert_eq!(changed(|it| it.negative_ttl = Duration::from_mins(3)), all);
        assert_eq!(changed(|it| it.timers.retry = Duration::from_mins(9)), all);
        assert_eq!(changed(|it| it.web_addresses.push([192, 0, 2, 1].into())), all);
        assert_eq!(changed(|it| it.name_servers[0].name = "ns2.example.net".into()), all);
        assert_eq!(changed(|it| it.combined[0].lists = Members::These(vec![ListId::new(2)])), [all[3]]);
        assert_eq!(changed(|it| it.lists[1].name = "login".into()), [all[0], "login.bl.example.org", all[3]]);
        let texts = |it: &mut Settings| it.lists[0].text = "x".into();
        assert_eq!(changed(texts), [all[1], all[3]]);
    }
}
