use std::path::Path;
use std::time::Duration;

use base::Subject;
use console::api::{ExceptionView, ListWish, ListingView, UnlistWish, Why, WishedSpan};

use super::client::{Client, escaped};
use super::show::{Show, printable, table};
use super::{Failure, Outcome, at, duration};

#[derive(clap::Args)]
#[command(
    override_usage = "ratter list SUBJECT --reason TEXT [OPTIONS]\n       ratter list [--on LIST] [--at TIME] [OPTIONS]"
)]
pub(crate) struct ListArguments {
    /// Whom to list: an address, a network or a login; without it, what is listed is shown
    #[arg(value_name = "SUBJECT", requires = "reason")]
    subject: Option<String>,

    /// The list
    #[arg(long, value_name = "LIST")]
    on: Option<String>,

    /// For how long, such as 1h or 7d [default: the list's own lifetime]
    #[arg(long = "for", value_name = "SPAN", value_parser = duration::parse, conflicts_with = "for_ever")]
    span: Option<Duration>,

    /// Until somebody takes it off
    #[arg(long)]
    for_ever: bool,

    /// Why; a SUBJECT needs one. It is kept with the listing and shown by `ratter why`
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// What was listed at that moment, such as 2026-11-21T07:44:14Z, or 36h ago
    #[arg(long, value_name = "TIME", value_parser = at::parse, conflicts_with = "subject")]
    at: Option<String>,

    /// Also a network that is wider than a /16, or a /32 of IPv6
    #[arg(long, requires = "subject")]
    force: bool,
}

#[derive(clap::Args)]
pub(crate) struct UnlistArguments {
    /// Whom to take off: an address, a network or a login
    subject: String,

    /// Off which list [default: all]
    #[arg(long, value_name = "LIST")]
    on: Option<String>,
}

/// The list that is meant where none is named.
const BLOCKED: &str = "blocked";

/// How long a listing lasts, as the command line says it.
pub(super) fn wished(span: Option<Duration>, for_ever: bool) -> WishedSpan {
    match (span, for_ever) {
        (Some(span), _) => WishedSpan::Seconds(span.as_secs()),
        (None, true) => WishedSpan::Endless,
        (None, false) => WishedSpan::Lifetime,
    }
}

/// `ratter list SUBJECT`: lists it; `ratter list`: shows what is listed.
pub(crate) fn list(config: Option<&Path>, arguments: &ListArguments, show: &Show) -> Result<Outcome, Failure> {
    let client = Client::of(config)?;
    let Some(subject) = &arguments.subject else { return show_all(&client, arguments, show) };
    check_subject(subject)?;
    let wish = ListWish {
        subject: subject.clone(),
        list: arguments.on.clone().unwrap_or_else(|| BLOCKED.to_owned()),
        force: arguments.force,
        span: wished(arguments.span, arguments.for_ever),
        reason: arguments.reason.clone().unwrap_or_default(),
        person: person(),
    };
    let Some(listing) = client.post::<ListingView>("/v1/list", &wish)? else { return Ok(Outcome::NothingFound) };
    show.value(&listing, |l| {
        let end = l.until.as_deref().unwrap_or("somebody takes it off");
        let told = format!("{} is on {} until {end}", printable(&l.subject), l.list);
        if l.unsaved { format!("{told}\n{UNSAVED}") } else { told }
    })?;
    Ok(if listing.unsaved { Outcome::Unsaved } else { Outcome::Done })
}

/// What is said of a change that the store could not write within two seconds.
const UNSAVED: &str = "it is in force, and not yet in the file: a restart would undo it; see `ratter status`";

/// `ratter unlist SUBJECT`: takes it off a list or all lists.
pub(crate) fn unlist(config: Option<&Path>, arguments: &UnlistArguments, show: &Show) -> Result<Outcome, Failure> {
    check_subject(&arguments.subject)?;
    let wish = UnlistWish { subject: arguments.subject.clone(), list: arguments.on.clone(), person: person() };
    let client = Client::of(config)?;
    let gone = client.post::<Vec<ListingView>>("/v1/unlist", &wish)?.unwrap_or_default();
    let (around, excepted) = what_stays(&client, arguments)?;
    show.value(&gone, |gone| {
        let subject = printable(&arguments.subject);
        let mut lines: Vec<String> = gone.iter().map(|l| format!("{} {}", printable(&l.subject), became(l))).collect();
        if gone.is_empty() {
            lines.push(format!("{subject} was not listed"));
        }
        let still = |l: &ListingView| format!("{} is on {} still, and holds {subject}", printable(&l.subject), l.list);
        lines.extend(around.iter().map(still));
        lines.extend(excepted.iter().map(super::why::exception_line));
        lines.extend(gone.iter().any(|l| l.unsaved).then(|| UNSAVED.to_owned()));
        lines.join("\n")
    })?;
    let is_saved = gone.iter().all(|l| !l.unsaved);
    Ok(if gone.is_empty() {
        Outcome::NothingFound
    } else if is_saved {
        Outcome::Done
    } else {
        Outcome::Unsaved
    })
}

/// What became of a listing that was taken back.
fn became(listing: &ListingView) -> String {
    match (listing.forgiven, listing.waited) {
        _ if listing.emptied => "has sent nothing as far as limits count".to_owned(),
        (true, _) => "is suspicious no more: its signs of being stolen are forgotten".to_owned(),
        (false, true) => format!("waits no more to come onto {}", listing.list),
        (false, false) => format!("is off {}", listing.list),
    }
}

/// The listings of networks around the subject, and the exceptions about it, which are left as they are.
fn what_stays(client: &Client, arguments: &UnlistArguments) -> Result<(Vec<ListingView>, Vec<ExceptionView>), Failure> {
    let path = format!("/v1/why?subject={}", escaped(&arguments.subject));
    let Why { listings, exceptions, .. } = client.get::<Why>(&path)?.unwrap_or_default();
    let is_meant = |l: &ListingView| arguments.on.as_ref().is_none_or(|list| *list == l.list);
    Ok((listings.into_iter().filter(is_meant).collect(), exceptions))
}

fn show_all(client: &Client, arguments: &ListArguments, show: &Show) -> Result<Outcome, Failure> {
    let asked = [("list", &arguments.on), ("at", &arguments.at)];
    let asked = asked.iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(value.as_deref()?))));
    let path = format!("/v1/listings?{}", asked.collect::<Vec<_>>().join("&"));
    let listings = client.get::<Vec<ListingView>>(&path)?.unwrap_or_default();
    show.value(&listings, |listings| {
        if listings.is_empty() {
            return if arguments.at.is_some() { "nothing was listed" } else { "nothing is listed" }.to_owned();
        }
        let rows = listings.iter().map(|l| {
            let end = l.until.clone().unwrap_or_else(|| "-".to_owned());
            [l.subject.clone(), l.list.clone(), l.since.clone(), end, l.maker.clone(), l.reason.clone()]
        });
        table(["SUBJECT", "LIST", "SINCE", "UNTIL", "BY", "REASON"], rows)
    })?;
    Ok(Outcome::Done)
}

/// A wrong subject is told before a node is looked for.
fn check_subject(text: &str) -> Result<Subject, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("ratter: `{}` {error}", printable(text))))
}

/// Who gives the order, for the journal: the user behind `sudo` if there is one.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub(crate) fn person() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    named("SUDO_USER").or_else(|| named("USER")).unwrap_or_else(|| "somebody".to_owned())
}
