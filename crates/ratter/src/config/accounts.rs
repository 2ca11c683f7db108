//! `[accounts]`: what is done about an account that shows signs of being stolen.

use core::ops::RangeInclusive;

use rules::accounts::{Ladder, Step};
use toml::de::DeValue;

use super::diagnose::Fault;
use super::forms::{Form, Mismatch, number};
use super::reader::Section;

/// What is done, and how many accounts are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accounts {
    /// From how many points on what is done.
    pub ladder: Ladder,
    /// Most accounts that are known at one time.
    pub subjects: usize,
}

/// At about two kilobytes each, and nine at most.
const SUBJECTS: RangeInclusive<u64> = 100..=10_000_000;

/// Fewer than three points are those of one new acquaintance; no account comes to a thousand.
const POINTS: RangeInclusive<u64> = 3..=1000;

/// The word for a step that is never taken.
const OFF: &str = "off";

pub(super) fn read(section: &Section<'_>) -> Option<Accounts> {
    let [note, slower, hold, lock_sending, lock_login] = Step::ALL.map(|step| section.setting(step.name(), &points()));
    let subjects = section.setting("subjects", &number(SUBJECTS));
    let (note, slower, hold) = (note?, slower?, hold?);
    let ladder = Ladder { note, slower, hold, lock_sending: lock_sending?, lock_login: lock_login? };
    let mut before: Option<(Step, u16)> = None;
    for (step, points) in Step::ALL.into_iter().filter_map(|step| Some((step, ladder.from(step)?))) {
        if let Some((milder, more)) = before.filter(|(_, more)| *more > points) {
            let fault = Fault::error(
                section.key_place(step.name()),
                format!("`{}` comes before `{}`", step.name(), milder.name()),
            );
            let label = format!("at {points} points, and the milder `{}` at {more}", milder.name());
            section
                .desk
                .report(fault.label(label).hint("let each step want at least as many as the one before".to_owned()));
        }
        before = Some((step, points));
    }
    Some(Accounts { ladder, subjects: subjects? })
}

fn points() -> Form<'static, Option<u16>> {
    let count = number::<u16>(POINTS);
    let wants = format!("points, from {} to {}, or `\"{OFF}\"`", POINTS.start(), POINTS.end());
    let read = move |value: &DeValue<'_>| match value {
        DeValue::String(text) if text == OFF => Ok(None),
        DeValue::String(_) => Err(Mismatch::of_type(value)),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => (count.read)(value).map(Some),
    };
    Form { wants: wants.into(), read: Box::new(read) }
}
