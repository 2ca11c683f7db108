//! The scripts of rspamd 3.4, which know nothing of messages on their way: what is checked at the same time all passes.

use base::Timestamp;

use super::decimal::Stored;
use super::{Checked, Dynamics, Hash, Shape, Updated, multiplier};

impl Hash {
    /// `ratelimit_check` of 3.4. A bucket with nothing in it lets any number pass.
    pub fn check_3_4(&mut self, now: Timestamp, recipients: u32, shape: Shape) -> Checked {
        if self.is_missing() {
            *self = Self { last: now, ..Self::fresh() };
            return Checked { is_over: false, level: 0.0, dynamic_rate: 1.0, dynamic_burst: 1.0, leaked: 0.0 };
        }
        let mut level = self.level.to_double();
        let (mut dynamic_rate, mut dynamic_burst, mut leaked, mut is_over) = (0.0, 0.0, 0.0, false);
        if level > 0.0 {
            if self.last < now {
                (dynamic_rate, leaked) = self.leak(now, level, shape);
                level -= leaked;
            }
            dynamic_burst = multiplier(self.dynamic_burst);
            is_over = level > 0.0 && level + f64::from(recipients) > shape.burst * dynamic_burst;
        } else {
            level = 0.0;
            self.level = Stored::ZERO;
        }
        Checked { is_over, level, dynamic_rate, dynamic_burst, leaked }
    }

    /// `ratelimit_update` of 3.4, which replies with what was in the bucket before.
    pub fn update_3_4(&mut self, now: Timestamp, recipients: u32, dynamics: Dynamics) -> Updated {
        if self.is_missing() {
            *self = Self { last: now, level: Stored::of_lua(f64::from(recipients)), ..Self::fresh() };
            return Updated { level: 1.0, dynamic_rate: 1.0, dynamic_burst: 1.0 };
        }
        let (dynamic_rate, dynamic_burst) = self.step(dynamics);
        let level = self.level.to_double();
        self.level = self.level.plus(recipients);
        self.last = now;
        Updated { level: level.max(0.0), dynamic_rate, dynamic_burst }
    }
}
