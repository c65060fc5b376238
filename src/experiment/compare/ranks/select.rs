//! Order statistics of all pairs, without forming them.

/// The number whose count of values at or below it first reaches `k`, by halving the floating-point numbers between two bounds: 64 counts.
fn smallest(low: f64, high: f64, reaches: impl Fn(f64) -> bool) -> f64 {
    let (mut below, mut above) = (key(low), key(high));
    while below < above {
        let middle = below + (above - below) / 2;
        if reaches(value(middle)) {
            above = middle;
        } else {
            below = middle + 1;
        }
    }
    value(above)
}

const SIGN: u64 = 1 << 63;

/// Integers in the order of the numbers.
fn key(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut out = values.to_vec();
    out.sort_by(f64::total_cmp);
    out
}

/// The differences `x_i − y_j`.
pub(super) struct Differences {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Differences {
    pub(super) fn new(x: &[f64], y: &[f64]) -> Self {
        Self {
            x: sorted(x),
            y: sorted(y),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.x.len() as u64 * self.y.len() as u64
    }

    /// The k-th smallest, from 1.
    pub(super) fn nth(&self, k: u64) -> f64 {
        let (n, m) = (self.x.len(), self.y.len());
        let (low, high) = (self.x[0] - self.y[m - 1], self.x[n - 1] - self.y[0]);
        smallest(low, high, |t| {
            let (mut count, mut first) = (0, 0);
            for x in &self.x {
                // The subtrahends from `first` on are large enough; fewer are for the next x.
                while first < m && x - self.y[first] > t {
                    first += 1;
                }
                count += (m - first) as u64;
            }
            count >= k
        })
    }
}

/// Walsh's averages `(d_i + d_j)/2` for `i ≤ j`.
pub(super) struct Averages {
    d: Vec<f64>,
}

impl Averages {
    pub(super) fn new(d: &[f64]) -> Self {
        Self { d: sorted(d) }
    }

    pub(super) fn count(&self) -> u64 {
        let n = self.d.len() as u64;
        n * (n + 1) / 2
    }

    /// The k-th smallest, from 1.
    pub(super) fn nth(&self, k: u64) -> f64 {
        let d = &self.d;
        smallest(d[0], d[d.len() - 1], |t| {
            let (mut count, mut end) = (0, d.len());
            for (i, x) in d.iter().enumerate() {
                while end > 0 && f64::midpoint(*x, d[end - 1]) > t {
                    end -= 1;
                }
                count += end.saturating_sub(i) as u64;
            }
            count >= k
        })
    }
}

/// The median of `count` ordered numbers.
pub(super) fn median(count: u64, nth: impl Fn(u64) -> f64) -> f64 {
    if count % 2 == 1 {
        nth(count / 2 + 1)
    } else {
        f64::midpoint(nth(count / 2), nth(count / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_statistics_are_those_of_the_sorted_pairs() {
        let x = [0.3, -1.5, 2.25, 2.25, 7.0, 0.0];
        let y = [1.0, 0.3, -4.0, 2.25];
        let mut all: Vec<f64> = x.iter().flat_map(|a| y.map(|b| a - b)).collect();
        all.sort_by(f64::total_cmp);
        let lazy = Differences::new(&x, &y);
        for (i, d) in all.iter().enumerate() {
            assert!((lazy.nth(i as u64 + 1) - d).abs() <= 0.0);
        }
        let mut walsh = Vec::new();
        for i in 0..x.len() {
            walsh.extend((i..x.len()).map(|j| f64::midpoint(x[i], x[j])));
        }
        walsh.sort_by(f64::total_cmp);
        let lazy = Averages::new(&x);
        assert_eq!(lazy.count() as usize, walsh.len());
        for (i, d) in walsh.iter().enumerate() {
            assert!((lazy.nth(i as u64 + 1) - d).abs() <= 0.0);
        }
    }
}
