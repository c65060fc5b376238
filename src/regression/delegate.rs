//! Fits that wrap a [`LikelihoodFit`](super::LikelihoodFit) answer as it does.

/// Gives a type with a field `fit: LikelihoodFit`, and methods `dress` (notes below the table) and `more_footer`, the verbs and
/// views of that fit.
macro_rules! delegate_to_likelihood {
    ($type:ident) => {
        impl $type {
            /// The same fit with another covariance: one more pass over the rows, no refit.
            ///
            /// # Errors
            /// Those of [`LikelihoodFit::with_covariance`](crate::regression::LikelihoodFit::with_covariance).
            pub fn with_covariance(
                &self,
                covariance: crate::inference::Covariance,
            ) -> crate::error::Result<Self> {
                let mut other = self.clone();
                other.fit = self.fit.with_covariance(covariance)?;
                Ok(other)
            }

            /// The likelihood fit behind it: predictions, marginal effects, likelihood-ratio and Vuong tests.
            pub fn likelihood(&self) -> &crate::regression::LikelihoodFit {
                &self.fit
            }

            /// Drops the handle on the data, so that the fit is small; it then has no predictions and no other covariance.
            pub fn lean(&self) -> Self {
                let mut small = self.clone();
                small.fit = self.fit.lean();
                small
            }

            /// The covariance estimator in use.
            pub fn covariance_kind(&self) -> &crate::inference::Covariance {
                self.fit.covariance_kind()
            }

            /// Size and fit; there is no model of constants to compare with.
            pub fn statistics(&self) -> &crate::regression::LikelihoodStatistics {
                self.fit.statistics()
            }

            /// What a reader of the numbers must know.
            pub fn warnings(&self) -> Vec<crate::error::Warning> {
                self.fit.warnings()
            }

            /// The formulas as fitted.
            pub fn formula(&self) -> &str {
                self.fit.formula()
            }

            /// The fit as an HTML table.
            pub fn to_html(&self) -> String {
                crate::inference::Inference::table(self).to_html()
            }
        }

        impl crate::inference::Inference for $type {
            crate::inference::fields::inference_of_fit!(fit);

            fn table(&self) -> crate::report::Table {
                self.dress(self.fit.table())
            }
        }

        impl crate::inference::Summarized for $type {
            fn footer(&self) -> Vec<(String, crate::report::Cell)> {
                let mut lines = self.fit.footer();
                lines.extend(self.more_footer());
                lines
            }

            fn covariance_label(&self) -> String {
                self.fit.covariance_label()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::inference::Inference::table(self).fmt(f)
            }
        }

        crate::report::notebook!($type);
    };
}
pub(crate) use delegate_to_likelihood;
