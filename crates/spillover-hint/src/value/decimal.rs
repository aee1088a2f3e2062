/// A non-negative decimal number: `mantissa` times ten to the power of `exponent`.
///
/// Integers avoid rounding: `1.146` s is exactly 1146 ms, and no value is infinite. The exponent exists because
/// JavaScript and Python write small and large floats with one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    mantissa: u64,
    exponent: i32,
}

impl Decimal {
    /// Reads `text`, which may have spaces around the number and nothing else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if let Some(mantissa) = plain(text) {
            return Some(Self {
                mantissa,
                exponent: 0,
            });
        }
        let (number, rest) = Self::prefix(text.trim_ascii())?;
        rest.is_empty().then_some(number)
    }

    /// Reads the number at the start of `text`. Returns the rest as well.
    pub(crate) fn prefix(text: &[u8]) -> Option<(Self, &[u8])> {
        let unsigned = text.strip_prefix(b"+").unwrap_or(text);
        let (whole, rest) = digits(unsigned);
        let (fraction, rest) = match rest.strip_prefix(b".") {
            Some(rest) => digits(rest),
            None => (&rest[..0], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }

        let mut number = Self {
            mantissa: 0,
            exponent: 0,
        };
        for digit in whole {
            if !number.push(*digit) {
                number.exponent = number.exponent.saturating_add(1);
            }
        }
        for digit in fraction {
            if !number.push(*digit) {
                break;
            }
            number.exponent = number.exponent.saturating_sub(1);
        }

        let Some((exponent, rest)) = exponent(rest) else {
            return Some((number, rest));
        };
        number.exponent = number.exponent.saturating_add(exponent);
        Some((number, rest))
    }

    /// Returns the number times `unit`, rounded down; `u128::MAX` if that is too large.
    pub(crate) fn times(self, unit: u64) -> u128 {
        let product = u128::from(self.mantissa) * u128::from(unit);
        let scale = self.exponent.unsigned_abs();
        if self.exponent < 0 {
            // A 128-bit division is many times slower than a 64-bit one, which is enough for any sensible value.
            if let (Ok(product), Some(scale)) = (u64::try_from(product), 10_u64.checked_pow(scale))
            {
                return u128::from(product / scale);
            }
            return 10_u128
                .checked_pow(scale)
                .map_or(0, |scale| product / scale);
        }
        product.saturating_mul(10_u128.saturating_pow(scale))
    }

    /// Returns the number as a count, rounded up, so that only a true zero is zero.
    pub(crate) fn count(self) -> u64 {
        let whole = u64::try_from(self.times(1)).unwrap_or(u64::MAX);
        whole.max(u64::from(!self.is_zero()))
    }

    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Appends a digit if it fits: nineteen digits always do.
    fn push(&mut self, digit: u8) -> bool {
        let room = self.mantissa < 10_u64.pow(18);
        if room {
            self.mantissa = self.mantissa * 10 + u64::from(digit - b'0');
        }
        room
    }
}

/// Reads a number of digits only, short enough not to overflow. Most numbers are.
pub(crate) fn plain(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then_some(number * 10 + u64::from(digit))
    })
}

/// Reads `e`, an optional sign and digits. Returns `None` for other text, which then follows the number.
fn exponent(text: &[u8]) -> Option<(i32, &[u8])> {
    let text = text.strip_prefix(b"e").or(text.strip_prefix(b"E"))?;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (digits, rest) = digits(text);
    if digits.is_empty() {
        return None;
    }

    let size = digits.iter().fold(0_i32, |size, digit| {
        size.saturating_mul(10)
            .saturating_add(i32::from(digit - b'0'))
    });
    Some((if negative { -size } else { size }, rest))
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}
