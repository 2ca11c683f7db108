//! A node takes zones from another one, answers for them, and says how they stand.

use ratter_tests::dns::entry;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::wait;

const LISTED: &str = "192.0.2.77";

#[test]
fn a_mirror_answers_for_its_primary_and_tells_how_its_zones_stand() {
    let primary = Node::start(&Config::new().with("[dnsbl.transfer]\nallow = [{ from = [\"127.0.0.0/8\"] }]\n"));
    primary.cli(&["list", LISTED, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    let from = primary.addresses().dns;
    let zone = |name: &str| format!("[[dnsbl.mirror]]\nzone = \"{name}\"\nprimaries = [\"{from}\"]\n");
    let (ours, other) = (format!("auth.{ORIGIN}"), "elsewhere.example.net");
    let mirror = Node::start(&Config::new().with(&(zone(&ours) + &zone(other))));
    wait::until_true("the zone to be there", || {
        mirror.dig().addresses(&entry(LISTED, "auth", ORIGIN)) == ["127.0.0.43"]
    });
    let states = || mirror.quick_status().dnsbl.expect("it serves DNS").mirrors;
    wait::until_true("the other zone to have failed", || states().iter().any(|zone| zone.fault.is_some()));

    let serial = primary.dig().ask(&ours, "SOA").answer[0].data.split(' ').nth(2).map(str::to_owned);
    let [served, failed] = [&*ours, other]
        .map(|name| states().into_iter().find(|zone| zone.name == name).expect("each mirrored zone is told"));
    assert_eq!((served.serial.map(|serial| serial.to_string()), &served.fault), (serial, &None));
    assert_eq!(served.from, Some(from.to_string()));
    assert_eq!((failed.name.as_str(), failed.serial, &failed.from), (other, None, &None));
    let text = mirror.cli(&["status"]).with_code(0).out;
    let line = |name: &str| {
        text.lines().map(str::trim).find(|line| line.starts_with(&format!("mirror {name}"))).unwrap_or_default()
    };
    let since = served.since.expect("it came at some time");
    let records = served.records;
    let wanted = format!("serial {}, {records} records, since {since} from {from}", served.serial.unwrap_or_default());
    assert!(line(&ours).contains(" served ") && line(&ours).contains(&wanted), "{wanted}:\n{text}");
    assert!(line(other).contains("not served"), "{text}");
    assert!(text.contains(&format!("! mirrored zone {other}: {from}: ")), "{text}");
}
