use std::path::Path;

use anyhow::Context;
use console::api::Happening;

use super::client::Client;
use super::show::{Show, line, printable};
use super::{Failure, Outcome};

/// `ratter watch`: what happens, as it happens, until interrupted.
pub(crate) fn watch(config: Option<&Path>, show: &Show) -> Result<Outcome, Failure> {
    Client::of(config)?.stream("/v1/watch", |bytes| {
        let happening: Happening = serde_json::from_slice(bytes).context("the node sent something else")?;
        if show.is_json() { line(&String::from_utf8_lossy(bytes)) } else { line(&printable(&text(&happening))) }
    })
}

fn text(happening: &Happening) -> String {
    match happening {
        Happening::Event(event) => format!(
            "{} {:<14} {} {} {} ({}){}",
            event.time,
            event.kind,
            event.address.as_deref().unwrap_or("-"),
            event.login.as_deref().unwrap_or("-"),
            event.service,
            event.channel,
            event.limit.as_ref().map(|limit| format!(" limit {limit}")).unwrap_or_default()
        ),
        Happening::Listed(listing) => format!(
            "{} LISTED         {} on {} until {}: {}",
            listing.since,
            listing.subject,
            listing.list,
            listing.until.as_deref().unwrap_or("somebody lifts it"),
            listing.reason
        ),
        Happening::Unlisted { listing, cause } => {
            format!("{:24} UNLISTED       {} from {}: {cause}", "", listing.subject, listing.list)
        }
        Happening::Replaced { at, list, listed, maker } => match maker {
            Some(maker) => format!("{at} IMPORTED       {listed} networks to {list} by {maker}"),
            None => format!("{at} IMPORT ENDED   on {list}: its time was over"),
        },
        Happening::Notice { at, text } => format!("{at} NOTICE         {text}"),
        Happening::Missed(missed) => format!("{:24} ({missed} passed over: too fast for this terminal)", ""),
    }
}
