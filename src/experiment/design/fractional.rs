//! Fractions of two-level factorials: generators, aliases, resolution.

use super::factorial::effects;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;
use crate::regression::OlsFit;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Letters of factors; I is the identity.
const LETTERS: &str = "ABCDEFGHJKLMNOPQ";

/// A regular fraction 2^(k−p) of a two-level factorial in k factors, by p generators such as `D=AB`.
///
/// Every generator is a word that equals the mean, `I = ABD`; the products of words are the defining relation. Effects that differ by a word
/// are aliases: they have one estimate. The resolution is the length of the shortest word: III confounds main effects with two-way
/// interactions, IV two-way interactions with each other, V confounds neither with the other.
///
/// ```
/// use cocreate::prelude::*;
/// let design = FractionalFactorial::new(5, &["D=AB", "E=AC"])?;
/// assert_eq!((design.runs().len(), design.resolution()), (8, 3));
/// assert_eq!(design.defining_relation(), ["ABD", "ACE", "BCDE"]);
/// assert_eq!(design.aliases("A", 2)?, ["BD", "CE"]);
/// // Thirty units in each of the eight runs.
/// let units = design.assign(240, 7)?;
/// let noise: Vec<f64> = (0..240).map(|i| f64::from(i * 67 % 101) / 101.0).collect();
/// let y: Vec<f64> = units.numeric("B")?.values().iter().zip(noise).map(|(b, e)| 2.0 * b + e).collect();
/// let fit = design.analyze(&units.with("y", y)?, "y")?;
/// assert!((fit.coefficient("B")?.estimate - 4.0).abs() < 0.3); // from −1 to 1
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for generators that do not read as `D=AB` (or `D=-AB`), do not define each added factor once from the basic ones, or
/// alias a main effect with the mean or with another main effect; for more than 16 factors.
///
/// # References
/// Box, Hunter & Hunter (2005), *Statistics for Experimenters*, chapter 6; Montgomery (2013), *Design and Analysis of Experiments*, table 8.14.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FractionalFactorial {
    factors: usize,
    generators: Vec<String>,
    /// The defining relation: words as sets of factors with their sign.
    words: Vec<Word>,
}

/// A product of factors with its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Word {
    set: u32,
    negative: bool,
}

impl Word {
    fn times(self, other: Self) -> Self {
        Self {
            set: self.set ^ other.set,
            negative: self.negative != other.negative,
        }
    }
}

impl FractionalFactorial {
    /// A fraction in `factors` factors A, B, … (without I) with one generator for each factor after the basic ones.
    ///
    /// # Errors
    /// See [`FractionalFactorial`].
    pub fn new(factors: usize, generators: &[&str]) -> Result<Self> {
        if !(2..=LETTERS.len()).contains(&factors) || generators.len() >= factors {
            return Err(Error::invalid_option(
                "factors",
                factors,
                format!(
                    "from 2 to {}, more than there are generators",
                    LETTERS.len()
                ),
            ));
        }
        let basic = factors - generators.len();
        let mut defined = 0_u32;
        let mut words = vec![Word {
            set: 0,
            negative: false,
        }];
        for generator in generators {
            let word = parse(generator, factors, basic)?;
            let added = word.set >> basic << basic;
            if defined & added != 0 {
                return Err(Error::invalid_option(
                    "generators",
                    generator,
                    "the only one for its factor",
                ));
            }
            defined |= added;
            let products: Vec<Word> = words.iter().map(|w| w.times(word)).collect();
            words.extend(products);
        }
        words.remove(0);
        words.sort_by_key(|w| (w.set.count_ones(), reversed(w.set)));
        if let Some(short) = words.iter().find(|w| w.set.count_ones() < 3) {
            let with = if short.set.count_ones() < 2 {
                "the mean"
            } else {
                "another main effect"
            };
            return Err(Error::invalid_option(
                "generators",
                generators.join(", "),
                format!(
                    "such that no main effect is confounded with {with}, as the word {} does: use products of more factors",
                    text(*short)
                ),
            ));
        }
        Ok(Self {
            factors,
            generators: generators.iter().map(|g| (*g).to_owned()).collect(),
            words,
        })
    }

    /// The words that equal the mean, shortest first.
    pub fn defining_relation(&self) -> Vec<String> {
        self.words.iter().map(|w| text(*w)).collect()
    }

    /// The length of the shortest word; more than the factors for a full factorial.
    pub fn resolution(&self) -> usize {
        self.words
            .iter()
            .map(|w| w.set.count_ones() as usize)
            .min()
            .unwrap_or(self.factors + 1)
    }

    /// The effects of up to `order` factors with which an effect is confounded, shortest first; a minus marks the opposite sign.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an effect that is no product of factors.
    pub fn aliases(&self, effect: &str, order: usize) -> Result<Vec<String>> {
        let set = letters(effect, self.factors)
            .filter(|s| *s > 0)
            .ok_or_else(|| {
                Error::invalid_option(
                    "effect",
                    effect,
                    format!(
                        "a product of different factors among {}",
                        &LETTERS[..self.factors]
                    ),
                )
            })?;
        let own = Word {
            set,
            negative: false,
        };
        let mut all: Vec<Word> = self
            .words
            .iter()
            .map(|w| w.times(own))
            .filter(|w| w.set.count_ones() as usize <= order)
            .collect();
        all.sort_by_key(|w| (w.set.count_ones(), reversed(w.set)));
        Ok(all.into_iter().map(text).collect())
    }

    /// The runs in standard order: −1 or 1 for every factor, A changing fastest.
    pub fn runs(&self) -> Vec<Vec<i8>> {
        let basic = self.factors - self.generators.len();
        let words: Vec<Word> = self
            .generators
            .iter()
            .filter_map(|g| parse(g, self.factors, basic).ok())
            .collect();
        (0..1_usize << basic)
            .map(|run| {
                let mut levels = vec![0_i8; self.factors];
                for (i, level) in levels.iter_mut().enumerate().take(basic) {
                    *level = if run >> i & 1 == 1 { 1 } else { -1 };
                }
                for word in &words {
                    let added = (word.set >> basic).trailing_zeros() as usize + basic;
                    let sign: i8 = if word.negative { -1 } else { 1 };
                    let product = (0..basic).filter(|i| word.set >> i & 1 == 1);
                    levels[added] = product.fold(sign, |p, i| p * levels[i]);
                }
                levels
            })
            .collect()
    }

    /// Assigns units to the runs, the same number to each as far as it goes, in random order: a frame with the column `run` (from 1) and the
    /// factors as −1 and 1.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer units than runs.
    pub fn assign(&self, units: usize, seed: impl Into<Seed>) -> Result<Frame> {
        let runs = self.runs();
        if units < runs.len() {
            return Err(Error::invalid_option(
                "units",
                units,
                format!("at least the number of runs, {}", runs.len()),
            ));
        }
        let mut random = seed.into().child("fractional factorial").stream(0);
        // The runs that get one unit more than others are drawn too.
        let mut order: Vec<usize> = (0..runs.len()).collect();
        shuffle(&mut order, &mut random);
        let mut run: Vec<usize> = (0..units).map(|i| order[i % order.len()]).collect();
        shuffle(&mut run, &mut random);
        let numbers: Vec<f64> = run.iter().map(|r| (r + 1) as f64).collect();
        let mut frame = Frame::new().with("run", numbers)?;
        for (i, letter) in LETTERS.chars().take(self.factors).enumerate() {
            let levels: Vec<f64> = run.iter().map(|r| f64::from(runs[*r][i])).collect();
            frame = frame.with(letter.to_string(), levels)?;
        }
        Ok(frame)
    }

    /// Main effects: the mean at 1 less that at −1, each with its aliases; HC2 errors.
    ///
    /// # Errors
    /// Those of [`Ols`](crate::regression::Ols); [`Error::ColumnNotFound`] when the frame does not come from [`assign`](Self::assign).
    pub fn analyze(&self, frame: &Frame, outcome: &str) -> Result<OlsFit> {
        let names: Vec<&str> = (0..self.factors).map(|i| &LETTERS[i..=i]).collect();
        let signs = names
            .iter()
            .map(|name| {
                let column = frame.numeric(name)?;
                Ok(column.values().iter().map(|x| *x > 0.0).collect())
            })
            .collect::<Result<Vec<Vec<bool>>>>()?;
        effects(frame, outcome, &names, &signs, 1)
    }

    /// One row for every main effect and two-way interaction not yet listed as an alias, with its aliases of up to two factors.
    pub fn table(&self) -> Table {
        let basic = self.factors - self.generators.len();
        let relation = self.defining_relation().join(" = ");
        let mut table = Table::new(format!(
            "2^({} - {}) fractional factorial of resolution {}",
            self.factors,
            self.generators.len(),
            roman(self.resolution())
        ))
        .columns(["Effect", "Aliases up to two factors"])
        .note(format!(
            "{} runs; generators {}",
            1_usize << basic,
            self.generators.join(", ")
        ))
        .note(format!("I = {relation}"));
        let mut effects: Vec<u32> = (1_u32..1 << self.factors)
            .filter(|s| s.count_ones() <= 2)
            .collect();
        effects.sort_by_key(|s| (s.count_ones(), reversed(*s)));
        let mut listed = std::collections::BTreeSet::new();
        for set in effects {
            if listed.contains(&set) {
                continue;
            }
            let own = Word {
                set,
                negative: false,
            };
            for word in &self.words {
                listed.insert(word.set ^ set);
            }
            let aliases = self.aliases(&text(own), 2).unwrap_or_default();
            table = table.row([Cell::text(text(own)), Cell::text(aliases.join(", "))]);
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for FractionalFactorial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(FractionalFactorial);

/// A generator `D=AB` as the word ABD.
fn parse(generator: &str, factors: usize, basic: usize) -> Result<Word> {
    let refused = |expected: String| Err(Error::invalid_option("generators", generator, expected));
    let Some((left, right)) = generator.split_once('=') else {
        return refused("of the form D=AB or D=-AB".to_owned());
    };
    let right = right.trim();
    let (negative, product) = match right.strip_prefix('-') {
        Some(rest) => (true, rest.trim()),
        None => (false, right.strip_prefix('+').unwrap_or(right).trim()),
    };
    let added = letters(left.trim(), factors);
    let Some(added) = added.filter(|s| s.is_power_of_two() && *s >> basic != 0) else {
        return refused(format!(
            "for one of the added factors {}",
            &LETTERS[basic..factors]
        ));
    };
    let Some(product) = letters(product, basic).filter(|s| *s > 0) else {
        return refused(format!(
            "a product of different basic factors, {}; an empty product would confound {} with the mean",
            &LETTERS[..basic],
            left.trim()
        ));
    };
    Ok(Word {
        set: added | product,
        negative,
    })
}

/// The set of the letters of a product, if they are different factors.
fn letters(product: &str, factors: usize) -> Option<u32> {
    product.chars().try_fold(0_u32, |set, letter| {
        let bit = 1_u32 << LETTERS[..factors].find(letter)?;
        (set & bit == 0).then_some(set | bit)
    })
}

fn text(word: Word) -> String {
    let letters = LETTERS
        .chars()
        .enumerate()
        .filter(|(i, _)| word.set >> i & 1 == 1)
        .map(|(_, letter)| letter);
    word.negative
        .then_some('-')
        .into_iter()
        .chain(letters)
        .collect()
}

/// A key that sorts sets of one size as their letters: A before B.
fn reversed(set: u32) -> u32 {
    !set.reverse_bits()
}

fn roman(number: usize) -> String {
    const NUMERALS: [&str; 10] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"];
    NUMERALS
        .get(number.wrapping_sub(1))
        .map_or_else(|| number.to_string(), |n| (*n).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn textbook_tables() {
        // Montgomery, example 8.4: 2^(6−2), E = ABC, F = BCD, resolution IV.
        let six = FractionalFactorial::new(6, &["E=ABC", "F=BCD"]).unwrap();
        assert_eq!(six.defining_relation(), ["ABCE", "ADEF", "BCDF"]);
        assert_eq!(six.resolution(), 4);
        assert_eq!(six.aliases("AB", 2).unwrap(), ["CE"]);
        assert_eq!(six.aliases("AE", 2).unwrap(), ["BC", "DF"]);
        assert_eq!(six.aliases("A", 3).unwrap(), ["BCE", "DEF"]);
        // Box, Hunter & Hunter, table 6.?: 2^(5−2), D = AB, E = AC, resolution III.
        let five = FractionalFactorial::new(5, &["D=AB", "E=AC"]).unwrap();
        assert_eq!(five.resolution(), 3);
        let aliases = |effect: &str| five.aliases(effect, 2).unwrap();
        assert_eq!(aliases("A"), ["BD", "CE"]);
        assert_eq!(aliases("B"), ["AD"]);
        assert_eq!(aliases("C"), ["AE"]);
        assert_eq!(aliases("D"), ["AB"]);
        assert_eq!(aliases("E"), ["AC"]);
        assert_eq!(aliases("BC"), ["DE"]);
        assert_eq!(aliases("BE"), ["CD"]);
        // 2^(7−3), E = ABC, F = BCD, G = ACD: resolution IV, seven words of length four.
        let seven = FractionalFactorial::new(7, &["E=ABC", "F=BCD", "G=ACD"]).unwrap();
        assert_eq!(seven.resolution(), 4);
        assert_eq!(
            seven.defining_relation(),
            ["ABCE", "ABFG", "ACDG", "ADEF", "BCDF", "BDEG", "CEFG"]
        );
        assert_eq!(seven.aliases("AB", 2).unwrap(), ["CE", "FG"]);
        // 2^(5−1), E = ABCD: resolution V; 2^(7−4): saturated, resolution III.
        assert_eq!(
            FractionalFactorial::new(5, &["E=ABCD"])
                .unwrap()
                .resolution(),
            5
        );
        let saturated = FractionalFactorial::new(7, &["D=AB", "E=AC", "F=BC", "G=ABC"]).unwrap();
        assert_eq!((saturated.resolution(), saturated.runs().len()), (3, 8));
        assert_eq!(saturated.aliases("A", 2).unwrap(), ["BD", "CE", "FG"]);
        assert!(seven.to_string().contains("resolution IV"));
    }

    #[test]
    fn runs_are_orthogonal_and_fulfil_the_relation() {
        let design = FractionalFactorial::new(6, &["E=-ABC", "F=BCD"]).unwrap();
        assert!(design.defining_relation().contains(&"-ABCE".to_owned()));
        let runs = design.runs();
        for i in 0..6 {
            assert_eq!(runs.iter().map(|r| i32::from(r[i])).sum::<i32>(), 0);
            for j in 0..i {
                let product: i32 = runs.iter().map(|r| i32::from(r[i] * r[j])).sum();
                assert_eq!(product, 0);
            }
        }
        assert!(runs.iter().all(|r| -r[0] * r[1] * r[2] * r[4] == 1));
        assert!(runs.iter().all(|r| r[1] * r[2] * r[3] * r[5] == 1));
        assert_eq!(design.aliases("A", 3).unwrap()[0], "-BCE");
        let units = design.assign(40, 1).unwrap();
        let groups = units.groups("run").unwrap();
        for run in 0..16 {
            let count = groups.codes.iter().filter(|c| **c == run).count();
            assert!((2..=3).contains(&count));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (factors, generators) in [
            (4, vec!["D="]),
            (4, vec!["D=D"]),
            (4, vec!["A=BC"]),
            (4, vec!["D AB"]),
            (4, vec!["D=AA"]),
            (4, vec!["D=A"]),
            (5, vec!["D=AB", "D=AC"]),
            (5, vec!["D=AB", "E=AB"]),
            (17, vec![]),
            (2, vec!["A=B", "B=A"]),
        ] {
            let error = FractionalFactorial::new(factors, &generators).unwrap_err();
            assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
        }
        let design = FractionalFactorial::new(4, &["D=ABC"]).unwrap();
        assert!(design.assign(7, 1).is_err() && design.aliases("Z", 2).is_err());
    }
}
