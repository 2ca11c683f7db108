use std::path::Path;

use console::api::{ReporterStatus, ResetWish, Status};

use super::client::Client;
use super::listings::person;
use super::show::{Show, complain, printable, table};
use super::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show those who may report, what they did, and what their word weighs
    List,
    /// Trust a reporter again as much as the configuration says; what he reported before stays void
    Reset {
        /// The reporter's name, as `ratter reporter list` shows it
        name: String,
    },
}

/// `ratter reporter`: whose word counts.
pub(crate) fn reporter(config: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let client = Client::of(config)?;
    match &arguments.command {
        Command::List => list(&client, show),
        Command::Reset { name } => reset(&client, name, show),
    }
}

fn list(client: &Client, show: &Show) -> Result<Outcome, Failure> {
    let reporters = client.get::<Status>("/v1/status")?.map(|status| status.reporters).unwrap_or_default();
    show.value(&reporters, |reporters| {
        if reporters.is_empty() {
            return "nobody may report".to_owned();
        }
        shown(reporters)
    })?;
    Ok(Outcome::Done)
}

fn reset(client: &Client, name: &str, show: &Show) -> Result<Outcome, Failure> {
    let wish = ResetWish { reporter: name.to_owned(), person: person() };
    let Some(reporter) = client.post::<ReporterStatus>("/v1/reporters/reset", &wish)? else {
        complain(&format!("ratter: there is no reporter `{}`", printable(name)));
        return Ok(Outcome::NothingFound);
    };
    show.value(&reporter, |reporter| format!("{} weighs {} from now on", printable(&reporter.name), reporter.weight))?;
    Ok(Outcome::Done)
}

/// The reporters as a table.
pub(crate) fn shown(reporters: &[ReporterStatus]) -> String {
    let rows = reporters.iter().map(|r| {
        let weight = if r.exposed.is_some() { "exposed".to_owned() } else { r.weight.to_string() };
        let [right, wrong, known, over] = [r.confirmed, r.doubted, r.known, r.over].map(|count| count.to_string());
        let today = format!("{} of {}", r.today, r.daily_cap);
        [r.name.clone(), r.owner.clone(), weight, right, wrong, today, known, over]
    });
    table(["REPORTER", "OWNER", "WEIGHT", "RIGHT", "WRONG", "TODAY", "SENT AGAIN", "TOO MANY"], rows)
}
