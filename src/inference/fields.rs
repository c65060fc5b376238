//! The required methods of [`Inference`](super::Inference) for types that keep what they return, or a fit that answers for them.

/// Within `impl Inference`: names, estimates and covariance are fields of those names, of the type or of a field of it.
macro_rules! inference_of_fields {
    ($($field:ident),*) => {
        fn names(&self) -> &[String] {
            &self.$($field.)*names
        }

        fn estimates(&self) -> &nalgebra::DVector<f64> {
            &self.$($field.)*estimates
        }

        fn covariance(&self) -> &nalgebra::DMatrix<f64> {
            &self.$($field.)*covariance
        }
    };
}
pub(crate) use inference_of_fields;

/// Within `impl Inference`: names, estimates, covariance and degrees of freedom are those of a fit in a field.
macro_rules! inference_of_fit {
    ($field:ident) => {
        fn names(&self) -> &[String] {
            $crate::inference::Inference::names(&self.$field)
        }

        fn estimates(&self) -> &nalgebra::DVector<f64> {
            $crate::inference::Inference::estimates(&self.$field)
        }

        fn covariance(&self) -> &nalgebra::DMatrix<f64> {
            $crate::inference::Inference::covariance(&self.$field)
        }

        fn degrees_of_freedom(&self, contrast: &nalgebra::DVector<f64>) -> f64 {
            $crate::inference::Inference::degrees_of_freedom(&self.$field, contrast)
        }
    };
}
pub(crate) use inference_of_fit;
