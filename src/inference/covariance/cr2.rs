//! Bias-reduced linearisation (CR2) with Satterthwaite degrees of freedom, from per-cluster cross-products alone.
//!
//! With `B = R R'` and the whitened cross-product `K_g = R'X_g'X_g R`, the adjusted score is
//! `R'X_g'A_g e_g = (I − K_g)^{-1/2} R'X_g'e_g`, because `A_g = (I − X_g B X_g')^{-1/2}` acts within the span of `X_g`. So no
//! matrix of the size of a cluster is ever formed.

use super::{Counts, ScoreRows, scores::is_nested};
use crate::data::Groups;
use crate::error::{Error, Result};
use crate::numeric::{blocks, linalg, linalg::Cholesky};
use crate::summary::gram::{TILE, Tile, packed_index, packed_len, unpack};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use serde::{Deserialize, Serialize};

/// A direction in which a cluster alone determines the fit (eigenvalue 1 of `K_g`) gets weight zero: the Moore–Penrose
/// root of Pustejovsky & Tipton (2018), section 3.2.
pub(super) const DETERMINED: f64 = 1e-9;

/// Memory for the cross-products of all clusters.
const MOST_BYTES: usize = 2 << 30;

/// The expected CR2 variance is the true one under the working model; when less than this share of it is left, single clusters
/// determine the contrast.
const ESTIMABLE: f64 = 1e-6;

/// What Satterthwaite degrees of freedom of any contrast need.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BiasReduced {
    /// `R` with `B = R R'` in the parameters of the contrasts.
    root: DMatrix<f64>,
    /// Per cluster `K (I − K)^{-1/2}` and `K (I − K)^{-1}`.
    clusters: Vec<(DMatrix<f64>, DMatrix<f64>)>,
}

/// Makes one pass over the rows: the meat `Σ_g X_g'A_g e_g e_g'A_g X_g` and the parts of the degrees of freedom.
pub(super) fn reduce(
    source: &dyn ScoreRows,
    groups: &Groups,
    counts: &Counts<'_>,
) -> Result<(DMatrix<f64>, BiasReduced)> {
    let k = source.parameters();
    nested_only("CR2", groups, counts)?;
    if groups.count() * k * k * 3 * 8 > MOST_BYTES {
        return Err(Error::invalid_option(
            "covariance",
            format!("CR2 with {} clusters and {k} parameters", groups.count()),
            "Covariance::cluster, which agrees with CR2 when clusters are this many",
        ));
    }
    if k == 0 {
        let (root, clusters) = (DMatrix::zeros(0, 0), vec![]);
        return Ok((root.clone(), BiasReduced { root, clusters })); // effects alone
    }
    let (grams, scores) = cluster_products(source, groups);
    let factor = Cholesky::full_rank(source.bread(), "the bread of the covariance")?;
    let root = factor.root();
    let mut whitened = DMatrix::zeros(k, k);
    let mut clusters = Vec::with_capacity(groups.count());
    for g in 0..groups.count() {
        let gram = unpack(&grams[g * packed_len(k)..(g + 1) * packed_len(k)], k);
        let eigen = SymmetricEigen::new(linalg::sandwich(&gram, &root));
        let left = eigen.eigenvalues.map(|l| {
            if 1.0 - l > DETERMINED {
                1.0 / (1.0 - l)
            } else {
                0.0
            }
        });
        let build = |f: &dyn Fn(usize) -> f64| {
            let scaled = DMatrix::from_fn(k, k, |i, j| eigen.eigenvectors[(i, j)] * f(j));
            linalg::symmetrize(&(scaled * eigen.eigenvectors.transpose()))
        };
        let adjust = build(&|j| left[j].sqrt());
        let score = DVector::from_column_slice(&scores[g * k..(g + 1) * k]);
        let t = adjust * (root.transpose() * score);
        whitened += &t * t.transpose();
        clusters.push((
            build(&|j| eigen.eigenvalues[j] * left[j].sqrt()),
            build(&|j| eigen.eigenvalues[j] * left[j]),
        ));
    }
    // Back to the metric of the other estimators: covariance = B meat B.
    let back = root.transpose() * factor.inverse(); // R⁻¹ = R'(R R')⁻¹
    Ok((
        linalg::sandwich(&whitened, &back),
        BiasReduced { root, clusters },
    ))
}

impl BiasReduced {
    /// The same for contrasts of `map · parameters`.
    pub(crate) fn mapped(&self, map: &DMatrix<f64>) -> Self {
        Self {
            root: map * &self.root,
            clusters: self.clusters.clone(),
        }
    }

    /// The expected CR2 variance of a contrast as a share of its true variance under the working model: one, unless single
    /// clusters determine a part of the contrast, about which their residuals say nothing.
    pub(crate) fn expected_share(&self, contrast: &DVector<f64>) -> f64 {
        let a = self.root.transpose() * contrast;
        let of_cluster = |(half, full): &(DMatrix<f64>, DMatrix<f64>)| {
            (full * &a).dot(&a) - (half * &a).norm_squared()
        };
        self.clusters.iter().map(of_cluster).sum::<f64>() / a.dot(&a)
    }

    /// Satterthwaite degrees of freedom `tr(Ω)²/tr(Ω²)` of a contrast of the working parameters under independent errors of
    /// one variance (Bell & McCaffrey 2002, eq. 10, with the matrices of Pustejovsky & Tipton 2018). Zero when single clusters
    /// determine the contrast, about which CR2 says nothing.
    pub(crate) fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        let a = self.root.transpose() * contrast;
        let (mut trace, mut square) = (0.0, 0.0);
        let mut outer = DMatrix::zeros(a.len(), a.len());
        for (half, full) in &self.clusters {
            let s = (full * &a).dot(&a);
            let w = half * &a;
            let ww = w.dot(&w);
            trace += s - ww;
            square += s * s - 2.0 * s * ww;
            outer += &w * w.transpose();
        }
        if trace <= ESTIMABLE * a.dot(&a) {
            return 0.0;
        }
        square += outer.iter().map(|v| v * v).sum::<f64>();
        trace * trace / square
    }

    /// The parameter η of the approximate Hotelling T² test of several contrasts (the rows of `contrasts`): with the Wald
    /// statistic Q, `(η − q + 1)/(η q) · Q ~ F(q, η − q + 1)` (Pustejovsky & Tipton 2018, eq. 12–15). Zero when single
    /// clusters determine some combination of the contrasts.
    pub(crate) fn hotelling(&self, contrasts: &DMatrix<f64>) -> f64 {
        let q = contrasts.nrows();
        let a = self.root.transpose() * contrasts.transpose();
        let unit = |v: f64| if v > 0.0 { 1.0 / v.sqrt() } else { 0.0 };
        let a = &a * linalg::spectral(&(a.transpose() * &a), unit);
        let expected = self
            .clusters
            .iter()
            .fold(DMatrix::zeros(q, q), |sum, (half, full)| {
                let w = half * &a;
                sum + a.transpose() * full * &a - w.transpose() * w
            });
        if SymmetricEigen::new(linalg::symmetrize(&expected))
            .eigenvalues
            .min()
            <= ESTIMABLE
        {
            return 0.0;
        }
        let a = &a * linalg::spectral(&expected, unit);
        let per_cluster: Vec<(DMatrix<f64>, DMatrix<f64>)> = self
            .clusters
            .iter()
            .map(|(half, full)| (half * &a, linalg::sandwich(full, &a)))
            .collect();
        // Σ_{s,t} Σ_{g,h} [(p_sg'p_th)(p_tg'p_sh) + (p_sg'p_sh)(p_tg'p_th)], with p_sg'p_th = δ_gh F_g[s,t] − w_sg'w_th.
        let mut variance = 0.0;
        for (g, (wg, fg)) in per_cluster.iter().enumerate() {
            for (h, (wh, _)) in per_cluster.iter().enumerate() {
                let mut product = -(wg.transpose() * wh);
                if g == h {
                    product += fg;
                }
                let trace = product.trace();
                variance += (&product * &product).trace() + trace * trace;
            }
        }
        (q * (q + 1)) as f64 / variance
    }
}

/// Refuses absorbed effects that cut across the clusters, whose leverage is not in the cross-products.
pub(crate) fn nested_only(method: &str, groups: &Groups, counts: &Counts<'_>) -> Result<()> {
    let Some(effect) = counts.effects.iter().find(|e| !is_nested(e, groups)) else {
        return Ok(());
    };
    Err(Error::invalid_option(
        "covariance",
        format!(
            "{method} clustered by {} with the effect {} absorbed",
            groups.name, effect.name
        ),
        format!(
            "used with absorbed effects nested in the clusters; write the effect as C({}) instead",
            effect.name
        ),
    ))
}

/// Packed `X_g'X_g` and the scores `X_g'e_g`, cluster after cluster.
pub(super) fn cluster_products(source: &dyn ScoreRows, groups: &Groups) -> (Vec<f64>, Vec<f64>) {
    let k = source.parameters();
    let size = packed_len(k);
    let (mut grams, mut scores) = (
        vec![0.0; groups.count() * size],
        vec![0.0; groups.count() * k],
    );
    let mut tile = Tile::new(k);
    let mut residual = [0.0; TILE];
    let mut row = vec![0.0; k];
    for rows in blocks::ranges(source.rows(), TILE) {
        let residual = &mut residual[..rows.len()];
        source.fill(rows.clone(), &mut tile, residual);
        for (r, (code, e)) in groups.codes[rows].iter().zip(&*residual).enumerate() {
            let g = *code as usize;
            for (j, value) in row.iter_mut().enumerate() {
                *value = tile.column(j)[r];
            }
            let gram = &mut grams[g * size..(g + 1) * size];
            for i in 0..k {
                scores[g * k + i] += row[i] * e;
                for j in 0..=i {
                    gram[packed_index(i, j)] += row[i] * row[j];
                }
            }
        }
    }
    (grams, scores)
}
