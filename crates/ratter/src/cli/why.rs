use std::path::Path;

use base::Subject;
use console::api::{AccountView, ExceptionView, LimitView, ListingView, Why};

use super::client::{Client, escaped};
use super::show::{Show, printable, table};
use super::{Failure, Outcome, at};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// An address (192.0.2.1), a network (192.0.2.0/24) or a login (alice, or login:NAME)
    subject: String,

    /// What was known at that moment, such as 2026-11-21T07:44:14Z, or 36h ago
    #[arg(long, value_name = "TIME", value_parser = at::parse)]
    at: Option<String>,
}

/// `ratter why SUBJECT`: what is known of it, and what would come next.
pub(crate) fn why(config: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    if let Err(error) = arguments.subject.parse::<Subject>() {
        return Err(Failure::Usage(format!("ratter: `{}` {error}", printable(&arguments.subject))));
    }
    let at = arguments.at.as_deref().map(|at| format!("&at={}", escaped(at))).unwrap_or_default();
    let path = format!("/v1/why?subject={}{at}", escaped(&arguments.subject));
    let Some(why) = Client::of(config)?.get::<Why>(&path)? else { return Ok(Outcome::NothingFound) };
    show.value(&why, text)?;
    Ok(if is_unknown(&why) { Outcome::NothingFound } else { Outcome::Done })
}

fn is_unknown(why: &Why) -> bool {
    let is_empty = why.protections.is_empty()
        && why.listings.is_empty()
        && why.exceptions.is_empty()
        && why.waiting.is_empty()
        && why.elsewhere.is_empty()
        && why.events.is_empty()
        && why.history.is_empty()
        && why.known_addresses.is_empty();
    let is_calm = why.account.as_ref().is_none_or(|account| account.signs.is_empty() && account.done.is_empty());
    let sends = why.limits.iter().any(|limit| limit.level_milli > 0 || limit.reserved > 0);
    is_empty && is_calm && !sends && !why.never_listed && why.levels.iter().all(|level| level.count == 0)
}

fn text(why: &Why) -> String {
    let mut parts = vec![verdict(why)];
    parts.extend(why.waiting.iter().chain(&why.elsewhere).map(|line| printable(line)));
    for told in &why.reverse_names {
        parts.push(format!("reverse name at {}: {}", told.at, printable(&told.name)));
    }
    parts.extend(why.listings.iter().flat_map(grounds));
    parts.extend(why.exceptions.iter().map(exception_line));
    let (counting, silent): (Vec<_>, Vec<_>) =
        why.levels.iter().partition(|level| level.count > 0 || level.distinct > 0);
    for level in &counting {
        let distinct = match level.distinct_limit {
            0 => String::new(),
            limit => format!(", {} of {limit} different", level.distinct),
        };
        let until = level.falls_out.as_ref().map(|at| format!(", the oldest counts until {at}")).unwrap_or_default();
        parts.push(format!("rule {}: {} of {}{distinct}{until}", level.rule, level.count, level.limit));
    }
    if !silent.is_empty() {
        let others = if counting.is_empty() { "" } else { " other" };
        parts.push(format!("{}{others} rules have counted nothing of it", silent.len()));
    }
    parts.extend(why.limits.iter().map(limit_line));
    parts.extend(why.account.iter().flat_map(account_lines));
    if !why.counts.is_empty() {
        let rows = why.counts.iter().map(|kind| {
            let [first, last] = [&kind.first, &kind.last].map(Clone::clone);
            [kind.count.to_string(), kind.kind.clone(), kind.service.clone(), kind.told_by.clone(), first, last]
        });
        parts.push(format!("\n{}", table(["COUNT", "EVENT", "SERVICE", "TOLD BY", "FIRST", "LAST"], rows)));
    }
    if !why.samples.is_empty() {
        let lines = why.samples.iter().map(|line| format!("  {}", printable(line)));
        parts.push(format!("\nTo be handed out:\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    if !why.known_addresses.is_empty() {
        let rows = why.known_addresses.iter().map(|known| [known.network.clone(), known.last.clone()]);
        parts.push(format!("\n{}", table(["OWNER LOGGED IN FROM", "LAST"], rows)));
    }
    if !why.events.is_empty() {
        let rows = why.events.iter().map(|event| {
            let or_dash = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
            [
                event.time.clone(),
                event.limit.as_ref().map_or_else(|| event.kind.clone(), |limit| format!("{} ({limit})", event.kind)),
                or_dash(&event.address),
                or_dash(&event.login),
                event.service.clone(),
                event.channel.clone(),
            ]
        });
        parts.push(format!("\n{}", table(["TIME", "EVENT", "ADDRESS", "LOGIN", "SERVICE", "TOLD BY"], rows)));
    }
    if !why.history.is_empty() {
        let rows = why.history.iter().map(|h| [h.at.clone(), h.serial.to_string(), h.change.clone()]);
        parts.push(format!("\n{}", table(["AT", "SERIAL", "CHANGE"], rows)));
    }
    parts.join("\n")
}

/// What a listing rests on beside its reason, and what would end it before its time.
fn grounds(listing: &ListingView) -> Vec<String> {
    let list = &listing.list;
    let mut lines = Vec::new();
    if let Some(version) = &listing.rule_version {
        lines.push(format!("{list}: {} in its wording {version}", listing.maker));
    }
    if !listing.first.is_empty() {
        let whose = listing.culprits.as_ref().map(|who| format!(" of {}", printable(who))).unwrap_or_default();
        lines.push(format!("{list}: first seen{whose} {}, last seen {}", listing.first, listing.last));
    }
    if !listing.ends_earlier_by.is_empty() {
        lines.push(format!("{list} would end earlier by {}", listing.ends_earlier_by.join(", or ")));
    }
    lines
}

fn limit_line(limit: &LimitView) -> String {
    let level = match limit.level_milli % 1000 {
        0 => (limit.level_milli / 1000).to_string(),
        part => format!("{}.{part:03}", limit.level_milli / 1000),
    };
    let reserved = match limit.reserved {
        0 => String::new(),
        count => format!(" and {count} on their way"),
    };
    let next = limit.passes_at.as_ref().map_or_else(
        || "the next recipient waits for those on their way".to_owned(),
        |at| format!("the next recipient passes from {at} on"),
    );
    let with = limit.with.as_ref().map(|with| format!(" of {}", printable(with))).unwrap_or_default();
    format!("limit {}{with}: {level}{reserved} of {}, then {}; {next}", limit.limit, limit.burst, limit.rate)
}

/// How an account that sends stands; nothing of one that shows no sign.
fn account_lines(account: &AccountView) -> Vec<String> {
    let mut lines = Vec::new();
    if !account.signs.is_empty() {
        let signs: Vec<String> = account.signs.iter().map(|it| format!("{} {}", it.points, it.sign)).collect();
        let steps = if account.steps.is_empty() { "nothing is ever done".to_owned() } else { account.steps.join(", ") };
        lines.push(format!("account: {} points, {} ({steps}): {}", account.points, account.step, signs.join(", ")));
    }
    lines.extend(account.done.iter().map(|done| format!("account: {}", printable(done))));
    lines
}

/// What an exception does, who made it, and how it is taken off: `unlist` knows listings only.
pub(super) fn exception_line(it: &ExceptionView) -> String {
    let who = match (&it.network, &it.login) {
        (Some(network), Some(login)) => format!("login:{login} from {network}"),
        (None, Some(login)) => format!("login:{login}"),
        (network, None) => network.clone().unwrap_or_default(),
    };
    let (does, command) = if it.passes {
        ("passes every gate although it may be blocked", "delWLEntry")
    } else {
        ("is refused at every gate", "delBLEntry")
    };
    let (who, reason) = (printable(&who), printable(&it.reason));
    format!("{who} {does} until {}, by {}: {reason} (`{command}` of weakforced's API takes it off)", it.until, it.maker)
}

fn verdict(why: &Why) -> String {
    let subject = printable(&why.subject);
    let protections = why.protections.iter().map(|it| {
        let but = if it.may_be_blocked { "; it may be blocked here" } else { "" };
        format!("\n{} is protected by {}{but}", it.network, printable(&it.by))
    });
    let protections: String = protections.collect();
    if why.never_listed {
        return format!("{subject} is on the never-list: it can not be listed.{protections}");
    }
    if why.listings.is_empty() {
        let then = why.at.as_ref().map_or_else(|| "is not listed".to_owned(), |at| format!("was not listed at {at}"));
        return format!("{subject} {then}.{protections}");
    }
    let lines = why.listings.iter().map(|listing| {
        let end = listing.until.as_deref().map_or_else(|| "somebody lifts it".to_owned(), str::to_owned);
        let (on, reason) = (printable(&listing.subject), printable(&listing.reason));
        let was = if why.at.is_some() { "was" } else { "is" };
        format!("{on} {was} on {} since {} until {end}, by {}: {reason}", listing.list, listing.since, listing.maker)
    });
    lines.collect::<Vec<_>>().join("\n") + &protections
}
