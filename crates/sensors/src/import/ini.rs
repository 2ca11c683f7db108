//! Files of fail2ban: sections, values over several lines, includes, and what is filled in.

use std::collections::BTreeMap;

use super::PREFIX;

/// Longest value after everything is filled in, in bytes.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Most replacements in one value.
const REPLACED_MAX: usize = 500;

/// Most files that one filter includes.
const FILES_MAX: usize = 20;

/// A line of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// `FILE:LINE`.
    pub(super) origin: String,
    pub(super) text: String,
}

/// A filter with all that it includes.
#[derive(Default, Debug)]
pub(super) struct Filter {
    /// By section and name.
    values: BTreeMap<(String, String), Vec<Line>>,
    files: usize,
}

/// The sections whose values all others see.
const SHARED: [&str; 3] = ["Definition", "Init", "DEFAULT"];

impl Filter {
    /// Reads the filter at `path`, whose options are set as a jail does it: `mode=aggressive,logtype=short`.
    pub(super) fn read(
        path: &str,
        options: &str,
        read: &mut dyn FnMut(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut filter = Self::default();
        let text = read(path).ok_or_else(|| format!("{path} cannot be read"))?;
        filter.include(path, &text, read)?;
        for option in options.split(',').filter(|option| !option.trim().is_empty()) {
            let (name, value) =
                option.split_once('=').ok_or_else(|| format!("`{}` is no option; write NAME=VALUE", option.trim()))?;
            let text = value.trim().trim_matches(['"', '\'']).to_owned();
            let line = Line { origin: path.to_owned(), text };
            filter.values.insert(("Definition".to_owned(), name.trim().to_owned()), vec![line]);
        }
        Ok(filter)
    }

    fn include(&mut self, path: &str, text: &str, read: &mut dyn FnMut(&str) -> Option<String>) -> Result<(), String> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(format!("more than {FILES_MAX} files are included"));
        }
        let own = sections(path, text);
        let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut included = |filter: &mut Self, key: &str| -> Result<(), String> {
            let names = own.get(&("INCLUDES".to_owned(), key.to_owned())).into_iter().flatten();
            for name in names.flat_map(|line| line.text.split_whitespace()) {
                let path = if name.starts_with('/') { name.to_owned() } else { format!("{folder}{name}") };
                // `.local` files, and many `after`, are only there where somebody changed something.
                if let Some(text) = read(&path) {
                    filter.include(&path, &text, read)?;
                }
            }
            Ok(())
        };
        included(self, "before")?;
        self.values.extend(own.iter().map(|(key, lines)| (key.clone(), lines.clone())));
        included(self, "after")
    }

    /// The lines of the value `name` of the filter, with everything filled in.
    pub(super) fn lines(&self, name: &str) -> Vec<Line> {
        let Some(lines) = self.find(None, name) else { return Vec::new() };
        let filled = |line: &Line| {
            let text = self.fill(&line.text).unwrap_or_else(|| line.text.clone());
            let split: Vec<Line> =
                text.lines().map(|text| Line { origin: line.origin.clone(), text: text.trim().to_owned() }).collect();
            split
        };
        lines.iter().flat_map(filled).collect()
    }

    /// The text with `%(name)s` and `<name>` filled in as far as they are options; none if that comes to no end.
    pub(super) fn fill(&self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        for _ in 0..REPLACED_MAX {
            let Some((place, value)) = self.next_option(&text) else { return Some(text.replace("%%", "%")) };
            text.replace_range(place, &value);
            if text.len() > VALUE_BYTES_MAX {
                return None;
            }
        }
        None
    }

    /// The first option in `text`, the innermost where they are nested, and its value.
    fn next_option(&self, text: &str) -> Option<(core::ops::Range<usize>, String)> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
        for (start, _) in text.match_indices(['%', '<']) {
            let (open, close) = if text[start..].starts_with("%(") { (2, ")s") } else { (1, ">") };
            let rest = text.get(start + open..)?;
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            if end == 0 || !rest[end..].starts_with(close) || (open == 1 && text[start..].starts_with('%')) {
                continue;
            }
            if let Some(value) = self.value(&rest[..end]) {
                return Some((start..start + open + end + close.len(), value));
            }
        }
        None
    }

    /// The value of an option as it is written: `name` or `section/name`.
    fn value(&self, name: &str) -> Option<String> {
        // A filter may add to what syslog puts before a message, such as the number of one.
        let own_prefix = self.values.get(&("Definition".to_owned(), "__prefix_line".to_owned()));
        if name == "known/__prefix_line" || name == "__prefix_line" && own_prefix.is_none() {
            return Some(PREFIX.to_string());
        }
        let lines = match name.split_once('/') {
            // What was there before the filter said something else.
            Some(("known", name)) => self.values.get(&("DEFAULT".to_owned(), name.to_owned()))?,
            Some((section, name)) => self.find(Some(section), name)?,
            None => self.find(None, name)?,
        };
        Some(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n"))
    }

    fn find(&self, section: Option<&str>, name: &str) -> Option<&Vec<Line>> {
        let mut places = section.into_iter().chain(SHARED);
        places.find_map(|section| self.values.get(&(section.to_owned(), name.to_owned())))
    }
}

/// The values of a file.
fn sections(path: &str, text: &str) -> BTreeMap<(String, String), Vec<Line>> {
    let mut values: BTreeMap<(String, String), Vec<Line>> = BTreeMap::new();
    let (mut section, mut key): (String, Option<String>) = (String::new(), None);
    for (number, line) in text.lines().enumerate() {
        let origin = format!("{path}:{}", number + 1);
        let bare = line.trim();
        if bare.starts_with(['#', ';']) {
            continue;
        }
        if bare.is_empty() {
            key = None;
        } else if line.starts_with([' ', '\t']) && key.is_some() {
            let lines = key.clone().and_then(|key| values.get_mut(&(section.clone(), key)));
            if let Some(lines) = lines {
                lines.push(Line { origin, text: bare.to_owned() });
            }
        } else if let Some(name) = bare.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            name.clone_into(&mut section);
            key = None;
        } else if let Some((name, value)) = bare.split_once('=') {
            let name = name.trim().to_owned();
            let text = without_comment(value).trim().to_owned();
            values.insert((section.clone(), name.clone()), vec![Line { origin, text }]);
            key = Some(name);
        }
    }
    values
}

/// The value without a comment behind it, which begins with a semicolon after a blank.
fn without_comment(value: &str) -> &str {
    value.find(" ;").map_or(value, |end| &value[..end])
}
