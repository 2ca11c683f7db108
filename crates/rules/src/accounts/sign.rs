/// A sign that an account is used by somebody else, with its weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sign {
    /// A recipient to whom the account never wrote, from a place that is not its home.
    NewRecipient,
    /// At a domain to which it never wrote.
    NewDomain,
    /// Many of them in a short time.
    Burst,
    /// One strange network after the other.
    Moving,
    /// A recipient that does not exist, or that a server refused.
    Refused,
    /// A message that came back.
    Bounced,
    /// At an hour at which the account is not used.
    OddHour,
    /// From a program that its owner never used, where none of his was seen.
    Client,
    /// From a country in which it was never used.
    Country,
    /// From two countries sooner than anybody gets from the one to the other.
    Travel,
    /// The same text in one message after the other.
    SameBody,
    /// A message that was found to be spam.
    Spam,
}

impl Sign {
    /// All, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::NewRecipient,
        Self::NewDomain,
        Self::Burst,
        Self::Moving,
        Self::Refused,
        Self::Bounced,
        Self::OddHour,
        Self::Client,
        Self::Country,
        Self::Travel,
        Self::SameBody,
        Self::Spam,
    ];

    /// What it is called, after a number of points.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NewRecipient => "new recipients",
            Self::NewDomain => "new domains of recipients",
            Self::Burst => "many new recipients in minutes",
            Self::Moving => "one strange network after the other",
            Self::Refused => "refused recipients",
            Self::Bounced => "messages that came back",
            Self::OddHour => "unusual hours",
            Self::Client => "a mail program that was never used before",
            Self::Country => "a country from which it was never used",
            Self::Travel => "two countries within minutes",
            Self::SameBody => "the same text again and again",
            Self::Spam => "messages found to be spam",
        }
    }
}

/// How many signs there are.
pub(super) const SIGNS: usize = Sign::ALL.len();
