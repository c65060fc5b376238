//! Coverage and warnings of a log with three actions.

use super::*;
use crate::numeric::Seed;
use rand::RngExt;

/// Three actions; the log prefers the first, the policy follows x. The truth is 0.2 + 0.5 E[x] + …, in closed form.
fn log(rows: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let [
        mut reward,
        mut logged,
        mut target,
        mut policy,
        mut predicted,
    ] = [const { Vec::new() }; 5];
    for _ in 0..rows {
        let x: f64 = random.random();
        let p = [0.6, 0.3, 0.1];
        let q = [1.0 - x, x, 0.0];
        let mean = [0.2, 0.2 + 0.5 * x, 0.9];
        let draw: f64 = random.random();
        let action = usize::from(draw > p[0]) + usize::from(draw > p[0] + p[1]);
        let hit: f64 = random.random();
        reward.push(f64::from(u8::from(hit < mean[action])));
        logged.push(p[action]);
        target.push(q[action]);
        // A model that is wrong in level and slope.
        let model = [0.3, 0.3 + 0.3 * x, 0.5];
        policy.push(q[0] * model[0] + q[1] * model[1]);
        predicted.push(model[action]);
    }
    [
        ("r", reward),
        ("p", logged),
        ("q", target),
        ("m", policy),
        ("mu", predicted),
    ]
    .into_iter()
    .fold(Frame::new(), |frame, (name, values)| {
        frame.with(name, values).unwrap()
    })
}

#[test]
fn intervals_of_all_three_cover_the_value() {
    const DRAWS: u64 = 400;
    let truth = 0.2 + 0.5 / 3.0; // 0.2 + E[x · x/2]
    let mut covered = [0.0; 3];
    for seed in 0..DRAWS {
        let fit = OffPolicy::new("r", "p", "q")
            .model("m", "mu")
            .fit(&log(500, seed))
            .unwrap();
        let found = [fit.ips(), fit.snips(), fit.doubly_robust().unwrap()];
        for (covered, estimate) in covered.iter_mut().zip(found) {
            let ends = estimate.confidence_interval(0.95).unwrap();
            *covered +=
                f64::from(u8::from(ends.lower <= truth && truth <= ends.upper)) / DRAWS as f64;
        }
    }
    // The Monte Carlo error of a coverage of 0.95 is 0.011.
    assert!(
        covered.iter().all(|c| (0.915..0.985).contains(c)),
        "{covered:?}"
    );
}

#[test]
fn wrong_probabilities_are_noticed() {
    let frame = log(2000, 1);
    let good = OffPolicy::new("r", "p", "q").fit(&frame).unwrap();
    assert!(
        good.warnings().is_empty() && good.doubly_robust().is_none(),
        "{good}"
    );
    let half: Vec<f64> = frame.real("p").unwrap().iter().map(|p| p / 2.0).collect();
    let bad = OffPolicy::new("r", "p", "q")
        .fit(&frame.replace("p", half).unwrap())
        .unwrap();
    assert!(bad.to_string().contains("mean weight"), "{bad}");
    assert_eq!(bad.warnings().len(), 1);
    let clipped = OffPolicy::new("r", "p", "q").clip(1.0).fit(&frame).unwrap();
    assert!(clipped.clipped > 0 && clipped.ips().std_error < good.ips().std_error);
    let zero = frame.replace("p", vec![0.0; 2000]).unwrap();
    assert!(matches!(
        OffPolicy::new("r", "p", "q").fit(&zero),
        Err(Error::OutOfRange { row: 1, .. })
    ));
    let never = frame.replace("q", vec![0.0; 2000]).unwrap();
    assert!(matches!(
        OffPolicy::new("r", "p", "q").fit(&never),
        Err(Error::NoRows { .. })
    ));
}
