//! Logs of the program itself: to standard error, as text for a terminal or the journal, or as JSON lines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. The level is `info` unless `RATTER_LOG` says otherwise, in the syntax of `tracing`'s filters.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("RATTER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // The resolver's library logs the names it asks for, and those can have keys of lists in them.
    let silent = ["hickory_net=off", "hickory_resolver=off", "hickory_proto=off"];
    let silent = silent.iter().filter_map(|directive| directive.parse().ok());
    let filter = silent.fold(filter, EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second call, as in tests, finds logging started already, and leaves it.
    let started = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.unwrap_or_default();
}
