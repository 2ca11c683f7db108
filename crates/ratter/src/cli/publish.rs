use std::path::Path;

use console::api::{HeldView, PublishWish, Published};

use super::client::Client;
use super::listings::person;
use super::show::{Show, complain, printable, table};
use super::{Failure, Outcome};

#[derive(clap::Args)]
#[group(multiple = false)]
pub(crate) struct Arguments {
    /// Show what waits; the default
    #[arg(long)]
    show: bool,

    /// Do what waits for this list, and measure its growth from there
    #[arg(long, value_name = "LIST")]
    release: Option<String>,

    /// Drop what waits for this list; whoever goes on is listed again
    #[arg(long, value_name = "LIST")]
    drop: Option<String>,
}

/// `ratter publish`: what waits before it is published.
pub(crate) fn publish(config: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let client = Client::of(config)?;
    match (&arguments.release, &arguments.drop) {
        (Some(list), _) => decide(&client, list, true, show),
        (None, Some(list)) => decide(&client, list, false, show),
        (None, None) => list(&client, show),
    }
}

fn list(client: &Client, show: &Show) -> Result<Outcome, Failure> {
    let held = client.get::<Vec<HeldView>>("/v1/publish")?.unwrap_or_default();
    show.value(&held, |held| {
        if held.is_empty() {
            return "nothing waits".to_owned();
        }
        let rows = held.iter().map(|held| {
            let [before, coming, going] = [held.before, held.coming, held.going].map(|count| count.to_string());
            let subjects = held.subjects.iter().map(|subject| printable(subject)).collect::<Vec<_>>().join(" ");
            [held.list.clone(), held.since.clone(), before, coming, going, held.shed.to_string(), subjects]
        });
        table(["LIST", "HELD SINCE", "LISTINGS BEFORE", "TO COME", "TO GO", "TOO MANY", "AMONG THEM"], rows)
    })?;
    Ok(if held.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn decide(client: &Client, list: &str, release: bool, show: &Show) -> Result<Outcome, Failure> {
    let wish = PublishWish { list: list.to_owned(), release, person: person() };
    let Some(published) = client.post::<Published>("/v1/publish", &wish)? else {
        complain(&format!("ratter: nothing waits for {}", printable(list)));
        return Ok(Outcome::NothingFound);
    };
    show.value(&published, |published| {
        format!("{}: {} changes done, {} dropped", printable(&published.list), published.done, published.dropped)
    })?;
    Ok(Outcome::Done)
}
