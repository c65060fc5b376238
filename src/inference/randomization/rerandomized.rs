//! Which assignments rerandomisation accepts.

use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use crate::summary::Moments;
use nalgebra::DVector;

/// An assignment this little beyond the threshold is on it but for rounding: the assignment that was used must be accepted.
const SLACK: f64 = 1e-9;

/// Covariates whitened by their covariance, so that the Mahalanobis distance between arms is a sum of squares.
#[derive(Clone, Debug)]
pub(super) struct Balance {
    /// One centred column of unit variance, uncorrelated with the others, a covariate.
    columns: Vec<Vec<f64>>,
    threshold: f64,
}

impl Balance {
    pub(super) fn new(
        frame: &Frame,
        covariates: &[String],
        threshold: f64,
        treated: &[bool],
    ) -> Result<Self> {
        if threshold.is_nan() || threshold <= 0.0 {
            return Err(Error::invalid_option(
                "threshold of the Mahalanobis distance",
                threshold,
                "positive",
            ));
        }
        if covariates.is_empty() {
            return Err(Error::invalid_option(
                "covariates of the rerandomisation",
                "empty",
                "at least one numeric column",
            ));
        }
        let mut rows = Vec::with_capacity(covariates.len());
        for name in covariates {
            let column = frame.numeric(name)?;
            if let Some(row) = column.values().iter().position(|x| !x.is_finite()) {
                return Err(Error::OutOfRange {
                    column: name.clone(),
                    row: row + 1,
                    value: column.values()[row],
                    expected: "a finite number in every row, since assignments were balanced on it"
                        .to_owned(),
                });
            }
            rows.push(column);
        }
        let slices: Vec<&[f64]> = rows.iter().map(|c| c.values().as_slice()).collect();
        let moments = Moments::of(&slices, None)?;
        let (mean, factor) = (moments.mean(), Cholesky::new(&moments.covariance(1.0)));
        if factor.rank() < covariates.len() {
            let dropped: Vec<&str> = factor
                .dropped()
                .iter()
                .map(|i| covariates[*i].as_str())
                .collect();
            return Err(Error::Unidentified {
                what: format!("the balance of {}", dropped.join(", ")),
                needs: "covariates that vary and are no linear combinations of the others"
                    .to_owned(),
            });
        }
        // S⁻¹ = RR' with columns r_j, so that d'S⁻¹d = Σ_j (r_j'd)².
        let root = factor.inverse_root();
        let balance = Self {
            columns: (0..covariates.len())
                .map(|j| {
                    let row = |i: usize| {
                        let x = DVector::from_iterator(slices.len(), slices.iter().map(|s| s[i]));
                        root.column(j).dot(&(x - &mean))
                    };
                    (0..treated.len()).map(row).collect()
                })
                .collect(),
            threshold,
        };
        let used = balance.distance(treated);
        if used.is_finite() && used > threshold * (1.0 + SLACK) {
            return Err(Error::invalid_option(
                "threshold of the Mahalanobis distance",
                threshold,
                format!("at least that of the assignment that was used, which is {used:.6}"),
            ));
        }
        Ok(balance)
    }

    /// Whether an assignment would have been used.
    pub(super) fn accepts(&self, treated: &[bool]) -> bool {
        self.distance(treated) <= self.threshold * (1.0 + SLACK)
    }

    /// `n/(n₁n₀) Σ_j (Σ_treated w_j)²`, since the columns are centred.
    fn distance(&self, treated: &[bool]) -> f64 {
        let n = treated.len() as f64;
        let ones = treated.iter().filter(|t| **t).count() as f64;
        let sum = |column: &Vec<f64>| -> f64 {
            let chosen = column.iter().zip(treated).filter(|(_, t)| **t);
            chosen.map(|(w, _)| *w).sum()
        };
        let squares: f64 = self.columns.iter().map(|c| sum(c).powi(2)).sum();
        squares * n / (ones * (n - ones))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let x: Vec<f64> = (0..12).map(|i| f64::from(i * i % 7)).collect();
        let z: Vec<f64> = (0..12)
            .map(|i| f64::from(i * 5 % 11) + 0.3 * x[i as usize])
            .collect();
        Frame::new().with("x", x).unwrap().with("z", z).unwrap()
    }

    /// Morgan & Rubin (2012), eq. 3, with the covariance written out.
    #[test]
    fn the_distance_is_mahalanobis() {
        let data = frame();
        let treated: Vec<bool> = (0..12).map(|i| i % 3 == 0).collect();
        let names = ["x".to_owned(), "z".to_owned()];
        let balance = Balance::new(&data, &names, 50.0, &treated).unwrap();
        let columns = [data.real("x").unwrap(), data.real("z").unwrap()];
        let mean = |c: &[f64], arm: bool| {
            let mine: Vec<f64> = (0..12)
                .filter(|i| treated[*i] == arm)
                .map(|i| c[i])
                .collect();
            mine.iter().sum::<f64>() / mine.len() as f64
        };
        let d = columns.map(|c| mean(c, true) - mean(c, false));
        let cov = |a: &[f64], b: &[f64]| {
            let (ma, mb) = (a.iter().sum::<f64>() / 12.0, b.iter().sum::<f64>() / 12.0);
            a.iter()
                .zip(b)
                .map(|(x, y)| (x - ma) * (y - mb))
                .sum::<f64>()
                / 11.0
        };
        let [a, b] = columns;
        let (xx, xz, zz) = (cov(a, a), cov(a, b), cov(b, b));
        let form =
            (zz * d[0] * d[0] - 2.0 * xz * d[0] * d[1] + xx * d[1] * d[1]) / (xx * zz - xz * xz);
        let expected = form * 4.0 * 8.0 / 12.0;
        assert!((balance.distance(&treated) / expected - 1.0).abs() < 1e-12);
        let tight = Balance::new(&data, &names, expected * 0.5, &treated);
        assert!(
            tight
                .unwrap_err()
                .to_string()
                .contains("assignment that was used")
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let treated: Vec<bool> = (0..12).map(|i| i % 2 == 0).collect();
        let data = frame().with("k", vec![1.0; 12]).unwrap();
        let new = |names: &[&str], threshold: f64| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            Balance::new(&data, &names, threshold, &treated)
        };
        assert!(matches!(new(&["x"], 0.0), Err(Error::InvalidOption { .. })));
        assert!(matches!(new(&[], 1.0), Err(Error::InvalidOption { .. })));
        assert!(matches!(
            new(&["x", "k"], 99.0),
            Err(Error::Unidentified { .. })
        ));
        assert!(matches!(
            new(&["w"], 1.0),
            Err(Error::ColumnNotFound { .. })
        ));
    }
}
