//! The cluster jackknife (CR3) from per-cluster cross-products: no model is fitted again.
//!
//! Leaving out cluster g changes the estimates by `β̂ − β̂₍g₎ = (X'X − X_g'X_g)⁻¹ X_g'e_g`; with `X'X = (R R')⁻¹` and the whitened
//! `K_g = R'X_g'X_g R` this is `R (I − K_g)⁻¹ R'X_g'e_g`.

use super::cr2::{DETERMINED, cluster_products, nested_only};
use super::{Counts, ScoreRows};
use crate::data::Groups;
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::{self, Cholesky};
use crate::summary::gram::{packed_len, unpack};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Memory for the cross-products of all clusters.
const MOST_BYTES: usize = 2 << 30;

/// `(G − 1)/G Σ_g (β̂₍g₎ − β̂)(β̂₍g₎ − β̂)'`, and a warning when a cluster determines a parameter (its own direction is then left out).
pub(super) fn covariance(
    source: &dyn ScoreRows,
    groups: &Groups,
    counts: &Counts<'_>,
) -> Result<(DMatrix<f64>, Option<Warning>)> {
    let k = source.parameters();
    nested_only("CR3", groups, counts)?;
    if groups.count() * k * k * 8 > MOST_BYTES {
        return Err(Error::invalid_option(
            "covariance",
            format!("CR3 with {} clusters and {k} parameters", groups.count()),
            "Covariance::cluster, which agrees with CR3 when clusters are this many",
        ));
    }
    if k == 0 {
        return Ok((DMatrix::zeros(0, 0), None)); // effects alone
    }
    let (grams, scores) = cluster_products(source, groups);
    let root = Cholesky::full_rank(source.bread(), "the bread of the covariance")?.root();
    let mut whitened = DMatrix::zeros(k, k);
    let mut determined = 0;
    for g in 0..groups.count() {
        let gram = unpack(&grams[g * packed_len(k)..(g + 1) * packed_len(k)], k);
        let eigen = SymmetricEigen::new(linalg::sandwich(&gram, &root));
        let score = DVector::from_column_slice(&scores[g * k..(g + 1) * k]);
        let mut turned = eigen.eigenvectors.transpose() * (root.transpose() * score);
        let mut lost = false;
        for (value, share) in turned.iter_mut().zip(eigen.eigenvalues.iter()) {
            let left = 1.0 - share;
            lost |= left <= DETERMINED;
            *value *= if left > DETERMINED { 1.0 / left } else { 0.0 };
        }
        determined += usize::from(lost);
        let change = &eigen.eigenvectors * turned;
        whitened += &change * change.transpose();
    }
    let count = groups.count() as f64;
    let matrix = linalg::sandwich(&whitened, &root.transpose()) * ((count - 1.0) / count);
    let warning = (determined > 0).then(|| Warning::Note {
        message: format!(
            "{determined} clusters of `{}` determine a parameter, which cannot be estimated without them: the jackknife leaves that direction out and its standard errors are too small",
            groups.name
        ),
    });
    Ok((matrix, warning))
}
