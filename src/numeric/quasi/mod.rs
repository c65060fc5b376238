//! Draws that fill the unit cube more evenly than random ones, for simulated likelihoods and integrals.
//!
//! | sequence | use it for |
//! |---|---|
//! | [`Sobol`] with Owen scrambling | the default: any dimension to 1024, best with 2ᵏ points |
//! | [`Halton`] | comparison with the discrete choice literature; scramble it beyond 5 dimensions |
//! | [`Mlhs`] | samples per decision maker of a size fixed beforehand |
//!
//! [`Draws`] is the choice among them as an option that can be stored.
//!
//! Every point has an index, so any part of a sequence can be had on any thread with the same bits. Points are uniform;
//! apply a quantile function for other distributions: scrambled and Latin hypercube points are strictly inside (0, 1).

mod draws;
mod halton;
mod mlhs;
mod points;
mod sobol;

pub use draws::{Draws, Sampler};
pub use halton::Halton;
pub use mlhs::Mlhs;
pub use points::Points;
pub use sobol::Sobol;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_sequences_are_those_of_scipy() {
        let fixture = include_str!("../../../tests/reference/quasi.csv");
        let halton = Halton::new(30).unwrap().points(0, 5000);
        let sobol = Sobol::new(1024).unwrap();
        let mut checked = 0;
        let rows = fixture
            .lines()
            .filter(|line| line.starts_with("halton") || line.starts_with("sobol"));
        for line in rows {
            let cells: Vec<&str> = line.split(',').collect();
            let index: usize = cells[1].parse().unwrap();
            let j: usize = cells[2].parse().unwrap();
            let expected: f64 = cells[3].parse().unwrap();
            if cells[0] == "halton" {
                let found = halton.point(index).unwrap()[j];
                assert!((found - expected).abs() <= 1e-15, "{line}: {found}");
            } else {
                let found = sobol.points(index as u64, 1).point(0).unwrap()[j];
                assert_eq!(found, expected, "{line}");
            }
            checked += 1;
        }
        assert_eq!(checked, 15 * 7 + 14 * 11);
    }

    #[test]
    fn points_have_the_same_bits_on_any_number_of_threads() {
        let make = || {
            let halton = Halton::new(7).unwrap().scrambled(1).points(3, 5000);
            let sobol = Sobol::new(7).unwrap().scrambled(1).points(3, 5000);
            (halton, sobol, Mlhs::new(7, 1).unwrap().sample(3, 5000))
        };
        #[cfg(feature = "parallel")]
        for threads in [1, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            assert_eq!(pool.unwrap().install(make), make());
        }
        let one_by_one = Sobol::new(7).unwrap().scrambled(1);
        let (_, together, _) = make();
        for (i, point) in together.iter().enumerate().step_by(997) {
            let mut alone = [0.0; 7];
            one_by_one.fill(3 + i as u64, &mut alone);
            assert_eq!(point, alone);
        }
    }
}
