use core::sync::atomic::{AtomicU64, Ordering};

/// What the gate counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// `allow` before the password was checked, or without a mark of the stage.
    AskedBefore,
    /// `allow` after the password was found right.
    AskedAfter,
    /// `allow` answered 0, because nothing is known against the client.
    Passed,
    /// `allow` answered with seconds to wait.
    Tarpitted,
    /// `allow` answered -1.
    Refused,
    /// `allow` answered 0 although the decision was `defer`, which the protocol cannot say.
    DeferPassed,
    /// Reports of a success.
    ReportedOk,
    /// Reports of a failure that counts as a guess.
    ReportedFailed,
    /// Reports of a refusal that we decided on.
    ReportedRefused,
    /// Reports of a failure inside the mail server: a password database that does not answer.
    ReportedOutage,
    /// Reports of a failure that is no guess: the account has expired or is disabled.
    ReportedNoGuess,
    /// Reports that name neither an address nor a login.
    ReportedNobody,
    /// Requests with a field of the wrong type or form, which was taken as absent.
    OddFields,
    /// Requests whose body is no JSON object.
    NotJson,
    /// Requests without the password or header that is asked for.
    Unauthorized,
    /// Requests for a command that does not exist, or by the wrong method.
    UnknownCommand,
    /// Commands of weakforced's API that were done.
    ApiDone,
    /// Commands of weakforced's API that were not understood, or could not be done.
    ApiFailed,
    /// Reports with a `pwhash` that tells nothing, because the server never saw the password or it was empty.
    ConstantTags,
    /// Reports with a `pwhash` that cannot be used: no nonce is configured here, or it has another length.
    UnusedTags,
    /// Questions and reports during which the door panicked; answered neutrally.
    DoorPanics,
}

impl Count {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 21] = [
        Self::AskedBefore,
        Self::AskedAfter,
        Self::Passed,
        Self::Tarpitted,
        Self::Refused,
        Self::DeferPassed,
        Self::ReportedOk,
        Self::ReportedFailed,
        Self::ReportedRefused,
        Self::ReportedOutage,
        Self::ReportedNoGuess,
        Self::ReportedNobody,
        Self::OddFields,
        Self::NotJson,
        Self::Unauthorized,
        Self::UnknownCommand,
        Self::ApiDone,
        Self::ApiFailed,
        Self::ConstantTags,
        Self::UnusedTags,
        Self::DoorPanics,
    ];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AskedBefore => "asked_before",
            Self::AskedAfter => "asked_after",
            Self::Passed => "passed",
            Self::Tarpitted => "tarpitted",
            Self::Refused => "refused",
            Self::DeferPassed => "defer_passed",
            Self::ReportedOk => "reported_ok",
            Self::ReportedFailed => "reported_failed",
            Self::ReportedRefused => "reported_refused",
            Self::ReportedOutage => "reported_outage",
            Self::ReportedNoGuess => "reported_no_guess",
            Self::ReportedNobody => "reported_nobody",
            Self::OddFields => "odd_fields",
            Self::NotJson => "not_json",
            Self::Unauthorized => "unauthorized",
            Self::UnknownCommand => "unknown_command",
            Self::ApiDone => "api_done",
            Self::ApiFailed => "api_failed",
            Self::ConstantTags => "constant_tags",
            Self::UnusedTags => "unused_tags",
            Self::DoorPanics => "door_panics",
        }
    }
}

/// The counts since the gate was made. They are read while they are written, so that sums may be one off.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; Count::ALL.len()]);

impl Counters {
    /// One count.
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Ordering::Relaxed)
    }

    /// All counts with their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (Count, u64)> + '_ {
        Count::ALL.into_iter().map(|count| (count, self.get(count)))
    }

    pub(super) fn add(&self, count: Count) {
        self.0[count as usize].fetch_add(1, Ordering::Relaxed);
    }
}
