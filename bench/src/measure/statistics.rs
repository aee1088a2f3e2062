use std::fmt::{self, Display, Formatter};

/// The median of the repetitions with the lowest and highest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// Returns the spread of the values. `None` if there are none.
    pub(crate) fn of_values(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }

    pub(crate) fn median(self) -> f64 {
        self.median
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { median, min, max } = self;
        if min == max {
            return write!(f, "{}", Number(*median));
        }
        let (median, min, max) = (Number(*median), Number(*min), Number(*max));
        write!(f, "{median} ({min} to {max})")
    }
}

/// Returns the value that `share` of the sorted values do not exceed (nearest rank). `None` if there are no values.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// A number with at least three significant digits.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.0;
        let decimals = match value.abs() {
            _ if value.fract() == 0.0 => 0,
            size if size >= 100.0 => 0,
            size if size >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{value:.decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_has_median_lowest_and_highest_value() {
        assert_eq!(Spread::of_values(vec![]), None);
        let odd = Spread::of_values(vec![3.0, 1.0, 20.0]).unwrap();
        assert_eq!(odd.to_string(), "3 (1 to 20)");
        let even = Spread::of_values(vec![4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!(even.median(), 2.5);
        assert_eq!(Spread::of_values(vec![0.0, 0.0]).unwrap().to_string(), "0");
    }

    #[test]
    fn percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), Some(500.0));
        assert_eq!(percentile(&values, 0.999), Some(999.0));
        assert_eq!(percentile(&values, 1.0), Some(1000.0));
        assert_eq!(percentile(&[7.0], 0.5), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn number_is_printed_with_three_significant_digits() {
        let text = |value| Number(value).to_string();
        assert_eq!(text(31_415.9), "31416");
        assert_eq!(text(31.41), "31.4");
        assert_eq!(text(5.678), "5.68");
        assert_eq!(text(0.0), "0");
    }
}
