//! `[[pattern]]`: the operator's own formats of log lines.

use core::ops::Range;

use base::EventKind;
use sensors::patterns::{EXPRESSION_BYTES_MAX, PATTERNS_MAX, Part, Pattern, Spec};

use super::diagnose::Fault;
use super::forms::{name, text, word};
use super::reader::Section;

/// Longest name of a service, in bytes.
const SERVICE_BYTES_MAX: usize = 32;

/// The patterns of the file, in its order; the first that matches a line says what it means.
pub(super) fn read(section: &Section<'_>) -> Vec<Pattern> {
    let read = section.tables("pattern", |section| (section.place("name"), one(section)));
    let (mut patterns, mut places) = (Vec::<Pattern>::new(), Vec::new());
    for (place, pattern) in read {
        let Some(pattern) = pattern else { continue };
        if let Some(first) = patterns.iter().position(|other| other.name() == pattern.name()) {
            let fault = Fault::error(place, format!("two patterns named `{}`", pattern.name())).label("the second");
            section.desk.report(fault.also(Range::clone(&places[first]), "the first"));
            continue;
        }
        patterns.push(pattern);
        places.push(place);
    }
    if let Some(place) = places.get(PATTERNS_MAX) {
        let fault = Fault::error(place.clone(), format!("more than {PATTERNS_MAX} patterns"));
        section.desk.report(fault.label("one too many"));
    }
    patterns
}

fn one(section: &Section<'_>) -> Option<Pattern> {
    let expression = || text("a regular expression", EXPRESSION_BYTES_MAX);
    let name = section.required("name", &name());
    let event = section.required("event", &word(EventKind::ALL.map(|kind| (kind.name(), kind))));
    let regex = section.required("regex", &expression());
    let program = section.optional("program", &expression());
    let unless = section.optional("unless", &expression());
    let service = section.optional("service", &text("the name of a service, such as `webmail`", SERVICE_BYTES_MAX));

    let (name, kind, regex) = (name?, event?, regex?);
    let spec = Spec {
        name: &name,
        program: program.as_deref(),
        regex: &regex,
        unless: unless.as_deref(),
        kind,
        service: service.as_deref().unwrap_or(&name),
    };
    match Pattern::new(spec) {
        Ok(pattern) => Some(pattern),
        Err(fault) => {
            let (key, text) = match fault.part {
                Part::Regex => ("regex", regex.as_str()),
                Part::Program => ("program", program.as_deref().unwrap_or_default()),
                Part::Unless => ("unless", unless.as_deref().unwrap_or_default()),
            };
            let place = within(section.place(key), text, fault.place);
            section.desk.report(Fault::error(place, fault.title).label(fault.label).hint(fault.hint));
            None
        }
    }
}

/// The place of `part` of `text`, which stands at `value` with its quotes. Where it was written with escapes, the whole of it.
fn within(value: Range<usize>, text: &str, part: Range<usize>) -> Range<usize> {
    let quotes = match value.len().checked_sub(text.len()) {
        Some(2) => 1,
        Some(6) => 3,
        _ => return value,
    };
    let start = value.start + quotes;
    // An empty place, such as the end of the expression, is shown at the quote behind it.
    start + part.start..start + part.end.max(part.start + 1)
}
