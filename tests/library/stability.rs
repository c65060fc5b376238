//! Draws pinned bit for bit: a change here changes published numbers and belongs under "Numbers that changed".

use cocreate::numeric::quasi::{Draws, Halton, Mlhs, Points, Sobol};
use cocreate::numeric::{Seed, permutation};
use rand::Rng;

/// The bits of a few coordinates.
fn bits(points: &Points) -> Vec<u64> {
    points.values().iter().map(|u| u.to_bits()).collect()
}

#[test]
fn seed_streams() {
    let draws = |seed: Seed, stream: u64| -> Vec<u64> {
        let mut generator = seed.stream(stream);
        (0..2).map(|_| generator.next_u64()).collect()
    };
    assert_eq!(
        draws(Seed::new(7), 0),
        [2910824217569608635, 3098856782162503994]
    );
    assert_eq!(
        draws(Seed::new(7), 3),
        [3348856302973006449, 1713045363199913294]
    );
    assert_eq!(
        draws(Seed::new(7).child("bootstrap"), 0),
        [5482298704178179737, 14698907703093347063]
    );
    assert_eq!(Seed::new(7).child("bootstrap").value(), 6390757450462260018);
}

#[test]
fn shuffles_and_bounded_integers() {
    let mut generator = Seed::new(7).stream(1);
    let drawn: Vec<u64> = (0..6)
        .map(|_| permutation::below(&mut generator, 1000))
        .collect();
    assert_eq!(drawn, [992, 9, 721, 528, 58, 595]);
    let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
    permutation::shuffle(&mut items, &mut generator);
    assert_eq!(items, [1, 2, 6, 0, 3, 5, 7, 4]);
}

#[test]
fn halton_scrambled() {
    let points = Halton::new(3).unwrap().scrambled(7).points(10, 2);
    assert_eq!(
        bits(&points),
        [
            4604026401561838782,
            4601764713049519569,
            4586377564345859035,
            4598618584509974907,
            4572198424973913385,
            4603968085555000050
        ]
    );
}

#[test]
fn sobol_owen() {
    let points = Sobol::new(3).unwrap().scrambled(7).points(10, 2);
    assert_eq!(
        bits(&points),
        [
            4602910671358094437,
            4605648402588958233,
            4605638983637769865,
            4596607392589741060,
            4599690586390732250,
            4602620743475283070
        ]
    );
}

#[test]
fn mlhs() {
    let points = Mlhs::new(2, 7).unwrap().sample(1, 4);
    assert_eq!(
        bits(&points),
        [
            4604409375399839341,
            4604872846313352438,
            4601636331999661274,
            4602563273826687468,
            4606661175213524589,
            4607124646127037686,
            4596090245199305139,
            4597944128853357527
        ]
    );
}

#[test]
fn random_draws() {
    let points = Draws::Random.sampler(2, 2, 7).unwrap().points(3);
    assert_eq!(
        bits(&points),
        [
            4605403536833504655,
            4584668129885219152,
            4600829635613031226,
            4598581404720768430
        ]
    );
}

#[test]
fn bandits_choose() {
    use cocreate::prelude::*;
    let mut plain = Bandit::new(BanditPolicy::thompson(), 4).seed(7);
    let mut floored = Bandit::new(BanditPolicy::ucb1(), 4).floor(0.1).seed(7);
    let mut contextual = ContextualBandit::new(ContextualPolicy::LogisticThompson, 4, 2).seed(7);
    let mut paths = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..12 {
        let x = [1.0, f64::from(round % 3) - 1.0];
        let choices = [
            plain.choose().unwrap(),
            floored.choose().unwrap(),
            contextual.choose(&x).unwrap(),
        ];
        let rewards = choices.map(|c| f64::from(u8::from((c.arm + 1) * 7 % 5 > 1)));
        plain.update(&choices[0], rewards[0]).unwrap();
        floored.update(&choices[1], rewards[1]).unwrap();
        contextual.update(&choices[2], &x, rewards[2]).unwrap();
        for (path, choice) in paths.iter_mut().zip(choices) {
            path.push(choice.arm);
        }
    }
    assert_eq!(paths[0], [1, 2, 1, 3, 1, 3, 1, 1, 3, 1, 3, 3]);
    assert_eq!(paths[1], [0, 1, 1, 0, 2, 3, 2, 3, 0, 1, 3, 0]);
    assert_eq!(paths[2], [2, 0, 1, 2, 3, 3, 1, 0, 0, 3, 1, 0]);
}
