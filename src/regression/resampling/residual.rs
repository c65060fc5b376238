//! The residual bootstrap of a least-squares fit.

use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::inference::bootstrap::BootstrapFit;
use crate::inference::bootstrap::draw::Words;
use crate::inference::covariance::ScoreRows;
use crate::numeric::linalg::Cholesky;
use crate::numeric::{Seed, blocks};
use crate::regression::OlsFit;
use crate::summary::gram::{TILE, Tile};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The residual bootstrap: regressors stay as they are and errors are drawn from the residuals, centred and scaled by
/// `√(n/(n − K))`, so `β* = β̂ + (X'X)⁻¹X'e*`. Right when errors are independent of the regressors, with one distribution; use
/// [`WildBootstrap`](super::WildBootstrap) or pairs otherwise. With analytic weights the errors times √w are drawn. Absorbed effects stay absorbed.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `draws` | 999 | replicates | ≥ 2 |
/// | `seed` | none | required | any |
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Ols::new("re78 ~ treat").covariance(Covariance::Classical).fit(&frame)?;
/// let boot = ResidualBootstrap::new().seed(7).run(&fit)?;
/// assert!((boot.std_error("treat")? / fit.std_error("treat")? - 1.0).abs() < 0.1);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`] for fewer than two draws or frequency weights, [`Error::DataNotKept`].
///
/// # References
/// Efron (1979), *Annals of Statistics* 7(1), doi:10.1214/aos/1176344552; Freedman (1981), *Annals of Statistics* 9(6),
/// doi:10.1214/aos/1176345638.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidualBootstrap {
    draws: usize,
    seed: Option<Seed>,
}

impl Default for ResidualBootstrap {
    fn default() -> Self {
        Self::new()
    }
}

impl ResidualBootstrap {
    /// 999 replicates, no seed yet.
    pub fn new() -> Self {
        Self {
            draws: 999,
            seed: None,
        }
    }

    /// Sets the number of replicates.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Draws the replicates.
    ///
    /// # Errors
    /// See [`ResidualBootstrap`].
    pub fn run(&self, fit: &OlsFit) -> Result<BootstrapFit> {
        if self.draws < 2 {
            return Err(Error::invalid_option("draws", self.draws, "at least 2"));
        }
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the residual bootstrap".to_owned(),
        })?;
        let seed = seed.child("residual");
        let parts = fit.core().parts("the residual bootstrap")?;
        let rows = &parts.rows;
        if rows.frequencies(0..0).is_some() {
            return Err(Error::invalid_option(
                "weights",
                "frequencies",
                "analytic, or none, for the residual bootstrap: equal rows have errors of their own",
            ));
        }
        let (n, k) = (rows.rows(), rows.parameters());
        let (design, mut errors) = transformed(rows);
        let mean = errors.iter().sum::<f64>() / n as f64;
        let scale = (n as f64 / fit.statistics().residual_df).sqrt();
        for e in &mut errors {
            *e = (*e - mean) * scale;
        }
        // Residuals orthogonal to the regressors, as scaled, change no estimate; the drawn ones do.
        let factor = Cholesky::full_rank(rows.bread(), "the bread of the covariance")?;
        let back = &parts.map * factor.root() * factor.root().transpose();
        let replicates = blocks::map(self.draws, |i| {
            let mut words = Words::new(seed.stream(i as u64));
            let mut sums = DVector::zeros(k);
            let mut row = 0;
            words.visit(n, n as u32, |four, used| {
                for index in &four[..used] {
                    let e = errors[*index as usize];
                    let x = &design[row * k..(row + 1) * k];
                    sums.iter_mut().zip(x).for_each(|(s, x)| *s += x * e);
                    row += 1;
                }
            });
            fit.estimates() + &back * sums
        });
        let matrix = DMatrix::from_fn(self.draws, fit.names().len(), |i, j| replicates[i][j]);
        let fit = BootstrapFit::from_replicates(
            fit.names().iter().cloned(),
            fit.estimates().as_slice(),
            &matrix,
        )?;
        Ok(fit.labelled("residual bootstrap"))
    }
}

/// The regressors, row after row, and the residuals, weights multiplied in.
fn transformed(rows: &dyn ScoreRows) -> (Vec<f64>, Vec<f64>) {
    let (n, k) = (rows.rows(), rows.parameters());
    let (mut design, mut errors) = (vec![0.0; n * k], vec![0.0; n]);
    let mut tile = Tile::new(k);
    for range in blocks::ranges(n, TILE) {
        rows.fill(range.clone(), &mut tile, &mut errors[range.clone()]);
        for j in 0..k {
            for (r, row) in range.clone().enumerate() {
                design[row * k + j] = tile.column(j)[r];
            }
        }
    }
    (design, errors)
}
