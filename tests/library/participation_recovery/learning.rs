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
    vec![
        Model::new("learning_seen", seen, |f| {
            let model = model().signals_seen("signal").ambiguity().biased();
            all(&model.fit(f)?)
        }),
        Model::new("learning_ahead", ahead, |f| {
            let model = model().signals_seen("signal").forward_looking(0.95);
            all(&model.fit(f)?)
        })
        .waiting(),
        Model::new(
            "learning_precise",
            |s| simulated(s, 0.25),
            |f| unseen(f, 0.25),
        )
        .slow()
        .waiting(),
        Model::new("learning_even", |s| simulated(s, 1.0), |f| unseen(f, 1.0))
            .slow()
            .waiting(),
        Model::new("learning_vague", |s| simulated(s, 4.0), |f| unseen(f, 4.0))
            .slow()
            .waiting(),
    ]
}

/// Customers who look ahead, without ambiguity.
fn ahead(seed: Seed) -> Sample {
    let process = LearningPanel {
        forward_looking: true,
        risk_aversion: 0.0,
        ..process()
    };
    let made = process.seed(seed).simulate().unwrap();
    let truth = truth(&[
        ("(Intercept)", -0.2),
        ("price", -1.0),
        ("taste", 1.0),
        ("ln_ratio", 0.0),
        ("ln_sd_signal", 0.0),
    ]);
    (made.data, truth)
}

/// Signals that are not seen, of variance σ_s²/v_0 = `ratio`.
fn simulated(seed: Seed, ratio: f64) -> Sample {
    let process = LearningPanel {
        signal_ratio: ratio,
        ..process()
    };
    let made = process.seed(seed).simulate().unwrap();
    let truth = truth(&[
        ("(Intercept)", CONSTANT),
        ("price", -1.0),
        ("taste", 1.0),
        ("ln_ratio", -ratio.ln()),
        ("ambiguity", RISK),
    ]);
    (made.data, truth)
}

fn unseen(frame: &Frame, variance: f64) -> Result<Vec<Estimate>> {
    let model = model().signal_variance(variance).ambiguity().seed(1);
    all(&model.fit(frame)?)
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
