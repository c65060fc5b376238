//! Options that several estimators have alike.

/// `weights` and `clusters` of an estimator that has the names of its columns itself or in a field; the sentence says what becomes of clusters.
macro_rules! row_columns {
    ($type:ty, $clusters:literal $(, $field:ident)*) => {
        impl $type {
            /// A column of weights.
            pub fn weights(mut self, column: impl Into<String>) -> Self {
                self$(.$field)*.weights = Some(column.into());
                self
            }

            #[doc = $clusters]
            pub fn clusters(mut self, column: impl Into<String>) -> Self {
                self$(.$field)*.clusters = Some(column.into());
                self
            }
        }
    };
}
pub(crate) use row_columns;

/// What cross-fitted estimators have besides their learners.
macro_rules! cross_fitted {
    ($type:ty) => {
        crate::causal::builders::row_columns!(
            $type,
            "A column of clusters: they stay whole in folds, and errors allow for dependence within them.",
            columns
        );

        impl $type {
            /// Folds of the cross-fitting.
            pub fn folds(mut self, folds: usize) -> Self {
                self.folds = folds;
                self
            }

            /// The seed.
            pub fn seed(mut self, seed: impl Into<$crate::numeric::Seed>) -> Self {
                self.seed = Some(seed.into());
                self
            }
        }
    };
}
pub(crate) use cross_fitted;
