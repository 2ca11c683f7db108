//! Numbers as rspamd's scripts write them into Redis, to the last digit.
//!
//! A script's number is a double; Lua writes it with 14 significant digits. Redis adds to a stored number in `long
//! double`, which on x86 has 64 bits of mantissa, and writes it with 17 decimals. A double instead differs once in a few
//! thousand operations, where the level is exactly the burst.

use core::fmt::{self, Write};

/// A stored number: so many times 10^-17.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Stored(i128);

/// Decimals that Redis writes.
const DECIMALS: i32 = 17;
/// The largest power of ten that leaves a bit of a 128-bit word free; a number below its inverse is nothing.
const POWER_MAX: i32 = 37;
/// Bits of the mantissa of a `long double`.
const MANTISSA_BITS: u32 = 64;

impl Stored {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn to_bits(self) -> [u64; 2] {
        [self.0.cast_unsigned() as u64, (self.0.cast_unsigned() >> 64) as u64]
    }

    pub(crate) const fn from_bits([low, high]: [u64; 2]) -> Self {
        Self((((high as u128) << 64) | low as u128).cast_signed())
    }

    /// What Lua's `tonumber` reads.
    pub(crate) fn to_double(self) -> f64 {
        let text = Text::of(format_args!("{}e-{DECIMALS}", self.0));
        text.as_str().parse().unwrap_or_default()
    }

    /// What Lua's `tostring` makes of a number: `%.14g`.
    pub(crate) fn of_lua(number: f64) -> Self {
        let (digits, exponent) = decimal(number, 14);
        let shift = exponent + DECIMALS;
        let power = |shift: i32| 10_i128.pow(shift.unsigned_abs().min(POWER_MAX.unsigned_abs()));
        Self(if shift >= 0 { digits.saturating_mul(power(shift)) } else { digits / power(shift) })
    }

    /// What Redis' `HINCRBYFLOAT` leaves after taking away `amount`, which it reads with 17 significant digits.
    #[must_use]
    pub(crate) fn minus(self, amount: f64) -> Self {
        let (digits, exponent) = decimal(amount, 17);
        let own = Extended::new(self.0.unsigned_abs(), -DECIMALS);
        let taken = Extended::new(digits.unsigned_abs(), exponent);
        Self(own.minus(taken))
    }

    /// What `HINCRBYFLOAT` leaves after adding `count`.
    #[must_use]
    pub(crate) fn plus(self, count: u32) -> Self {
        let own = Extended::new(self.0.unsigned_abs(), -DECIMALS);
        let count = Extended::new(u128::from(count), 0);
        Self(if self.0 < 0 { count.minus(own) } else { own.plus(count) })
    }
}

/// The text that Redis stores: 17 decimals, without the zeros at the end.
impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u128.pow(DECIMALS.unsigned_abs());
        let (whole, mut part) = (self.0.unsigned_abs() / one, self.0.unsigned_abs() % one);
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}")?;
        if part == 0 {
            return Ok(());
        }
        let mut width = DECIMALS.unsigned_abs() as usize;
        while part.is_multiple_of(10) {
            (part, width) = (part / 10, width - 1);
        }
        write!(f, ".{part:0width$}")
    }
}

/// The number with `%.14g`'s precision, as the script reads it from its arguments.
pub(crate) fn as_argument(number: f64) -> f64 {
    let text = Text::of(format_args!("{number:.13e}"));
    text.as_str().parse().unwrap_or(number)
}

/// `number` with so many significant digits: digits and power of ten.
fn decimal(number: f64, significant: usize) -> (i128, i32) {
    let text = Text::of(format_args!("{number:.*e}", significant - 1));
    let (mantissa, exponent) = text.as_str().split_once('e').unwrap_or(("0", "0"));
    let (mut digits, mut decimals) = (0_i128, 0);
    let mut seen_point = false;
    for byte in mantissa.bytes() {
        match byte {
            b'.' => seen_point = true,
            b'0'..=b'9' => {
                digits = digits * 10 + i128::from(byte - b'0');
                decimals += i32::from(seen_point);
            }
            _ => {}
        }
    }
    let sign = if mantissa.starts_with('-') { -1 } else { 1 };
    (sign * digits, exponent.parse::<i32>().unwrap_or_default() - decimals)
}

/// A `long double` that is not negative: mantissa times a power of two. Zero has mantissa 0, any other a mantissa whose
/// first bit is set.
#[derive(Clone, Copy, Debug)]
struct Extended {
    mantissa: u64,
    exponent: i32,
}

impl Extended {
    const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// `digits` times a power of ten, rounded to the nearest, ties to even.
    fn new(digits: u128, power: i32) -> Self {
        if digits == 0 || power < -POWER_MAX {
            return Self::ZERO;
        }
        let ten = |power: i32| 10_u128.pow(power.unsigned_abs());
        let (mut rest, mut divisor) =
            if power < 0 { (digits, ten(power)) } else { (digits.saturating_mul(ten(power.min(POWER_MAX))), 1) };
        // Divided bit by bit, from where both have their first bit at the same place.
        let shift = divisor.leading_zeros().cast_signed() - rest.leading_zeros().cast_signed();
        if shift >= 0 {
            divisor <<= shift;
        } else {
            rest <<= -shift;
        }
        let mut quotient = 0_u128;
        let bits = MANTISSA_BITS + 3;
        for _ in 0..bits {
            quotient <<= 1;
            if rest >= divisor {
                rest -= divisor;
                quotient |= 1;
            }
            // Both keep a bit free, because neither digits nor divisor fill their word.
            rest <<= 1;
        }
        Self::rounded(quotient << 1 | u128::from(rest != 0), shift - bits.cast_signed())
    }

    /// `bits`, whose last one says whether anything was left over, times a power of two.
    fn rounded(bits: u128, exponent: i32) -> Self {
        if bits == 0 {
            return Self::ZERO;
        }
        let surplus = (u128::BITS - bits.leading_zeros()).cast_signed() - MANTISSA_BITS.cast_signed();
        if surplus <= 0 {
            return Self { mantissa: (bits << -surplus) as u64, exponent: exponent + surplus };
        }
        let kept = half_even(bits, surplus.unsigned_abs());
        match u64::try_from(kept) {
            Ok(mantissa) => Self { mantissa, exponent: exponent + surplus },
            Err(_) => Self { mantissa: 1 << (MANTISSA_BITS - 1), exponent: exponent + surplus + 1 },
        }
    }

    /// The sum as Redis writes it, in 10^-17.
    fn plus(self, other: Self) -> i128 {
        let (large, small) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        if small.mantissa == 0 || large.mantissa == 0 {
            return self.written() + other.written();
        }
        // Two bits are left free: for the sum, and for the note that something was cut.
        let wide = u128::from(large.mantissa) << (MANTISSA_BITS - 2);
        let narrow = u128::from(small.mantissa) << (MANTISSA_BITS - 2);
        let apart = (large.exponent - small.exponent).unsigned_abs();
        let moved = narrow.checked_shr(apart).unwrap_or(0);
        let is_cut = moved.checked_shl(apart).unwrap_or(0) != narrow;
        Self::rounded((wide + moved) | u128::from(is_cut), large.exponent - (MANTISSA_BITS - 2).cast_signed()).written()
    }

    /// The difference as Redis writes it, in 10^-17.
    fn minus(self, other: Self) -> i128 {
        if self.mantissa == 0 || other.mantissa == 0 {
            return if other.mantissa == 0 { self.written() } else { -other.written() };
        }
        let (large, small, is_negative) = if (self.exponent, self.mantissa) >= (other.exponent, other.mantissa) {
            (self, other, false)
        } else {
            (other, self, true)
        };
        let apart = large.exponent - small.exponent;
        let wide = u128::from(large.mantissa) << (MANTISSA_BITS - 1);
        let narrow = u128::from(small.mantissa) << (MANTISSA_BITS - 1);
        let (moved, is_cut) =
            if apart < 127 { (narrow >> apart, apart > 0 && narrow << (128 - apart) != 0) } else { (0, true) };
        let difference = (wide - moved - u128::from(is_cut)) | u128::from(is_cut);
        let result = Self::rounded(difference, large.exponent - (MANTISSA_BITS - 1).cast_signed()).written();
        if is_negative { -result } else { result }
    }

    /// `%.17Lf`, in 10^-17.
    fn written(self) -> i128 {
        let product = u128::from(self.mantissa) * 10_u128.pow(DECIMALS.unsigned_abs());
        let value = match self.exponent {
            0.. => product.checked_shl(self.exponent.unsigned_abs()).unwrap_or(u128::MAX),
            _ => half_even(product, self.exponent.unsigned_abs()),
        };
        i128::try_from(value).unwrap_or(i128::MAX)
    }
}

/// `bits` without the last `count`, rounded to the nearest, ties to even.
const fn half_even(bits: u128, count: u32) -> u128 {
    if count == 0 {
        return bits;
    }
    if count > u128::BITS - 1 {
        return 0;
    }
    let kept = bits >> count;
    let rest = bits & ((1 << count) - 1);
    let half = 1 << (count - 1);
    if rest > half || (rest == half && kept & 1 == 1) { kept + 1 } else { kept }
}

/// A text on the stack, long enough for every number here; what does not fit is an error.
struct Text {
    bytes: [u8; 64],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }

    /// What is longer than the room, which no number here is, reads as no number.
    fn of(arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self::new();
        text.write_fmt(arguments).unwrap_or_default();
        text
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(self.bytes.get(..self.length).unwrap_or_default()).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_redis() {
        let three = Stored::of_lua(3.0);
        assert_eq!(three.to_string(), "3");
        // As a real Redis answered.
        assert_eq!(three.minus(0.016_666_666_666_667).to_string(), "2.983333333333333");
        assert_eq!(Stored::of_lua(3.983_333_333_333_3).minus(1.000_000_000_000_02).to_string(), "2.98333333333328");
        assert_eq!(Stored::of_lua(0.0).plus(7).to_string(), "7");
    }
}
