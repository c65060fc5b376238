//! Who is at risk when: the table of distinct times behind every non-parametric estimator.

use super::outcome::Spells;

/// One distinct time at which rows end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Instant {
    pub(crate) time: f64,
    /// Weight at risk just before.
    pub(crate) at_risk: f64,
    /// Weight of the events.
    pub(crate) events: f64,
    /// Weight of those censored.
    pub(crate) censored: f64,
}

/// The distinct end times of a group, in ascending order. A row is at risk at `t` when `start < t ≤ stop`; those censored
/// at `t` are still at risk at `t`.
pub(crate) fn table(spells: &Spells, weight: impl Fn(usize) -> f64) -> Vec<Instant> {
    let order = order_by(&spells.stop);
    let mut table: Vec<Instant> = Vec::new();
    for &i in &order {
        let time = spells.stop[i];
        if table.last().is_none_or(|last| last.time < time) {
            table.push(Instant {
                time,
                ..Instant::default()
            });
        }
        let Some(last) = table.last_mut() else {
            continue;
        };
        if spells.event[i] {
            last.events += weight(i);
        } else {
            last.censored += weight(i);
        }
    }
    // From the end: everybody who leaves later is at risk, unless not yet there.
    let mut left = 0.0;
    for instant in table.iter_mut().rev() {
        left += instant.events + instant.censored;
        instant.at_risk = left;
    }
    if let Some(start) = &spells.start {
        let mut entries: Vec<usize> = order_by(start);
        let mut late = 0.0;
        for instant in table.iter_mut().rev() {
            while let Some(&i) = entries.last()
                && start[i] >= instant.time
            {
                late += weight(i);
                entries.pop();
            }
            instant.at_risk -= late;
        }
    }
    table
}

/// Indices in ascending order of the values.
pub(crate) fn order_by(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_risk_set_counts_those_between_start_and_stop() {
        let spells = Spells {
            start: Some(vec![0.0, 1.0, 2.0, 0.0]),
            stop: vec![2.0, 2.0, 5.0, 4.0],
            event: vec![true, false, true, true],
        };
        let table = table(&spells, |_| 1.0);
        let risk: Vec<(f64, f64, f64, f64)> = table
            .iter()
            .map(|i| (i.time, i.at_risk, i.events, i.censored))
            .collect();
        // The third enters at 2, after the events of time 2.
        assert_eq!(
            risk,
            [
                (2.0, 3.0, 1.0, 1.0),
                (4.0, 2.0, 1.0, 0.0),
                (5.0, 1.0, 1.0, 0.0)
            ]
        );
    }
}
