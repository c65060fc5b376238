//! Customers who learn by taking part.

use super::{Model, Sample, all, truth};
use cocreate::prelude::*;

/// Customers of a sample, over 12 periods.
const CUSTOMERS: usize = 2_000;

/// What the simulator takes by default.
const RISK: f64 = 0.3;
const CONSTANT: f64 = -0.2 - 0.5 * RISK;

fn process() -> LearningPanel {
    LearningPanel {
        customers: CUSTOMERS,
        elicited: true,
        keep_oracle: false,
        ..LearningPanel::new()
    }
}

fn model() -> LearningPanelModel {
    LearningPanelModel::new("participates ~ price", "customer", "period").elicited("prior_mean")
}

pub(super) fn models() -> Vec<Model> {
    vec![Model::new("learning_seen", seen, |f| {
        let model = model().signals_seen("signal").ambiguity().biased();
        all(&model.fit(f)?)
    })]
}

fn seen(seed: Seed) -> Sample {
    let process = LearningPanel {
        overconfidence: 0.4,
        ..process()
    };
    let made = process.seed(seed).simulate().unwrap();
    let truth = truth(&[
        ("(Intercept)", CONSTANT),
        ("price", -1.0),
        ("taste", 1.0),
        ("ln_ratio", 0.0),
        ("ln_sd_signal", 0.0),
        ("bias", -0.4),
        ("ambiguity", RISK),
    ]);
    (made.data, truth)
}
