//! Influences of rows or clusters on maximum likelihood estimates, for the score bootstrap.

use super::fit::LikelihoodFit;
use crate::error::Result;
use crate::inference::Influence;
use crate::inference::bootstrap::wild::{influence, refuse_frequencies};
use crate::inference::covariance::kept_groups;
use nalgebra::DMatrix;

impl Influence for LikelihoodFit {
    fn influence(&self, cluster: Option<&str>) -> Result<DMatrix<f64>> {
        let parts = self.parts("the influence of rows")?;
        let groups = kept_groups(&parts.frame, &parts.rows, &parts.effects, cluster)?;
        if groups.is_empty() {
            refuse_frequencies(parts.source.as_ref(), "the influence of rows")?;
        }
        let codes = groups.first().map(|g| (g.codes.as_slice(), g.count()));
        Ok(influence(parts.source.as_ref(), &parts.map, codes))
    }
}
