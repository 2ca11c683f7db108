//! `[[limit]]`: how much may be sent. Not `[limits]`, which bounds memory and disk.

use rules::limits::{
    BUCKETS_MAX, Bucket, By, Cost, LIMITS_MAX, Limit, LimitEffect, LimitMode, Part, Rate, RateError, read_count,
};
use toml::de::DeValue;

use super::Config;
use super::diagnose::Fault;
use super::forms::{Form, Mismatch, name, word};
use super::node::{Never, never_form};
use super::reader::Section;
use super::words::{enumerate, nearest, shown};

/// The limits of `section`.
pub(super) fn read(section: &Section<'_>) -> Vec<Limit> {
    let drafts: Vec<_> = section.tables("limit", |section| (section.place("name"), one(section)));
    let mut limits: Vec<Limit> = Vec::new();
    for (place, limit) in drafts {
        let Some(limit) = limit else { continue };
        if limits.iter().any(|other| other.name == limit.name) {
            let fault = Fault::error(place, format!("two limits named `{}`", limit.name)).label("the second");
            section.desk.report(fault.hint("one limit can have several buckets".to_owned()));
        } else if limits.len() == LIMITS_MAX {
            section.desk.report(Fault::error(place, format!("more than {LIMITS_MAX} limits")).label("too many"));
        } else {
            limits.push(limit);
        }
    }
    limits
}

/// Warns of limits that limit nobody and of accounts that nobody locks, because no gate is there that asks about sending.
pub(super) fn check(file: &Section<'_>, config: &Config) {
    if config.gates.postfix.is_some() || config.gates.milter.is_some() {
        return;
    }
    if file.has("accounts") {
        let fault = Fault::warning(
            file.key_place("accounts"),
            "nobody asks about sending, so that nothing is known of accounts",
        );
        let hint = "add `[gate.postfix]` with `listen = [\"127.0.0.1:4003\"]`, or `[gate.milter]`";
        file.desk.report(fault.label("no [gate.postfix], no [gate.milter]").hint(hint.to_owned()));
    }
    if !file.has("limit") || config.sending.is_empty() {
        return;
    }
    let fault = Fault::warning(file.key_place("limit"), "nobody asks about sending, so that no limit holds");
    let hint = "add `[gate.postfix]` with `listen = [\"127.0.0.1:4003\"]`, or `[gate.milter]`; where rspamd limits, `[sensor.rspamd]` \
                hears of it, and no `[[limit]]` is needed";
    file.desk.report(fault.label("no [gate.postfix], no [gate.milter]").hint(hint.to_owned()));
}

fn one(section: &Section<'_>) -> Option<Limit> {
    let name = section.required("name", &name());
    let by = section.required("by", &by());
    let cost = section.optional("cost", &word(Cost::NAMES));
    let mode = section.optional("mode", &word(LimitMode::NAMES));
    let over = section.optional("over", &word(LimitEffect::NAMES));
    let except = section.each("except", &never_form());
    let buckets: Vec<Option<Bucket>> = section.tables("buckets", bucket);

    if !section.has("buckets") || (buckets.is_empty() && section.has("buckets")) {
        let fault = Fault::error(section.header(), "a limit without `buckets` limits nothing");
        section.desk.report(fault.hint("add `buckets = [{ burst = 10, rate = \"1 / 1min\" }]`".to_owned()));
    }
    if buckets.len() > BUCKETS_MAX {
        section.desk.report(section.wrong("buckets", format!("more than {BUCKETS_MAX} buckets of one limit")));
    }
    let (mut except_logins, mut except_networks) = (Vec::new(), Vec::new());
    for entry in except {
        match entry.value {
            Never::Login(login) => except_logins.push(login.as_str().into()),
            Never::Network(network) => except_networks.push(network),
        }
    }
    Some(Limit {
        name: name?.into(),
        by: by?,
        cost: cost.unwrap_or(Cost::Recipient),
        mode: mode.unwrap_or(LimitMode::Strict),
        buckets: buckets.into_iter().collect::<Option<Vec<_>>>().filter(|buckets| !buckets.is_empty())?.into(),
        effect: over.unwrap_or(LimitEffect::Defer),
        except_logins: except_logins.into(),
        except_networks: except_networks.into(),
    })
}

fn bucket(section: &Section<'_>) -> Option<Bucket> {
    let burst = section.required("burst", &burst());
    let rate = section.required("rate", &rate());
    match Bucket::new(burst?, rate?) {
        Ok(bucket) => Some(bucket),
        Err(error) => {
            section.desk.report(section.wrong("burst", error.to_string()));
            None
        }
    }
}

/// Whose buckets they are: a part, or two in an array.
fn by() -> Form<'static, By> {
    let names = || Part::NAMES.iter().map(|(name, _)| *name);
    let part = move |value: &DeValue<'_>| {
        let Some(typed) = value.as_str() else { return Err(Mismatch::of_type(value)) };
        Part::NAMES.iter().find(|(name, _)| *name == typed).map(|(_, part)| *part).ok_or_else(|| {
            let mismatch = Mismatch::new(format!("`{}` is none of them", shown(typed)));
            match nearest(typed, names()) {
                Some(name) => mismatch.hint(format!("did you mean `\"{name}\"`?")),
                None => mismatch,
            }
        })
    };
    let read = move |value: &DeValue<'_>| match value {
        DeValue::Array(parts) => match parts.iter().collect::<Vec<_>>()[..] {
            [one] => Ok(By { first: part(one.get_ref())?, second: None }),
            [one, two] => {
                let by = By { first: part(one.get_ref())?, second: Some(part(two.get_ref())?) };
                if by.second == Some(by.first) { Err(Mismatch::new("the same twice")) } else { Ok(by) }
            }
            _ => Err(Mismatch::new(format!("{} parts", parts.len()))),
        },
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => Ok(By { first: part(value)?, second: None }),
    };
    let wants = format!("one of {}, or two of them in an array", enumerate(names()));
    Form { wants: wants.into(), read: Box::new(read) }
}

fn burst() -> Form<'static, u64> {
    let wants = "how many may come at once, such as `10` or `\"1k\"`";
    let count = |text: &str| read_count(text).map_err(mismatch);
    let read = move |value: &DeValue<'_>| match value {
        DeValue::String(text) => count(text),
        DeValue::Integer(number) if number.radix() == 10 => count(&number.as_str().replace('_', "")),
        DeValue::Float(number) => count(number.as_str()),
        DeValue::Integer(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(Mismatch::of_type(value))
        }
    };
    Form { wants: wants.into(), read: Box::new(read) }
}

fn rate() -> Form<'static, Rate> {
    let wants = "a rate, such as `\"30 / 60min\"`: a number, `/`, and a time in s, min, h or d";
    Form::of_text(wants, |text| Rate::parse(text).map_err(mismatch))
}

fn mismatch(error: RateError) -> Mismatch {
    let mismatch = Mismatch::new(error.what);
    match error.fix {
        Some(fix) => mismatch.hint(format!("write `\"{}\"`", shown(&fix))),
        None => mismatch,
    }
}
