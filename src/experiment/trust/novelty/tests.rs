//! Effects over time where the trend is known.

use super::*;
use crate::data::Time;
use crate::numeric::Seed;
use crate::numeric::permutation::open_unit;
use crate::numeric::special::normal;
use rand::Rng;

/// Users seen on 14 days with a lasting part of their own; the effect is `start + slope·day`, and `weekend` more on Saturdays and Sundays.
fn panel(seed: u64, start: f64, slope: f64, weekend: f64) -> Frame {
    let mut draws = Seed::new(seed).stream(0);
    let mut z = || normal::quantile(open_unit(draws.next_u64()));
    let (mut user, mut arm, mut day, mut date, mut y) = (vec![], vec![], vec![], vec![], vec![]);
    for i in 0..300_u32 {
        let own = z();
        for d in 0..14_u32 {
            let t = f64::from(i % 2);
            let w = f64::from(u8::from((d + 3) % 7 >= 5));
            user.push(f64::from(i));
            arm.push(t);
            day.push(f64::from(d));
            date.push(f64::from(d) * DAY + 7.0 * 3600.0);
            y.push(own + z() + t * (start + slope * f64::from(d) + weekend * w));
        }
    }
    Frame::new()
        .with("user", user)
        .unwrap()
        .with("arm", arm)
        .unwrap()
        .with("day", day)
        .unwrap()
        .with("date", Column::Time(Time::new(date)))
        .unwrap()
        .with("y", y)
        .unwrap()
}
use crate::data::Column;

#[test]
fn slopes_hold_their_size_and_trends_are_named() {
    let check = NoveltyCheck::new("y", "arm", "user")
        .day("day")
        .date("date");
    let fit = check.fit(&panel(1, 1.0, -0.06, 0.0)).unwrap();
    assert_eq!(fit.trends[0].pattern, Pattern::Fading);
    assert_eq!(
        check.fit(&panel(2, 0.2, 0.06, 0.0)).unwrap().trends[0].pattern,
        Pattern::Growing
    );
    let weekly = check.fit(&panel(3, 0.5, 0.0, 0.4)).unwrap();
    assert!(weekly.weekday_tests[0].p_value < 1e-4 && !weekly.is_stable());
    assert!(
        fit.figure().is_ok() && fit.cumulative_figure().is_ok() && fit.to_string().contains("Sat")
    );
    let runs = 300;
    let (mut slopes, mut weekdays, mut covered) = (0, 0, 0);
    for seed in 0..runs {
        let fit = check.fit(&panel(100 + seed, 0.3, 0.0, 0.0)).unwrap();
        slopes += usize::from(fit.trends[0].slope.p_value() < 0.05);
        weekdays += usize::from(fit.weekday_tests[0].p_value < 0.05);
        let last = fit
            .cumulative
            .last()
            .unwrap()
            .effect
            .confidence_interval(0.95)
            .unwrap();
        covered += usize::from(last.lower <= 0.3 && 0.3 <= last.upper);
    }
    // Three Monte Carlo errors of 5 % in 300 runs are 3.8 %.
    for rejected in [slopes, weekdays, runs as usize - covered] {
        assert!(
            (3..=26).contains(&rejected),
            "{slopes} {weekdays} {covered}"
        );
    }
}

#[test]
fn the_slope_is_the_interaction_of_a_regression() {
    use crate::inference::{Covariance, Inference};
    let frame = panel(5, 0.4, 0.02, 0.0);
    let fit = NoveltyCheck::new("y", "arm", "user")
        .day("day")
        .fit(&frame)
        .unwrap();
    let ols = crate::regression::Ols::new("y ~ arm + arm:day | day")
        .covariance(Covariance::cluster("user"))
        .fit(&frame)
        .unwrap();
    let interaction = ols
        .coefficients()
        .into_iter()
        .find(|c| c.name.contains(':'))
        .unwrap();
    let slope = &fit.trends[0].slope;
    assert!((slope.estimate - interaction.estimate).abs() < 1e-10);
    assert!((slope.std_error / interaction.std_error - 1.0).abs() < 0.02);
}

#[test]
fn rows_of_a_day_add_up_and_their_order_does_not_matter() {
    let frame = panel(6, 0.4, 0.0, 0.0);
    let check = NoveltyCheck::new("y", "arm", "user").day("day");
    let fit = check.fit(&frame).unwrap();
    let backwards: Vec<usize> = (0..frame.rows()).rev().collect();
    assert_eq!(fit, check.fit(&frame.take(&backwards).unwrap()).unwrap());
    let half: Vec<f64> = frame.real("y").unwrap().iter().map(|y| y / 2.0).collect();
    let halves = frame.replace("y", half).unwrap();
    let twice = check
        .fit(&Frame::concat(&[halves.clone(), halves]).unwrap())
        .unwrap();
    assert!((twice.by_day[3].effect.estimate - fit.by_day[3].effect.estimate).abs() < 1e-12);
    assert!((twice.by_day[3].effect.std_error - fit.by_day[3].effect.std_error).abs() < 1e-12);
}

#[test]
fn bad_input_is_refused() {
    let frame = panel(7, 0.0, 0.0, 0.0);
    assert!(NoveltyCheck::new("y", "arm", "user").fit(&frame).is_err());
    assert!(matches!(
        NoveltyCheck::new("y", "arm", "user")
            .date("day")
            .fit(&frame),
        Err(Error::WrongKind { .. })
    ));
    let one = frame
        .filter(
            &frame
                .real("day")
                .unwrap()
                .iter()
                .map(|d| *d < 0.5)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    assert!(matches!(
        NoveltyCheck::new("y", "arm", "user").day("day").fit(&one),
        Err(Error::Unidentified { .. })
    ));
}
