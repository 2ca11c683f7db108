use std::collections::HashMap;

use core::time::Duration;

use proptest::prelude::*;

use super::*;

/// A small world of names: `TYPE name` and what is there.
fn world() -> HashMap<&'static str, Vec<&'static str>> {
    HashMap::from([
        ("TXT plain.example", vec!["v=spf1 ip4:20.0.0.0/24 ip6:2a00::/32 ip4:20.9.9.9 -all", "some other text"]),
        ("TXT signs.example", vec!["v=spf1 -ip4:20.0.0.1 ~a ?include:plain.example +ip4:20.0.0.2 ~all"]),
        ("TXT hosts.example", vec!["v=spf1 a mx/24 a:other.example/30//64 -all"]),
        ("A hosts.example", vec!["20.1.0.1"]),
        ("MX hosts.example", vec!["mail.hosts.example"]),
        ("A mail.hosts.example", vec!["20.2.0.9"]),
        ("A other.example", vec!["20.3.0.5"]),
        ("AAAA other.example", vec!["2a01::5"]),
        ("TXT in.example", vec!["V=SPF1 include:plain.example include:signs.example exists:%{i}.x.example -all"]),
        ("TXT to.example", vec!["v=spf1 redirect=plain.example"]),
        ("TXT all.example", vec!["v=spf1 ip4:20.5.0.1 redirect=plain.example ?all"]),
        ("TXT loop.example", vec!["v=spf1 include:loop.example ip4:20.0.0.3 -all"]),
        ("TXT none.example", vec!["nothing of the kind", "v=spf10 ip4:20.0.0.1"]),
        ("TXT two.example", vec!["v=spf1 a", "v=spf1 mx"]),
        ("TXT wrong.example", vec!["v=spf1 ip4:20.0.0 -all"]),
        ("TXT odd.example", vec!["v=spf1 ipv4:20.0.0.1 -all"]),
        ("TXT wide.example", vec!["v=spf1 ip4:0.0.0.0/0 -all"]),
        ("TXT many.example", vec!["v=spf1 a a a a a a a a a a a -all"]),
        ("TXT silent.example", vec!["v=spf1 include:gone.example ip4:20.0.0.1 -all"]),
        ("TXT mods.example", vec!["v=spf1 exp=x.example unknown=a:b ip4:20.0.0.4 -all"]),
    ])
}

fn ask(question: &Question<'_>, asked: &mut usize) -> Reply {
    *asked += 1;
    let (kind, name) = match question {
        Question::Texts(name) => ("TXT", name),
        Question::V4(name) => ("A", name),
        Question::V6(name) => ("AAAA", name),
        Question::Exchanges(name) => ("MX", name),
        Question::Names(_) => unreachable!("no policy asks for the names of addresses"),
    };
    if *name == "gone.example" {
        return Reply::ServerFailed;
    }
    let Some(texts) = world().remove(&*format!("{kind} {name}")) else { return Reply::NoName(None) };
    let data = texts.into_iter().map(|text| match kind {
        "TXT" => Data::Text(text.into()),
        "MX" => Data::Exchange(text.into()),
        _ => Data::Address(text.parse().unwrap()),
    });
    Reply::Records { data: data.collect(), ttl: Duration::from_mins(1) }
}

fn resolved(domain: &str) -> Result<String, Fault> {
    let (mut walk, mut asked) = (Walk::new(domain), 0);
    while let Some(reply) = walk.question().map(|question| ask(&question, &mut asked)) {
        walk.told(&reply);
        assert!(asked < 100, "{domain}: it asks on and on");
    }
    walk.networks().map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

#[test]
fn policies_and_what_they_let_pass() {
    let cases = [
        ("plain.example", Ok("20.0.0.0/24 20.9.9.9 2a00::/32")),
        ("PLAIN.example", Ok("20.0.0.0/24 20.9.9.9 2a00::/32")),
        ("signs.example", Ok("20.0.0.2")),
        ("hosts.example", Ok("20.1.0.1 20.2.0.0/24 20.3.0.4/30 2a01::/64")),
        ("in.example", Ok("20.0.0.0/24 20.0.0.2 20.9.9.9 2a00::/32")),
        ("to.example", Ok("20.0.0.0/24 20.9.9.9 2a00::/32")),
        ("all.example", Ok("20.5.0.1")),
        ("loop.example", Ok("20.0.0.3")),
        ("mods.example", Ok("20.0.0.4")),
        ("none.example", Err(Fault::NoPolicy)),
        ("two.example", Err(Fault::NoPolicy)),
        ("nobody.example", Err(Fault::NoPolicy)),
        ("wrong.example", Err(Fault::Syntax)),
        ("odd.example", Err(Fault::Syntax)),
        ("wide.example", Err(Fault::TooWide)),
        ("many.example", Err(Fault::TooManyLookups)),
        ("silent.example", Err(Fault::Unanswered)),
    ];
    for (domain, expected) in cases {
        assert_eq!(resolved(domain), expected.map(str::to_owned), "{domain}");
    }
}

proptest! {
    #[test]
    fn no_policy_harms(text in "(v=spf1 )?([ +~?:/%=a-z0-9.-]{0,12}(ip4:|a|mx|include:|redirect=|/|//)?){0,12}") {
        let mut walk = Walk::new("a.example");
        let mut asked = 0;
        while walk.question().is_some() {
            asked += 1;
            prop_assert!(asked < 2 * LOOKUPS_MAX * (EXCHANGES_MAX + 2), "it asks on and on");
            walk.told(&Reply::Records { data: vec![Data::Text(text.clone().into())], ttl: Duration::ZERO });
        }
        for network in walk.networks().unwrap_or_default() {
            let least = if network.base().is_ipv4() { LENGTHS_MIN.0 } else { LENGTHS_MIN.1 };
            prop_assert!(network.length() >= least);
        }
    }
}
