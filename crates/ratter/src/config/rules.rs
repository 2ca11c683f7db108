//! `[[rule]]`: what is counted, and what follows.

use core::ops::{Range, RangeInclusive};
use core::time::Duration;

use ::actions::notice::Stopped;
use base::EventKind;
use base::limits::RULES_MAX;
use rules::{By, Distinct, Effect, Lock, Of, ReverseName, Rule, Then, Trigger, Width};

use super::diagnose::Fault;
use super::forms::{boolean, duration, duration_or, name, number, word};
use super::lists::Lists;
use super::reader::Section;
use super::units::days;

/// Most events that a rule can wait for: the times of all are kept, for each subject.
const COUNT_MAX: u64 = 1000;

/// Most addresses that are remembered for one login.
const STRANGERS_MAX: u16 = 64;

/// Most failures that are counted by network, autonomous system or password.
const SUSPICIONS_MAX: u16 = 100;

/// Most events that a good thing weighs up.
const PER_GOOD_MAX: u64 = 10;

/// A window must end before what it counts is forgotten.
const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=days(30);

/// A block or listing of a rule has an end.
const SPAN: RangeInclusive<Duration> = Duration::from_secs(1)..=days(366);

/// Dovecot gives up on a login after 150 seconds and then reports nothing; 100 have been seen to work.
const TARPIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(100);

/// A rule with its place; only the name of one that has a fault.
struct Draft {
    name: String,
    place: Range<usize>,
    rule: Option<Rule>,
}

/// The shipped rules, with the lists that they were read with.
#[derive(Clone, Copy)]
pub(super) struct Shipped<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) lists: &'a Lists,
}

/// Whether a rule on it guards logins, which every node does.
pub(super) const fn is_about_logins(on: Trigger) -> bool {
    matches!(on, Trigger::Event(EventKind::LoginFailed) | Trigger::Blocked)
}

/// What each rule, and each lock behind them, stops for what a login sent: only who has the password brings that about.
pub(super) fn stopped_senders(rules: &[Rule]) -> Vec<Option<Stopped>> {
    let of_rule = |rule: &Rule| {
        let stopped = if rule.by == By::SenderLogin { Stopped::Sending } else { Stopped::Login };
        rule.by.is_sender().then_some(stopped)
    };
    let of_lock = |(_, lock): (&str, Lock)| match lock {
        Lock::Login => Some(Stopped::Login),
        Lock::Sending => Some(Stopped::Sending),
    };
    rules.iter().map(of_rule).chain(Lock::NAMES.map(of_lock)).collect()
}

/// The rules of `section`, after the shipped ones that it does not replace.
pub(super) fn read(section: &Section<'_>, lists: &Lists, shipped: Shipped<'_>) -> Vec<Rule> {
    let drafts = section.tables("rule", |section| one(section, lists));
    if section.is_empty("rule") && !shipped.rules.is_empty() {
        let fault =
            Fault::warning(section.place("rule"), "`rule = []` removes no rule").label("the shipped ones are in force");
        let hint = "`shipped = false` in [rules] leaves them out; a `[[rule]]` with the name of one replaces it";
        section.desk.report(fault.hint(hint.to_owned()));
    }
    let drafts: Vec<Draft> = drafts.into_iter().flatten().collect();
    for (index, draft) in drafts.iter().enumerate() {
        if let Some(first) = drafts[..index].iter().find(|other| other.name == draft.name) {
            let fault = Fault::error(draft.place.clone(), format!("two rules named `{}`", draft.name));
            section.desk.report(fault.label("the second").also(first.place.clone(), "the first"));
        }
    }
    // A replaced rule keeps its place, so that what is remembered of it stays with it.
    let kept_or_replaced = |rule: &Rule| match drafts.iter().find(|draft| *draft.name == *rule.name) {
        Some(draft) => draft.rule.clone(),
        None => adopt(section, rule, lists, shipped.lists),
    };
    let mut rules: Vec<Rule> = shipped.rules.iter().filter_map(kept_or_replaced).collect();
    let added = drafts.iter().filter(|draft| shipped.rules.iter().all(|rule| *rule.name != *draft.name));
    rules.extend(added.filter_map(|draft| draft.rule.clone()));
    if rules.len() > RULES_MAX {
        let place = drafts.last().map_or_else(|| section.header(), |draft| draft.place.clone());
        section.desk.report(Fault::error(place, format!("more than {RULES_MAX} rules")).label("the last"));
    }
    rules
}

/// A shipped rule for a file with `lists`, in which its list may have another place, or none.
fn adopt(section: &Section<'_>, rule: &Rule, lists: &Lists, shipped_lists: &Lists) -> Option<Rule> {
    let Effect::List { list, span } = rule.effect else { return Some(rule.clone()) };
    let name = shipped_lists.name(list);
    let Some(list) = lists.find(name) else {
        if !is_about_logins(rule.on) {
            // Who publishes only some of the lists does not want the rules of the others.
            return None;
        }
        let title = format!("the shipped rule `{}` wants the list `{name}`, which is not in the file", rule.name);
        let hint = "add the list, replace the rule by one of the same name, or set `shipped = false` in [rules]";
        section.desk.report(section.wrong("list", title).label("the first of the lists").hint(hint.to_owned()));
        return None;
    };
    Some(Rule { effect: Effect::List { list, span }, ..rule.clone() })
}

fn one(section: &Section<'_>, lists: &Lists) -> Option<Draft> {
    let name = section.required("name", &name());
    let on = section.required("on", &word(triggers()));
    let by = section.required("by", &word(subjects()));
    let count = section.required("count", &number(1..=COUNT_MAX));
    let within = section.required("within", &duration(WITHIN));
    let distinct = section.part("distinct", |part| distinct(part, by, count));
    let unless_known = section.optional("unless-known", &boolean());
    let per_good = section.optional("per-good", &number(0..=PER_GOOD_MAX));
    let reverse = section.optional("reverse", &word(reverse_names()));
    let block = section.part("block", |part| block(part, on, by, count));
    let list = section.part("list", |part| list(part, by, lists));

    if let (Some(Trigger::Event(kind)), Some(1)) = (on, count)
        && is_daily(kind)
    {
        let fault = section.wrong("count", format!("a single `{kind}` is no attack"));
        section.desk.report(fault.label("would hit everybody").hint("count at least 2".to_owned()));
    }
    refuse_odd_subjects(section, on, by);
    refuse_odd_sieges(section, by, block.as_ref());
    refuse_odd_suspects(section, on, by, block.as_ref(), distinct);
    if reverse.is_some() && (by != Some(By::Address) || section.has("block")) {
        let fault = section.wrong("reverse", "only an address that is to be listed is asked for its reverse name");
        section.desk.report(fault.label("goes with `by = \"address\"` and `list`"));
    }
    if per_good.is_some_and(|more| more > 0) && (by != Some(By::Address) || section.has("block")) {
        let fault = section.wrong("per-good", "only an address that is to be listed is weighed by the good it does");
        section.desk.report(fault.label("goes with `by = \"address\"` and `list`"));
    }
    let effect = match (section.has("block"), section.has("list")) {
        (true, true) => {
            let fault = Fault::error(section.key_place("list"), "a rule either blocks or lists").label("one too many");
            let hint = "make two rules of it".to_owned();
            section.desk.report(fault.also(section.key_place("block"), "the other").hint(hint));
            None
        }
        (false, false) => {
            let fault = Fault::error(section.header(), "a rule without `block` and without `list` does nothing");
            let hint = "add `block = { for = \"10m\" }` or `list = { on = \"auth\", for = \"7d\" }`".to_owned();
            section.desk.report(fault.hint(hint));
            None
        }
        (true, false) | (false, true) => block.or(list),
    };
    if let Some((name, _)) = name.as_ref().and_then(|name| Lock::NAMES.into_iter().find(|(lock, _)| lock == name)) {
        let fault = section.wrong("name", format!("`{name}` is what locks of stolen accounts are called"));
        section.desk.report(fault.label("choose another").hint("their thresholds stand in [accounts]".to_owned()));
    }
    let name = name?;
    let rule = (|| {
        let unless_known = unless_known.unwrap_or(false);
        Some(Rule {
            name: name.as_str().into(),
            on: on?,
            by: by?,
            count: count?,
            within: within?,
            distinct,
            unless_known,
            per_good: per_good.unwrap_or(0),
            reverse,
            effect: effect?,
        })
    })();
    Some(Draft { name, place: section.place("name"), rule })
}

fn triggers() -> impl Iterator<Item = (&'static str, Trigger)> {
    let events = EventKind::ALL.into_iter().map(|kind| (kind.name(), Trigger::Event(kind)));
    events.chain([("blocked", Trigger::Blocked), ("listed", Trigger::Listed)])
}

const fn subjects() -> [(&'static str, By); 12] {
    [
        ("address", By::Address),
        ("login", By::Login),
        ("login-only", By::LoginOnly),
        ("no-login", By::NoLogin),
        ("sender", By::Sender),
        ("any-sender", By::AnySender),
        ("sender-login", By::SenderLogin),
        ("/24", By::Network(Width::V4Bits24)),
        ("/56", By::Network(Width::V6Bits56)),
        ("/48", By::Network(Width::V6Bits48)),
        ("asn", By::System),
        ("password", By::Password),
    ]
}

const fn reverse_names() -> [(&'static str, ReverseName); 3] {
    [("dynamic", ReverseName::Dynamic), ("none", ReverseName::Missing), ("proper", ReverseName::Proper)]
}

/// A network is listed for what is listed in it, and for nothing else.
fn refuse_odd_subjects(section: &Section<'_>, on: Option<Trigger>, by: Option<By>) {
    let (Some(on), Some(by)) = (on, by) else { return };
    let is_network = matches!(by, By::Network(_));
    let is_about_failures = on == Trigger::Event(EventKind::LoginFailed) && by.is_suspect();
    if (on == Trigger::Listed) != is_network && !is_about_failures {
        let fault = section.wrong("by", "what is listed is counted by network, and nothing else is");
        section.desk.report(fault.label("`on = \"listed\"` goes with `\"/24\"`, `\"/56\"` and `\"/48\"`"));
    }
    if by.is_sender() && section.has("list") {
        let fault = Fault::error(section.key_place("list"), "a sender is blocked, not listed: it may be a login");
        section.desk.report(fault.hint("use `block = { for = \"ever\" }`".to_owned()));
    }
    if is_network && !is_about_failures && section.has("block") {
        let fault = Fault::error(section.key_place("block"), "a network is listed, not blocked");
        section.desk.report(fault.hint("use `list = { on = \"null\", for = \"3d\" }`".to_owned()));
    }
}

/// What blocks the addresses that try a login tells addresses apart by itself; and attempts without a login are nobody's.
fn refuse_odd_sieges(section: &Section<'_>, by: Option<By>, block: Option<&Effect>) {
    let is_siege = matches!(block, Some(Effect::BlockAddresses { .. }));
    if is_siege && section.has("distinct") && matches!(by, Some(By::Login | By::NoLogin)) {
        let fault = Fault::error(section.key_place("distinct"), "`count` counts different addresses already");
        section.desk.report(fault.label("not with `whom = \"addresses\"`"));
    }
    if by == Some(By::NoLogin) && !is_siege && (block.is_some() || section.has("list")) {
        let fault = section.wrong("by", "nobody is the subject of attempts without a login");
        let hint = "use `block = { for = \"24h\", whom = \"addresses\" }`".to_owned();
        section.desk.report(fault.label("goes with `whom = \"addresses\"`").hint(hint));
    }
}

/// What makes a suspect of a network or a password is failures at several logins: a device with an old password that
/// travels has one. And nobody is published, nor a whole network blocked, for what neighbours do.
fn refuse_odd_suspects(
    section: &Section<'_>,
    on: Option<Trigger>,
    by: Option<By>,
    block: Option<&Effect>,
    distinct: Option<Distinct>,
) {
    let is_failure = on == Some(Trigger::Event(EventKind::LoginFailed));
    if !is_failure || !by.is_some_and(By::is_suspect) {
        return;
    }
    let whom = || "use `block = { for = \"24h\", whom = \"addresses\" }`".to_owned();
    if section.has("list") {
        let fault = Fault::error(section.key_place("list"), "nobody is listed for what his neighbours do");
        section.desk.report(fault.hint(whom()));
    } else if block.is_some_and(|block| !matches!(block, Effect::BlockAddresses { .. })) {
        let fault = Fault::error(section.key_place("block"), "only the addresses that failed are blocked");
        section.desk.report(fault.label("goes with `whom = \"addresses\"`").hint(whom()));
    } else if distinct.is_none_or(|distinct| distinct.of != Of::Login) {
        let fault = section.wrong("by", "failures at one login are no attack on many");
        let hint = "add `distinct = { of = \"login\", at-least = 3 }`".to_owned();
        section.desk.report(fault.label("goes with different logins").hint(hint));
    }
}

/// Whether honest people and servers cause such an event every day, so that one of them means nothing.
fn is_daily(kind: EventKind) -> bool {
    match kind {
        EventKind::LoginFailed
        | EventKind::LoginOk
        | EventKind::Connect
        | EventKind::UnknownRecipient
        | EventKind::MessageSent
        | EventKind::MessageReceived => true,
        EventKind::RelayDenied
        | EventKind::ProtocolAbuse
        | EventKind::RateExceeded
        | EventKind::SpamSeen
        | EventKind::TrapHit => false,
    }
}

/// What can be told apart.
const OF: [(&str, Of); 5] = [
    ("address", Of::Address),
    ("login", Of::Login),
    ("guess", Of::Guess),
    ("message", Of::Message),
    ("place", Of::Place),
];

fn distinct(section: &Section<'_>, by: Option<By>, count: Option<u16>) -> Option<Distinct> {
    let of = section.required("of", &word(OF));
    let at_least = section.required("at-least", &number(1..=COUNT_MAX));
    if matches!(
        (by, of),
        (Some(By::Address), Some(Of::Address))
            | (Some(By::Login | By::SenderLogin), Some(Of::Login))
            | (Some(By::LoginOnly), Some(Of::Login | Of::Address | Of::Place))
            | (Some(By::Address | By::Network(_)), Some(Of::Place))
    ) {
        let fault = section.wrong("of", "what is counted by one thing differs in another");
        section.desk.report(fault.label("the same as `by`, so that there is never more than one"));
    }
    if let (Some(count), Some(at_least)) = (count, at_least)
        && at_least > count
    {
        let fault = section.wrong("at-least", format!("{at_least} of {count} events cannot differ"));
        section.desk.report(fault.label(format!("more than `count`, which is {count}")));
    }
    Some(Distinct { of: of?, at_least: at_least? })
}

fn block(section: &Section<'_>, on: Option<Trigger>, by: Option<By>, count: Option<u16>) -> Option<Effect> {
    let span = section.required("for", &duration_or("ever", SPAN));
    let then = section.optional("then", &word([("refuse", false), ("tarpit", true)]));
    let tarpit =
        section.optional("tarpit", &duration(TARPIT).or_hint("Dovecot gives up on a login that is held for 150s"));
    let is_whom = section.optional("whom", &word([("subject", false), ("addresses", true)]));
    if by.is_some_and(By::is_sender) {
        return block_sender(section, on).and(span).map(|span| Effect::BlockSender { span });
    }
    let span = match span {
        Some(None) => {
            let fault = section.wrong("for", "only senders are blocked without end");
            section.desk.report(fault.label("goes with `by = \"sender\"`").hint("write how long".to_owned()));
            None
        }
        Some(Some(span)) => Some(span),
        None => None,
    };
    if is_whom == Some(true) {
        return block_addresses(section, on, by, count).and(span).map(|span| Effect::BlockAddresses { span });
    }
    if on == Some(Trigger::Blocked) {
        let fault = Fault::error(section.header(), "what was blocked is blocked already");
        let hint = "blocks are never extended; use `list = { on = \"auth\", for = \"7d\" }`".to_owned();
        section.desk.report(fault.label("`on = \"blocked\"` goes with `list`").hint(hint));
    }
    let then = match (then, section.has("tarpit")) {
        (Some(true), false) => {
            let fault = section.wrong("then", "a tarpit wants to know for how long").label("`tarpit` is missing");
            section.desk.report(fault.hint("add `tarpit = \"60s\"`".to_owned()));
            None
        }
        (Some(true), true) => tarpit.map(Then::Tarpit),
        (Some(false), true) => {
            let fault = Fault::error(section.key_place("tarpit"), "`tarpit` has no effect");
            let fault = fault.label("only used with `then = \"tarpit\"`");
            section.desk.report(fault.also(section.place("then"), "refused at once"));
            None
        }
        (None, true) if !section.has("then") => {
            let fault = Fault::error(section.key_place("tarpit"), "`tarpit` has no effect");
            let fault = fault.label("only used with `then = \"tarpit\"`");
            section.desk.report(fault.hint("add `then = \"tarpit\"`".to_owned()));
            None
        }
        (Some(false) | None, _) => Some(Then::Refuse),
    };
    Some(Effect::Block { span: span?, then: then? })
}

/// Whether a rule can block who sent.
fn block_sender(section: &Section<'_>, on: Option<Trigger>) -> Option<()> {
    let fault = if on? != Trigger::Event(EventKind::RateExceeded) && on? != Trigger::Event(EventKind::SpamSeen) {
        section
            .wrong("on", "a sender is blocked for what was sent")
            .label("goes with `on = \"rate-exceeded\"` and `\"spam-seen\"`")
    } else if let Some(key) = ["then", "tarpit", "whom"].into_iter().find(|key| section.has(key)) {
        let fault = Fault::error(section.key_place(key), "a sender is refused at once, and nobody else is");
        fault.label("not with `by = \"sender\"`")
    } else {
        return Some(());
    };
    section.desk.report(fault);
    None
}

/// Whether a rule can block the addresses that tried a login.
fn block_addresses(section: &Section<'_>, on: Option<Trigger>, by: Option<By>, count: Option<u16>) -> Option<()> {
    let (on, by, count) = (on?, by?, count?);
    let is_siege = matches!(by, By::Login | By::NoLogin);
    let count_max = if is_siege { STRANGERS_MAX } else { SUSPICIONS_MAX };
    let fault = if on != Trigger::Event(EventKind::LoginFailed) || !is_siege && !by.is_suspect() {
        let fault = section.wrong("whom", "only the addresses that tried a login are counted");
        fault.label(
            "goes with `on = \"login-failed\"`, and not with `by = \"address\"`, `\"login-only\"` or `\"sender\"`",
        )
    } else if count > count_max {
        let fault = section.wrong("whom", "so many addresses are not remembered");
        fault.label(format!("`count` is more than {count_max}"))
    } else if section.has("then") {
        let fault = Fault::error(section.key_place("then"), "addresses that are strangers are refused at once");
        fault.label("not with `whom = \"addresses\"`")
    } else {
        return Some(());
    };
    section.desk.report(fault);
    None
}

fn list(section: &Section<'_>, by: Option<By>, lists: &Lists) -> Option<Effect> {
    let list = section.required("on", &lists.form());
    let span = section.optional("for", &duration(SPAN));
    if matches!(by, Some(By::Login | By::LoginOnly)) {
        let fault = Fault::error(section.header(), "only addresses go on a list");
        let hint = "count by address, or use `block`".to_owned();
        section.desk.report(fault.label("`by = \"login\"` goes with `block`").hint(hint));
    }
    let list = list?;
    Some(Effect::List { list, span: span.unwrap_or_else(|| lists.lifetime(list)) })
}
