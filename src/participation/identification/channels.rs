//! Collinear channels: treatments that the data at hand cannot tell apart.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;

/// A channel whose column is a combination of a constant and other channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collinearity {
    /// The channel.
    pub channel: String,
    /// The other channels in the combination; none when the channel does not vary.
    pub with: Vec<String>,
}

/// Below this share of unexplained variance a column counts as a combination of others: a hundred thousand rows of whole numbers
/// leave about 10⁻¹² by rounding.
const TOLERANCE: f64 = 1e-10;
/// Coefficients below this, in standard deviations, are rounding.
const SMALL: f64 = 1e-6;

/// The channels that earlier ones and a constant span, in the order given, each with its partners.
///
/// ```
/// use cocreate::prelude::*;
/// use cocreate::participation::collinear_channels;
/// let frame = Frame::new()
///     .with("information", vec![0.0, 3.0, 0.0, 3.0])?
///     .with("coupon", vec![0.0, 0.0, 0.2, 0.2])?
///     .with("training", vec![false, true, false, true])?; // always together with information
/// let found = collinear_channels(&frame, &["information", "coupon", "training"])?;
/// assert_eq!((found[0].channel.as_str(), found[0].with[0].as_str()), ("training", "information"));
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`], [`Error::WrongKind`]; [`Error::NoRows`] when every row misses a channel.
pub fn collinear_channels(frame: &Frame, channels: &[&str]) -> Result<Vec<Collinearity>> {
    let columns = channels
        .iter()
        .map(|name| frame.numeric(name))
        .collect::<Result<Vec<_>>>()?;
    let rows: Vec<usize> = (0..frame.rows())
        .filter(|row| columns.iter().all(|c| c.values()[*row].is_finite()))
        .collect();
    if rows.is_empty() {
        return Err(Error::NoRows {
            reason: format!("every row misses one of {}", channels.join(", ")),
        });
    }
    // Standardised columns: the constant is taken out by the means, units by the deviations.
    let standard: Vec<Vec<f64>> = columns
        .iter()
        .map(|column| {
            let values: Vec<f64> = rows.iter().map(|row| column.values()[*row]).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let largest = values.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            let centred: Vec<f64> = values.iter().map(|x| x - mean).collect();
            let norm = centred.iter().map(|x| x * x).sum::<f64>().sqrt();
            // A column that does not vary leaves nothing but rounding of its mean.
            let rounding = f64::EPSILON * largest * values.len() as f64;
            let scale = if norm > rounding { 1.0 / norm } else { 0.0 };
            centred.iter().map(|x| x * scale).collect()
        })
        .collect();
    let k = standard.len();
    let product = |i: usize, j: usize| -> f64 {
        standard[i]
            .iter()
            .zip(&standard[j])
            .map(|(x, y)| x * y)
            .sum()
    };
    let gram = DMatrix::from_fn(k, k, product);
    let factor = Cholesky::with_tolerance(&gram, TOLERANCE);
    let kept = factor.kept();
    Ok(factor
        .dropped()
        .iter()
        .map(|dropped| {
            let right = DMatrix::from_fn(kept.len(), 1, |i, _| gram[(kept[i], *dropped)]);
            let loads = factor.solve(&right);
            Collinearity {
                channel: channels[*dropped].to_owned(),
                with: kept
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| loads[(*i, 0)].abs() > SMALL)
                    .map(|(_, column)| channels[*column].to_owned())
                    .collect(),
            }
        })
        .collect())
}

/// Passes when no channel is a combination of the others.
///
/// # Errors
/// [`Error::Unidentified`] naming the channel and those it goes together with; those of [`collinear_channels`].
pub fn check_channels(frame: &Frame, channels: &[&str]) -> Result<()> {
    match collinear_channels(frame, channels)?.into_iter().next() {
        None => Ok(()),
        Some(Collinearity { channel, with }) => Err(Error::Unidentified {
            what: format!("the channel `{channel}`"),
            needs: if with.is_empty() {
                "variation: it is the same for everybody".into()
            } else {
                format!(
                    "arms in which it does not go together with {}",
                    with.iter()
                        .map(|name| format!("`{name}`"))
                        .collect::<Vec<_>>()
                        .join(" and ")
                )
            },
        }),
    }
}
