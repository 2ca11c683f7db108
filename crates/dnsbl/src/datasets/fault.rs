use core::fmt;

/// Most faults, and most warnings, that a report keeps; the others are counted.
pub const FAULTS_MAX: usize = 20;

/// Longest part of a line that is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 120;

/// Something that is wrong at a place of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The file's name.
    pub file: Box<str>,
    /// The line, counted from 1; 0 if it is about the file as a whole.
    pub line: u64,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub width: usize,
    /// The line as it may be shown: without control characters, and cut.
    pub text: Box<str>,
    /// What is wrong.
    pub message: Box<str>,
    /// What to write instead.
    pub hint: Option<Box<str>>,
}

/// As compilers print it, so that editors find the place.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else {
            let Self { file, line, column, message, text, .. } = self;
            let margin = line.to_string().len();
            write!(f, "{file}:{line}:{column}: {message}\n{line} | {text}\n{:margin$} | ", "")?;
            write!(f, "{:indent$}{}", "", "^".repeat(self.width), indent = column - 1)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// What is wrong with the files of a dataset.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// Why they are refused, the first [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// What was passed over, the first [`FAULTS_MAX`].
    pub warnings: Vec<Fault>,
    /// Faults beyond those.
    pub more_faults: u64,
    /// Warnings beyond those.
    pub more_warnings: u64,
}

impl Report {
    /// Whether the files must be refused.
    pub const fn is_refused(&self) -> bool {
        !self.faults.is_empty()
    }

    /// A fault of a file as a whole.
    pub fn refuse(&mut self, file: &str, message: impl Into<Box<str>>, hint: Option<&str>) {
        let hint = hint.map(Into::into);
        let (text, message) = (Box::default(), message.into());
        self.add(Severity::Fault, Fault { file: file.into(), line: 0, column: 1, width: 1, text, message, hint });
    }

    pub(super) fn add(&mut self, severity: Severity, fault: Fault) {
        let (kept, more) = match severity {
            Severity::Fault => (&mut self.faults, &mut self.more_faults),
            Severity::Warning => (&mut self.warnings, &mut self.more_warnings),
        };
        if kept.len() < FAULTS_MAX { kept.push(fault) } else { *more += 1 }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "error: {fault}")?;
        }
        if self.more_faults > 0 {
            writeln!(f, "error: {} more faults", self.more_faults)?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        if self.more_warnings > 0 {
            writeln!(f, "warning: {} more warnings", self.more_warnings)?;
        }
        Ok(())
    }
}

/// Whether the file is refused for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Severity {
    Fault,
    Warning,
}

/// What is wrong at a place of the line that is being read.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Where in the line, in bytes.
    at: usize,
    message: Box<str>,
    hint: Option<Box<str>>,
    pub(super) severity: Severity,
}

impl Wrong {
    pub(super) fn new(at: usize, message: impl Into<Box<str>>) -> Self {
        Self { at, message: message.into(), hint: None, severity: Severity::Fault }
    }

    pub(super) fn warning(at: usize, message: impl Into<Box<str>>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(at, message) }
    }

    pub(super) fn hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The fault, for the line with this number.
    #[cold]
    pub(super) fn place(self, file: &str, line: u64, bytes: &[u8]) -> Fault {
        let at = self.at.min(bytes.len());
        let shown = |bytes: &[u8]| -> String {
            let text = String::from_utf8_lossy(bytes);
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_BYTES_MAX).collect()
        };
        let word = bytes[at..].iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(bytes.len() - at);
        let text = shown(bytes);
        let column = shown(&bytes[..at]).chars().count() + 1;
        let room = (text.chars().count() + 1).saturating_sub(column);
        let width = shown(&bytes[at..at + word]).chars().count().min(room).max(1);
        let (message, hint) = (self.message, self.hint);
        Fault { file: file.into(), line, column, width, text: text.into(), message, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_show_their_place() {
        let wrong = Wrong::new(5, "no length").hint("write /24");
        let fault = wrong.place("list", 12, b"1.2.3/x y\tz");
        assert_eq!(fault.to_string(), "list:12:6: no length\n12 | 1.2.3/x y z\n   |      ^^\n  hint: write /24");
        let whole = Wrong::new(99, "cut").place("list", 1, b"ab");
        assert_eq!(whole.to_string(), "list:1:3: cut\n1 | ab\n  |   ^");
    }

    #[test]
    fn reports_are_bounded() {
        let mut report = Report::default();
        for _ in 0..FAULTS_MAX + 3 {
            report.refuse("list", "bad", None);
        }
        assert_eq!((report.faults.len(), report.more_faults), (FAULTS_MAX, 3));
        assert!(report.to_string().ends_with("error: 3 more faults\n"));
    }
}
