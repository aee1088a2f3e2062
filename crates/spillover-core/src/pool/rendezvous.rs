//! The backend of an affinity key: highest random weight (Thaler and Ravishankar, 1998), weighted by logarithms.
//!
//! Instances and versions must agree on the result, so this code must not change. See [`Affinity`](super::Affinity).

/// Returns the index of the backend with the highest score for the key with this hash. Each backend has an index, the hash of its
/// label and a weight.
pub(super) fn winner(key: u64, backends: impl Iterator<Item = (usize, u64, u32)>) -> Option<usize> {
    let scores = backends.map(|(index, label, weight)| (index, score(key, label, weight)));
    let highest = scores.max_by(|(_, a), (_, b)| a.total_cmp(b));
    highest.map(|(index, _)| index)
}

/// Returns the score of a backend for a key; the highest wins. Each of several backends wins a share of the keys by its weight.
fn score(key: u64, label: u64, weight: u32) -> f64 {
    f64::from(weight) / minus_ln(mix(key ^ mix(label)))
}

/// Hashes by FNV-1a of 64 bits.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Mixes the bits by the finalizer of `SplitMix64`: each bit of the result depends on all.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// Returns `-ln(u)` for a number `u` made of these bits, with 0 < `u` < 1.
///
/// `f64::ln` differs between platforms in the last digit. This function uses sums, products and quotients only, which
/// IEEE 754 defines to the bit.
fn minus_ln(bits: u64) -> f64 {
    // `odd / 2^53`, where `odd` is `mantissa * 2^exponent`.
    let odd = bits >> 11 | 1;
    let mut exponent = 63 - odd.leading_zeros();
    let mut mantissa = odd as f64 / (1_u64 << exponent) as f64;
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln(m) = 2 artanh((m - 1) / (m + 1)), and artanh(s) = s + s^3/3 + s^5/5 + ...
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = (0..TERMS).rev().fold(0.0, |sum, term| {
        sum * (s * s) + 1.0 / f64::from(2 * term + 1)
    });
    f64::from(53 - exponent) * std::f64::consts::LN_2 - 2.0 * s * series
}

/// The number of terms. Since `s` is at most 0.172, further terms are below the precision.
const TERMS: u32 = 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_their_authors() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
        // The first number of the generator from the seed 0.
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn logarithm_is_one_to_the_last_digit_or_two() {
        let extremes = [0, 1, 1 << 11, u64::MAX, u64::MAX >> 1, 1 << 63];
        let others = (0..100_000).map(mix);
        for bits in extremes.into_iter().chain(others) {
            let u = (bits >> 11 | 1) as f64 / (1_u64 << 53) as f64;
            let (ours, exact) = (minus_ln(bits), -u.ln());
            assert!(ours > 0.0 && ours.is_finite(), "{u}");
            assert!((ours / exact - 1.0).abs() < 1e-15, "{u}: {ours}, {exact}");
        }
    }
}
