//! How many parameters several sets of dummies really are.

use crate::data::Groups;

/// Parameters that each effect adds to those before it. The second set of dummies repeats one direction per connected
/// component of the graph that links its levels with the first (Abowd, Creecy & Kramarz 2002): exact for two effects. For the
/// third and later ones the largest number of components with any earlier effect is used, which may count a few redundant
/// levels as parameters, so that degrees of freedom err on the careful side.
pub(crate) fn absorbed_parameters(effects: &[Groups]) -> Vec<usize> {
    effects
        .iter()
        .enumerate()
        .map(|(k, effect)| {
            let redundant = effects[..k]
                .iter()
                .map(|earlier| components(earlier, effect))
                .max()
                .unwrap_or(0);
            effect.count() - redundant
        })
        .collect()
}

/// Connected components of the bipartite graph of two codings, by union–find with path halving.
fn components(a: &Groups, b: &Groups) -> usize {
    let offset = a.count() as u32;
    let mut parent: Vec<u32> = (0..(a.count() + b.count()) as u32).collect();
    let mut count = parent.len();
    for (x, y) in a.codes.iter().zip(b.codes.iter()) {
        let (rx, ry) = (find(&mut parent, *x), find(&mut parent, y + offset));
        if rx != ry {
            parent[rx.max(ry) as usize] = rx.min(ry);
            count -= 1;
        }
    }
    count
}

fn find(parent: &mut [u32], mut x: u32) -> u32 {
    while parent[x as usize] != x {
        parent[x as usize] = parent[parent[x as usize] as usize];
        x = parent[x as usize];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Column;

    #[test]
    fn components_are_counted() {
        let a = Column::from(vec![1.0, 1.0, 2.0, 3.0]).groups("a");
        let b = Column::from(vec![1.0, 2.0, 2.0, 3.0]).groups("b");
        // {a1, a2, b1, b2} and {a3, b3}.
        assert_eq!(absorbed_parameters(&[a.clone(), b.clone()]), vec![3, 1]);
        assert_eq!(absorbed_parameters(&[a.clone(), b, a]), vec![3, 1, 0]);
    }
}
