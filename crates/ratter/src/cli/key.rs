use std::path::Path;
use std::time::Duration;

use console::api::{KeyQuota, KeySpan, KeyView, KeyWish, NewKey, RevokeWish};

use super::client::Client;
use super::listings::person;
use super::show::{Show, printable, table};
use super::{Failure, Outcome, duration};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a key and show it, this once
    New(NewArguments),
    /// Show the keys and what was asked with them
    List,
    /// End a key at once
    Revoke {
        /// The key's name, as `ratter key list` shows it
        name: String,
    },
}

#[derive(clap::Args)]
struct NewArguments {
    /// What people call it, in metrics too: lower-case letters, digits and hyphens
    name: String,

    /// Whose it is
    #[arg(long, value_name = "TEXT")]
    owner: String,

    /// A zone that it opens, such as `auth`; may be given several times [default: all]
    #[arg(long = "zone", value_name = "ZONE")]
    zones: Vec<String>,

    /// How much it may ask, such as 100000/day or 50/s [default: as much as it likes]
    #[arg(long, value_name = "QUOTA", value_parser = quota)]
    quota: Option<KeyQuota>,

    /// For how long, such as 365d [default: until it is revoked]
    #[arg(long = "for", value_name = "SPAN", value_parser = duration::parse)]
    span: Option<Duration>,
}

/// `ratter key`: who may ask the blocklist.
pub(crate) fn key(config: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let client = Client::of(config)?;
    match &arguments.command {
        Command::New(new) => make(&client, new, show),
        Command::List => list(&client, show),
        Command::Revoke { name } => revoke(&client, name, show),
    }
}

fn make(client: &Client, new: &NewArguments, show: &Show) -> Result<Outcome, Failure> {
    let wish = KeyWish {
        name: new.name.clone(),
        owner: new.owner.clone(),
        zones: (!new.zones.is_empty()).then(|| new.zones.clone()),
        quota: new.quota,
        seconds: new.span.map(|span| span.as_secs()),
        person: person(),
    };
    let Some(made) = client.post::<NewKey>("/v1/keys/new", &wish)? else { return Ok(Outcome::NothingFound) };
    show.value(&made, |made| {
        let end = made.record.until.as_deref().unwrap_or("it is revoked");
        format!(
            "{}\n\nThis is the key `{}` of {}, in force until {end}. It is not kept and will not be shown again.\n\
             It is asked as {}",
            made.key,
            printable(&made.record.name),
            printable(&made.record.owner),
            printable(&made.asked)
        )
    })?;
    Ok(Outcome::Done)
}

fn list(client: &Client, show: &Show) -> Result<Outcome, Failure> {
    let keys = client.get::<Vec<KeyView>>("/v1/keys")?.unwrap_or_default();
    show.value(&keys, |keys| {
        if keys.is_empty() {
            return "there are no keys".to_owned();
        }
        let rows = keys.iter().map(|key| {
            let state = match (&key.revoked, &key.until) {
                (Some(at), _) => format!("revoked {at}"),
                (None, Some(end)) => format!("until {end}"),
                (None, None) => "in force".to_owned(),
            };
            let zones = key.zones.as_ref().map_or_else(|| "all".to_owned(), |zones| zones.join(" "));
            let quota = key.quota.map_or_else(|| "-".to_owned(), shown_quota);
            let [answered, refused] = [key.answered, key.refused].map(|count| count.to_string());
            [key.name.clone(), key.owner.clone(), zones, quota, state, answered, refused]
        });
        table(["NAME", "OWNER", "ZONES", "QUOTA", "STATE", "ANSWERED", "REFUSED"], rows)
    })?;
    Ok(Outcome::Done)
}

fn revoke(client: &Client, name: &str, show: &Show) -> Result<Outcome, Failure> {
    let wish = RevokeWish { name: name.to_owned(), person: person() };
    let Some(key) = client.post::<KeyView>("/v1/keys/revoke", &wish)? else {
        super::show::complain(&format!("ratter: no key `{}` is in force", printable(name)));
        return Ok(Outcome::NothingFound);
    };
    show.value(&key, |key| format!("the key `{}` of {} is revoked", printable(&key.name), printable(&key.owner)))?;
    Ok(Outcome::Done)
}

fn shown_quota(quota: KeyQuota) -> String {
    let span = match quota.per {
        KeySpan::Second => "s",
        KeySpan::Day => "day",
    };
    format!("{}/{span}", quota.questions)
}

/// `100000/day`, `50/s`.
fn quota(text: &str) -> Result<KeyQuota, String> {
    let wrong = || "a number a day or a second is wanted, such as 100000/day or 50/s".to_owned();
    let (questions, span) = text.split_once('/').ok_or_else(wrong)?;
    let questions = questions.parse().ok().filter(|questions| *questions > 0).ok_or_else(wrong)?;
    let per = match span {
        "s" | "second" => KeySpan::Second,
        "d" | "day" => KeySpan::Day,
        _ => return Err(wrong()),
    };
    Ok(KeyQuota { questions, per })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas() {
        for (text, wanted) in [("100000/day", "100000/day"), ("50/s", "50/s"), ("7/d", "7/day"), ("1/second", "1/s")] {
            assert_eq!(quota(text).map(shown_quota).as_deref(), Ok(wanted), "{text}");
        }
        for text in ["", "5", "0/s", "-1/s", "5/h", "5000000000/day", "5/"] {
            assert!(quota(text).is_err(), "{text}");
        }
    }
}
