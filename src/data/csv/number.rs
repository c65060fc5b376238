//! Decimal numbers from bytes, correctly rounded, without a detour through text.
//!
//! Three roads lead to the nearest double. A mantissa up to 2^53 with a power of ten up to 10^22 is exact in one
//! floating operation, since both operands are (Clinger 1990). A mantissa of at most 19 digits over 10^q, q ≤ 27, is one
//! 128-bit integer division with a sticky bit. The rest goes to the standard library.

/// Largest integer up to which every integer is a double.
const EXACT_INTEGER: u64 = 1 << 53;
/// Digits that surely fit in 64 bits.
const SAFE_DIGITS: usize = 19;
/// 5^27 is the largest power of five below 2^63.
const FIVE_POWERS: usize = 28;

/// 10^0 … 10^22, all exact.
const TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// 5^0 … 5^27.
const FIVE: [u64; FIVE_POWERS] = {
    let mut powers = [1; FIVE_POWERS];
    let mut i = 1;
    while i < FIVE_POWERS {
        powers[i] = powers[i - 1] * 5;
        i += 1;
    }
    powers
};

/// A number at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    /// The nearest double.
    pub value: f64,
    /// Bytes that it takes.
    pub length: usize,
    /// An integer (no point, no exponent) beyond ±2^53: an identifier that a double may round.
    pub oversized: bool,
}

/// The number that fills `text` after trimming ASCII blanks, if it is one.
pub(crate) fn parse(text: &[u8]) -> Option<Number> {
    let text = text.trim_ascii();
    leading(text).filter(|n| n.length == text.len())
}

/// [`prefix`] behind a call, for all but the hottest loop.
#[inline(never)]
pub(crate) fn leading(bytes: &[u8]) -> Option<Number> {
    prefix(bytes)
}

/// The longest number at the start of `bytes`: `[+-]digits[.digits][e[+-]digits]`, `inf` or `infinity` in any case.
// The hot loop over a file of numbers is a tenth slower when this is a call.
#[expect(clippy::inline_always)]
#[inline(always)]
pub(crate) fn prefix(bytes: &[u8]) -> Option<Number> {
    let (negative, mut at) = match bytes.first()? {
        b'-' => (true, 1),
        b'+' => (false, 1),
        _ => (false, 0),
    };
    let mut mantissa = 0_u64;
    let start = at;
    at = digits(bytes, at, &mut mantissa);
    let mut count = at - start;
    let mut fraction = 0;
    let point = bytes.get(at) == Some(&b'.');
    if point {
        let first = at + 1;
        let last = digits(bytes, first, &mut mantissa);
        fraction = last - first;
        count += fraction;
        if count > 0 {
            at = last;
        }
    }
    if count == 0 {
        return infinity(bytes, start, negative);
    }
    let mut exponent = 0_i32;
    let mut integer = !point;
    if let Some(b'e' | b'E') = bytes.get(at)
        && let Some((value, end)) = integer_exponent(bytes, at + 1)
    {
        (exponent, at, integer) = (value, end, false);
    }
    let exact = count <= SAFE_DIGITS;
    let magnitude = if exact {
        scale(mantissa, exponent - (fraction as u32).cast_signed())
    } else {
        None
    };
    let magnitude = match magnitude {
        Some(m) => m,
        None => std::str::from_utf8(&bytes[start..at]).ok()?.parse().ok()?,
    };
    Some(Number {
        value: if negative { -magnitude } else { magnitude },
        length: at,
        oversized: integer
            && magnitude >= EXACT_INTEGER as f64
            && (!exact || mantissa > EXACT_INTEGER),
    })
}

/// Appends the digits from `at` to the mantissa (modulo 2^64) and returns the first position after them.
#[inline]
fn digits(bytes: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let Some(value) = eight_digits(u64::from_le_bytes(*eight)) else {
            break;
        };
        *mantissa = mantissa.wrapping_mul(100_000_000).wrapping_add(value);
        at += 8;
    }
    while let Some(digit) = bytes
        .get(at)
        .map(|b| b.wrapping_sub(b'0'))
        .filter(|d| *d < 10)
    {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// Eight ASCII digits, first in the lowest byte, as a number: pairs, then fours, then all, by three multiplications.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const TO_CARRY: u64 = 0x0606_0606_0606_0606;
    // A byte is a digit when its high half is 3 and stays 3 after adding 6.
    if word & HIGH != ZEROS || word.wrapping_add(TO_CARRY) & HIGH != ZEROS {
        return None;
    }
    let ones = word - ZEROS;
    let pairs = (ones * 10 + (ones >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF)
}

/// `[+-]digits`, saturating far outside the range of doubles.
fn integer_exponent(bytes: &[u8], mut at: usize) -> Option<(i32, usize)> {
    const FAR: i32 = 100_000;
    let negative = match bytes.get(at)? {
        b'-' => {
            at += 1;
            true
        }
        b'+' => {
            at += 1;
            false
        }
        _ => false,
    };
    let start = at;
    let mut value = 0_i32;
    while let Some(digit) = bytes
        .get(at)
        .map(|b| b.wrapping_sub(b'0'))
        .filter(|d| *d < 10)
    {
        value = (value * 10 + i32::from(digit)).min(FAR);
        at += 1;
    }
    (at > start).then_some((if negative { -value } else { value }, at))
}

/// `mantissa × 10^exponent` correctly rounded, where one of the two exact roads applies.
#[inline]
pub(crate) fn scale(mantissa: u64, exponent: i32) -> Option<f64> {
    let power = exponent.unsigned_abs() as usize;
    if mantissa <= EXACT_INTEGER && power < TEN.len() {
        let m = mantissa as f64;
        return Some(if exponent < 0 {
            m / TEN[power]
        } else {
            m * TEN[power]
        });
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    if exponent <= 0 && power < FIVE.len() {
        return Some(divide(mantissa, power));
    }
    None
}

/// `mantissa / 10^power` for a positive mantissa: with both operands shifted to have their top bit set, the quotient has
/// at least 62 bits, so that setting its last bit when a remainder is left makes the one rounding to 53 bits right.
#[inline]
fn divide(mantissa: u64, power: usize) -> f64 {
    const BIAS: i32 = 1023;
    const FRACTION_BITS: u32 = 52;
    let five = FIVE[power];
    let (shift_m, shift_d) = (mantissa.leading_zeros(), five.leading_zeros());
    let numerator = u128::from(mantissa << shift_m) << 63;
    let divisor = u128::from(five << shift_d);
    let quotient = (numerator / divisor) as u64;
    let sticky = u64::from(u128::from(quotient) * divisor != numerator);
    let exponent =
        shift_d.cast_signed() - shift_m.cast_signed() - (power as u32).cast_signed() - 63;
    (quotient | sticky) as f64 * f64::from_bits(((BIAS + exponent) as u64) << FRACTION_BITS)
}

/// `inf` or `infinity` after the sign.
#[cold]
fn infinity(bytes: &[u8], start: usize, negative: bool) -> Option<Number> {
    let rest = &bytes[start..];
    let length = ["infinity", "inf"]
        .iter()
        .find(|word| {
            rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes())
        })?
        .len();
    Some(Number {
        value: if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        },
        length: start + length,
        oversized: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Option<f64> {
        parse(text.as_bytes()).map(|n| n.value)
    }

    #[test]
    fn the_grammar_is_that_of_decimal_numbers() {
        for (text, expected) in [
            ("1", 1.0),
            (" -1.5 ", -1.5),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            ("007", 7.0),
            ("-0", -0.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e400", f64::INFINITY),
            ("1e-400", 0.0),
            ("12345678", 12_345_678.0),
            ("1234567812345678.5", 1_234_567_812_345_678.5),
        ] {
            assert_eq!(
                value(text).map(f64::to_bits),
                Some(expected.to_bits()),
                "{text}"
            );
        }
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1,5", "1 2", "0x10", "1_000", "nan", "--1", "1.2.3",
            "infin", "1d3",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn integers_that_a_double_may_round_are_marked() {
        let oversized = |t: &str| parse(t.as_bytes()).unwrap().oversized;
        assert!(!oversized("9007199254740992"));
        assert!(!oversized("-9007199254740992"));
        assert!(oversized("9007199254740993"));
        assert!(oversized("-90071992547409931234"));
        assert!(!oversized("90071992547409931234.5"));
        assert!(!oversized("1e300"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn shortest_text_reads_back_to_the_same_bits(bits in any::<u64>()) {
            let x = f64::from_bits(bits);
            prop_assume!(!x.is_nan());
            prop_assert_eq!(value(&format!("{x}")).unwrap().to_bits(), x.to_bits());
            prop_assert_eq!(value(&format!("{x:e}")).unwrap().to_bits(), x.to_bits());
        }

        #[test]
        fn it_agrees_with_the_standard_library(mantissa in any::<u64>(), power in 0_usize..40, digits in 1_usize..20) {
            let mut text = mantissa.to_string();
            text.truncate(digits);
            let scientific = format!("{text}e-{power}");
            let point = text.len().saturating_sub(power);
            text.insert(point, '.');
            for t in [text, scientific] {
                prop_assert_eq!(value(&t).unwrap().to_bits(), t.parse::<f64>().unwrap().to_bits(), "{}", t);
            }
        }
    }
}
