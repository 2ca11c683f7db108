/// What is to be done about an account, the mildest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Step {
    /// Nothing.
    #[default]
    Calm,
    /// Tell somebody.
    Note,
    /// Let one recipient through a minute.
    Slower,
    /// Keep its messages back.
    Hold,
    /// Let it send no more; mail can be read.
    LockSending,
    /// Lock it altogether.
    LockLogin,
}

impl Step {
    /// All but [`Step::Calm`], the mildest first.
    pub const ALL: [Self; 5] = [Self::Note, Self::Slower, Self::Hold, Self::LockSending, Self::LockLogin];

    /// The name in configuration and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Note => "note",
            Self::Slower => "slower",
            Self::Hold => "hold",
            Self::LockSending => "lock-sending",
            Self::LockLogin => "lock-login",
        }
    }

    /// The step of that place among [`Step::ALL`], counted from one; zero is calm.
    pub(super) fn from_place(place: u8) -> Self {
        usize::from(place).checked_sub(1).and_then(|place| Self::ALL.get(place)).copied().unwrap_or_default()
    }
}

/// From how many points on each step is taken; none for one that never is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ladder {
    /// [`Step::Note`].
    pub note: Option<u16>,
    /// [`Step::Slower`].
    pub slower: Option<u16>,
    /// [`Step::Hold`].
    pub hold: Option<u16>,
    /// [`Step::LockSending`].
    pub lock_sending: Option<u16>,
    /// [`Step::LockLogin`].
    pub lock_login: Option<u16>,
}

impl Ladder {
    /// Nothing is ever done.
    pub const NONE: Self = Self { note: None, slower: None, hold: None, lock_sending: None, lock_login: None };

    /// From how many points on a step is taken.
    pub const fn from(&self, step: Step) -> Option<u16> {
        match step {
            Step::Calm => Some(0),
            Step::Note => self.note,
            Step::Slower => self.slower,
            Step::Hold => self.hold,
            Step::LockSending => self.lock_sending,
            Step::LockLogin => self.lock_login,
        }
    }

    /// The hardest step of so many points.
    pub fn step(&self, points: f32) -> Step {
        let is_reached = |step: &Step| self.from(*step).is_some_and(|from| points >= f32::from(from));
        Step::ALL.into_iter().rev().find(is_reached).unwrap_or_default()
    }

    /// Below so many points nothing is suspicious any more: half of what the first step wants.
    pub(super) fn calm_below(&self) -> f32 {
        let first = Step::ALL.into_iter().filter_map(|step| self.from(step)).min();
        first.map_or(0.0, |first| f32::from(first) / 2.0)
    }
}
