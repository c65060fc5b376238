//! Intervals of probabilities.

use crate::numeric::special::normal;
use crate::regression::Predictions;
use crate::regression::binary::logistic;

/// Intervals of predicted probabilities taken on the scale of log odds: `logit p ± z · s/(p(1 − p))`.
pub(super) fn within_unit(mut found: Predictions) -> Predictions {
    let z = normal::quantile(0.5 + found.level / 2.0);
    for i in 0..found.values.len() {
        let (p, s) = (found.values[i], found.std_errors[i]);
        let spread = p * (1.0 - p);
        if spread > 0.0 {
            let (center, half) = ((p / (1.0 - p)).ln(), z * s / spread);
            found.lower[i] = logistic(center - half);
            found.upper[i] = logistic(center + half);
        }
    }
    found
}
